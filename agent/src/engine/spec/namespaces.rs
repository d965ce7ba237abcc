//! The namespaces of a specification, and the users of one of its own.

use std::collections::HashMap;
use std::fs;

use bollard::models::ContainerCreateBody;
use libcontainer::oci_spec::runtime::{
    LinuxIdMapping, LinuxIdMappingBuilder, LinuxNamespace, LinuxNamespaceBuilder,
    LinuxNamespaceType, LinuxTimeOffset, LinuxTimeOffsetBuilder,
};

use super::error::refuse;
use super::mode::{Modes, Share};
use super::{Parts, SpecError};
use crate::engine::rootfs::UserRange;

/// Seconds that the workload's clocks are ahead: `monotonic=3600,boottime=3600`.
pub(super) const TIME_OFFSET: &str = "plimsoll.time-offset";
const SUBUID: &str = "/etc/subuid";
const SUBGID: &str = "/etc/subgid";
/// Whose ranges are taken, the first that has one.
const OWNERS: [&str; 3] = ["plimsoll", "containers", "root"];
const RANGE: u32 = 65_536;
/// Where it begins at the earliest if none of them has one.
const FIRST: u32 = 100_000;

/// The range of a container with users of its own, for whom its root filesystem has to be mounted; `None`
/// for the others.
///
/// # Errors
/// The mode is none.
pub fn user_range(body: &ContainerCreateBody) -> Result<Option<UserRange>, SpecError> {
    let host = body.host_config.clone().unwrap_or_default();
    if Modes::of(&host)?.user != Share::Own {
        return Ok(None);
    }
    let first_in = |path: &str| {
        let ranges = fs::read_to_string(path).unwrap_or_default();
        first_of(&ranges).ok_or_else(|| {
            let why = format!("{path} leaves no {RANGE} ids for users of its own");
            SpecError::Refused(why)
        })
    };
    Ok(Some(UserRange {
        first_uid: first_in(SUBUID)?,
        first_gid: first_in(SUBGID)?,
        size: RANGE,
    }))
}

/// From lines of `owner:first:count`: a range of one of our owners, else one that is nobody's.
fn first_of(ranges: &str) -> Option<u32> {
    let parse = |line: &str| {
        let mut fields = line.split(':');
        let owner = fields.next()?.to_owned();
        let first: u32 = fields.next()?.parse().ok()?;
        let count: u32 = fields.next()?.trim().parse().ok()?;
        Some((owner, first, first.saturating_add(count)))
    };
    let mut ranges: Vec<_> = ranges.lines().filter_map(parse).collect();
    let first = |owner: &&str| {
        let mut owned = ranges.iter().filter(|(name, ..)| name == owner);
        owned
            .find(|(_, first, end)| end - first >= RANGE)
            .map(|(_, first, _)| *first)
    };
    if let Some(first) = OWNERS.iter().find_map(first) {
        return Some(first);
    }
    ranges.sort_by_key(|(_, first, _)| *first);
    let mut free = FIRST;
    for (_, first, end) in ranges {
        if first < free.saturating_add(RANGE) {
            free = free.max(end);
        }
    }
    free.checked_add(RANGE).map(|_| free)
}

/// Of a range that begins there on the host.
pub(super) fn mapping(first: u32, size: u32) -> Result<Vec<LinuxIdMapping>, SpecError> {
    let mapping = LinuxIdMappingBuilder::default()
        .container_id(0_u32)
        .host_id(first)
        .size(size)
        .build()?;
    Ok(vec![mapping])
}

/// All but the host's.
pub(super) fn list(parts: &Parts<'_>, modes: &Modes) -> Result<Vec<LinuxNamespace>, SpecError> {
    let join = parts.join;
    let kinds = [
        (LinuxNamespaceType::Network, modes.network, &join.network),
        (LinuxNamespaceType::Pid, modes.pid, &join.pid),
        (LinuxNamespaceType::Ipc, modes.ipc, &join.ipc),
        (LinuxNamespaceType::Uts, modes.uts, &join.uts),
    ];
    let mut namespaces = vec![own(LinuxNamespaceType::Mount)?];
    for (kind, share, path) in kinds {
        match (share, path) {
            (Share::Host, _) => {}
            // The engine may have made one's own, too.
            (Share::Own | Share::Other, Some(path)) => namespaces.push(
                LinuxNamespaceBuilder::default()
                    .typ(kind)
                    .path(path.clone())
                    .build()?,
            ),
            (Share::Own, None) => namespaces.push(own(kind)?),
            (Share::Other, None) => {
                return refuse(format!(
                    "cannot join the {kind} namespace of a container that does not run"
                ));
            }
        }
    }
    if modes.cgroup(parts.layout.mode()) == Share::Own {
        namespaces.push(own(LinuxNamespaceType::Cgroup)?);
    }
    if modes.user == Share::Own {
        namespaces.push(own(LinuxNamespaceType::User)?);
    }
    if parts.annotation(TIME_OFFSET).is_some() {
        namespaces.push(own(LinuxNamespaceType::Time)?);
    }
    Ok(namespaces)
}

fn own(kind: LinuxNamespaceType) -> Result<LinuxNamespace, SpecError> {
    Ok(LinuxNamespaceBuilder::default().typ(kind).build()?)
}

/// What [`TIME_OFFSET`] says.
pub(super) fn time_offsets(text: &str) -> Result<HashMap<String, LinuxTimeOffset>, SpecError> {
    let mut offsets = HashMap::new();
    for one in text.split(',') {
        let clock = one.split_once('=');
        let parsed = clock.and_then(|(clock, seconds)| {
            let known = matches!(clock, "monotonic" | "boottime");
            known.then_some((clock, seconds.trim().parse::<i64>().ok()?))
        });
        let Some((clock, seconds)) = parsed else {
            return refuse(format!(
                "invalid {TIME_OFFSET} {text:?}: it has to be like monotonic=3600,boottime=3600"
            ));
        };
        let offset = LinuxTimeOffsetBuilder::default().secs(seconds).build()?;
        offsets.insert(clock.to_owned(), offset);
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_range_is_the_first_that_is_large_enough() {
        assert_eq!(first_of(""), Some(100_000));
        assert_eq!(first_of("somebody:5:65536\n"), Some(100_000));
        // Of users of the host: between them there is no room.
        let taken = "c:231072:65536\na:100000:65536\nb:165546:65526\n";
        assert_eq!(first_of(taken), Some(296_608));
        let room = "a:100000:65536\nb:231072:65536\n";
        assert_eq!(first_of(room), Some(165_536));
        assert_eq!(first_of("a:100000:4294867295\n"), None);
        assert_eq!(first_of("root:5:65536\ncontainers:7:65536\n"), Some(7));
        assert_eq!(first_of("plimsoll:5:1000\nplimsoll:9:70000\n"), Some(9));
        assert_eq!(first_of("containers:x:65536\nroot:3:65536"), Some(3));
    }

    #[test]
    fn clocks_are_two_and_offsets_whole_seconds() {
        let offsets = time_offsets("monotonic=-5,boottime=3600").unwrap();
        assert_eq!(offsets["monotonic"].secs(), Some(-5));
        assert_eq!(offsets["boottime"].secs(), Some(3600));
        for wrong in ["", "realtime=1", "monotonic", "monotonic=x"] {
            assert!(time_offsets(wrong).is_err(), "{wrong}");
        }
    }
}
