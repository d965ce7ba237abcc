//! `--ulimit`: the process's own limits. What is not named is inherited; `launch` clamps what cannot be
//! raised.

use bollard::models::{HostConfig, ResourcesUlimits};
use libcontainer::oci_spec::runtime::{PosixRlimit, PosixRlimitBuilder, PosixRlimitType};

use super::SpecError;
use super::error::refuse;

/// The limits asked for, each once; of two with a name the last.
pub(super) fn of(host: &HostConfig) -> Result<Vec<PosixRlimit>, SpecError> {
    let mut limits: Vec<PosixRlimit> = Vec::new();
    for ulimit in host.ulimits.iter().flatten() {
        let limit = limit(ulimit)?;
        limits.retain(|other| other.typ() != limit.typ());
        limits.push(limit);
    }
    Ok(limits)
}

fn limit(ulimit: &ResourcesUlimits) -> Result<PosixRlimit, SpecError> {
    let name = ulimit.name.as_deref().unwrap_or_default();
    let Some(kind) = kind(name) else {
        return refuse(format!("invalid ulimit type: {name}"));
    };
    let (soft, hard) = (ulimit.soft.unwrap_or(0), ulimit.hard.unwrap_or(0));
    // Negative is without end.
    let value = |limit: i64| u64::try_from(limit).unwrap_or(u64::MAX);
    if value(soft) > value(hard) {
        return refuse(format!(
            "ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
        ));
    }
    let builder = PosixRlimitBuilder::default().typ(kind).soft(value(soft));
    Ok(builder.hard(value(hard)).build()?)
}

fn kind(name: &str) -> Option<PosixRlimitType> {
    Some(match name {
        "as" => PosixRlimitType::RlimitAs,
        "core" => PosixRlimitType::RlimitCore,
        "cpu" => PosixRlimitType::RlimitCpu,
        "data" => PosixRlimitType::RlimitData,
        "fsize" => PosixRlimitType::RlimitFsize,
        "locks" => PosixRlimitType::RlimitLocks,
        "memlock" => PosixRlimitType::RlimitMemlock,
        "msgqueue" => PosixRlimitType::RlimitMsgqueue,
        "nice" => PosixRlimitType::RlimitNice,
        "nofile" => PosixRlimitType::RlimitNofile,
        "nproc" => PosixRlimitType::RlimitNproc,
        "rss" => PosixRlimitType::RlimitRss,
        "rtprio" => PosixRlimitType::RlimitRtprio,
        "rttime" => PosixRlimitType::RlimitRttime,
        "sigpending" => PosixRlimitType::RlimitSigpending,
        "stack" => PosixRlimitType::RlimitStack,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn limits(list: &[(&str, i64, i64)]) -> Result<Vec<PosixRlimit>, SpecError> {
        let ulimit = |&(name, soft, hard): &(&str, i64, i64)| ResourcesUlimits {
            name: Some(name.to_owned()),
            soft: Some(soft),
            hard: Some(hard),
        };
        of(&HostConfig {
            ulimits: Some(list.iter().map(ulimit).collect()),
            ..Default::default()
        })
    }

    #[test]
    fn the_last_of_a_name_counts_and_negative_is_without_end() {
        let given = limits(&[("nofile", 1, 2), ("core", -1, -1), ("nofile", 3, 4)]).unwrap();
        let given: Vec<_> = given
            .iter()
            .map(|limit| (limit.typ(), limit.soft(), limit.hard()))
            .collect();
        assert_eq!(
            given,
            [
                (PosixRlimitType::RlimitCore, u64::MAX, u64::MAX),
                (PosixRlimitType::RlimitNofile, 3, 4)
            ]
        );
    }

    #[test]
    fn unknown_names_and_soft_above_hard_are_refused() {
        let error = |list| limits(list).unwrap_err().to_string();
        assert_eq!(error(&[("files", 1, 2)]), "invalid ulimit type: files");
        assert!(error(&[("nofile", 2, 1)]).ends_with("hard limit: 2 > 1"));
        assert!(error(&[("nofile", -1, 1)]).ends_with("hard limit: -1 > 1"));
    }
}
