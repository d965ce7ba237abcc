//! Which capabilities a container is given.

use std::str::FromStr;

use bollard::models::HostConfig;
use libcontainer::oci_spec::runtime::{
    Capabilities, Capability, LinuxCapabilities, LinuxCapabilitiesBuilder,
};

use super::SpecError;
use super::error::refuse;

/// Docker's, since 1.2.
const DEFAULT: [Capability; 14] = [
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fsetid,
    Capability::Fowner,
    Capability::Mknod,
    Capability::NetRaw,
    Capability::Setgid,
    Capability::Setuid,
    Capability::Setfcap,
    Capability::Setpcap,
    Capability::NetBindService,
    Capability::SysChroot,
    Capability::Kill,
    Capability::AuditWrite,
];

/// All that the kernel knows (include/uapi/linux/capability.h, v6.12), by number.
const ALL: [Capability; 41] = [
    Capability::Chown,
    Capability::DacOverride,
    Capability::DacReadSearch,
    Capability::Fowner,
    Capability::Fsetid,
    Capability::Kill,
    Capability::Setgid,
    Capability::Setuid,
    Capability::Setpcap,
    Capability::LinuxImmutable,
    Capability::NetBindService,
    Capability::NetBroadcast,
    Capability::NetAdmin,
    Capability::NetRaw,
    Capability::IpcLock,
    Capability::IpcOwner,
    Capability::SysModule,
    Capability::SysRawio,
    Capability::SysChroot,
    Capability::SysPtrace,
    Capability::SysPacct,
    Capability::SysAdmin,
    Capability::SysBoot,
    Capability::SysNice,
    Capability::SysResource,
    Capability::SysTime,
    Capability::SysTtyConfig,
    Capability::Mknod,
    Capability::Lease,
    Capability::AuditWrite,
    Capability::AuditControl,
    Capability::Setfcap,
    Capability::MacOverride,
    Capability::MacAdmin,
    Capability::Syslog,
    Capability::WakeAlarm,
    Capability::BlockSuspend,
    Capability::AuditRead,
    Capability::Perfmon,
    Capability::Bpf,
    Capability::CheckpointRestore,
];

/// What `--cap-add` and `--cap-drop` name.
#[derive(Debug, Default)]
struct Names {
    all: bool,
    single: Capabilities,
}

impl Names {
    fn parse(field: &str, list: Option<&Vec<String>>) -> Result<Self, SpecError> {
        let mut names = Self::default();
        for text in list.into_iter().flatten() {
            let upper = text.trim().to_uppercase();
            let short = upper.strip_prefix("CAP_").unwrap_or(&upper);
            if short == "ALL" {
                names.all = true;
                continue;
            }
            let Ok(capability) = Capability::from_str(short) else {
                return refuse(format!(
                    "invalid {field}: unknown capability: \"CAP_{short}\""
                ));
            };
            names.single.insert(capability);
        }
        Ok(names)
    }
}

/// The bounding set that a configuration asks for. "All" is what this process holds itself: more
/// cannot be given.
pub(super) fn asked_for(host: &HostConfig) -> Result<Capabilities, SpecError> {
    let added = Names::parse("CapAdd", host.cap_add.as_ref())?;
    let dropped = Names::parse("CapDrop", host.cap_drop.as_ref())?;
    if host.privileged == Some(true) {
        return Ok(held());
    }
    let mut asked: Capabilities = if added.all {
        held()
    } else if dropped.all {
        return Ok(added.single);
    } else {
        DEFAULT.into_iter().collect()
    };
    asked.retain(|capability| !dropped.single.contains(capability));
    if !added.all {
        asked.extend(added.single);
    }
    Ok(asked)
}

/// The sets of a process of this user: without root's identity a program starts with none in effect
/// (security/commoncap.c `cap_bprm_creds_from_file()`, v6.12), so none are claimed.
pub(super) fn sets(bounding: &Capabilities, user: u32) -> Result<LinuxCapabilities, SpecError> {
    let in_effect = if user == 0 {
        bounding.clone()
    } else {
        Capabilities::new()
    };
    Ok(LinuxCapabilitiesBuilder::default()
        .bounding(bounding.clone())
        .permitted(in_effect.clone())
        .effective(in_effect)
        .inheritable(Capabilities::new())
        .ambient(Capabilities::new())
        .build()?)
}

/// Those of this process, by the kernel's numbers; all where it cannot be known, `launch` cuts then.
pub(super) fn held() -> Capabilities {
    let status = procfs::process::Process::myself().and_then(|own| own.status());
    let mask = status.map_or(u64::MAX, |status| {
        status.capprm & status.capbnd.unwrap_or(u64::MAX)
    });
    let numbered = ALL.into_iter().enumerate();
    numbered
        .filter(|(number, _)| mask & (1 << number) != 0)
        .map(|(_, capability)| capability)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use libcontainer::capabilities::CapabilityExt;

    use super::*;

    fn asked(add: &[&str], drop: &[&str]) -> Result<Capabilities, SpecError> {
        let list = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
        asked_for(&HostConfig {
            cap_add: list(add),
            cap_drop: list(drop),
            ..Default::default()
        })
    }

    #[test]
    fn numbers_are_the_kernels() {
        for (number, capability) in ALL.into_iter().enumerate() {
            assert_eq!(usize::from(capability.to_cap().index()), number);
        }
    }

    #[test]
    fn names_are_added_and_dropped_with_prefix_or_without() {
        assert_eq!(asked(&[], &[]).unwrap(), DEFAULT.into());
        let mut one_more: Capabilities = DEFAULT.into();
        one_more.insert(Capability::NetAdmin);
        one_more.remove(&Capability::Mknod);
        assert_eq!(asked(&["net_admin"], &["CAP_MKNOD"]).unwrap(), one_more);
        assert_eq!(
            asked(&["CAP_SYS_TIME"], &["all"]).unwrap(),
            [Capability::SysTime].into()
        );
        assert_eq!(asked(&[], &["ALL"]).unwrap(), Capabilities::new());
        let mut most = held();
        most.remove(&Capability::Chown);
        assert_eq!(asked(&["ALL"], &["CHOWN"]).unwrap(), most);
    }

    #[test]
    fn an_unknown_name_is_refused_in_dockers_words() {
        let error = asked(&["nonesuch"], &[]).unwrap_err().to_string();
        assert_eq!(
            error,
            "invalid CapAdd: unknown capability: \"CAP_NONESUCH\""
        );
    }

    #[test]
    fn only_root_starts_with_capabilities_in_effect() {
        let bounding: Capabilities = DEFAULT.into();
        let root = sets(&bounding, 0).unwrap();
        assert_eq!(root.effective().as_ref(), Some(&bounding));
        let other = sets(&bounding, 7).unwrap();
        assert_eq!(other.bounding().as_ref(), Some(&bounding));
        assert_eq!(other.effective().as_ref(), Some(&Capabilities::new()));
        assert_eq!(root.inheritable(), other.inheritable());
    }
}
