//! Whose namespaces a container runs in.

use bollard::models::{HostConfig, HostConfigCgroupnsModeEnum};

use super::SpecError;
use super::error::{refuse, unsupported};
use crate::cgroup::Mode;

/// Whose a namespace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    Own,
    Host,
    /// Another container's.
    Other,
}

/// As a configuration says it, for each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Modes {
    pub(super) network: Share,
    pub(super) pid: Share,
    pub(super) ipc: Share,
    /// `--ipc none`: a namespace of its own, and no `/dev/shm`.
    pub(super) has_shm: bool,
    pub(super) uts: Share,
    pub(super) user: Share,
    /// `None`: not said.
    pub(super) cgroup: Option<Share>,
}

impl Modes {
    pub(super) fn of(host: &HostConfig) -> Result<Self, SpecError> {
        let text = |mode: &Option<String>| mode.clone().unwrap_or_default();
        let (ipc, has_shm) = ipc(&text(&host.ipc_mode))?;
        Ok(Self {
            network: network(&text(&host.network_mode))?,
            pid: own_host_or_other("PID", &text(&host.pid_mode))?,
            ipc,
            has_shm,
            uts: uts(&text(&host.uts_mode))?,
            user: user(&text(&host.userns_mode))?,
            cgroup: match host.cgroupns_mode {
                Some(HostConfigCgroupnsModeEnum::PRIVATE) => Some(Share::Own),
                Some(HostConfigCgroupnsModeEnum::HOST) => Some(Share::Host),
                Some(HostConfigCgroupnsModeEnum::EMPTY) | None => None,
            },
        })
    }

    /// Docker's default: its own on v2, the host's where there is v1.
    pub(super) fn cgroup(&self, layout: Mode) -> Share {
        self.cgroup.unwrap_or(match layout {
            Mode::Unified => Share::Own,
            Mode::Hybrid | Mode::Legacy => Share::Host,
        })
    }
}

fn container(mode: &str) -> Option<&str> {
    mode.strip_prefix("container:")
        .filter(|name| !name.is_empty())
}

fn network(mode: &str) -> Result<Share, SpecError> {
    match mode {
        "host" => Ok(Share::Host),
        _ if container(mode).is_some() => Ok(Share::Other),
        _ if mode == "container" || mode.starts_with("container:") => {
            refuse("Invalid network mode: invalid container format container:<name|id>")
        }
        _ => Ok(Share::Own),
    }
}

fn own_host_or_other(kind: &str, mode: &str) -> Result<Share, SpecError> {
    match mode {
        "" | "private" => Ok(Share::Own),
        "host" => Ok(Share::Host),
        _ if container(mode).is_some() => Ok(Share::Other),
        _ => refuse(format!("invalid {kind} mode: {mode}")),
    }
}

fn ipc(mode: &str) -> Result<(Share, bool), SpecError> {
    match mode {
        "none" => Ok((Share::Own, false)),
        "shareable" => Ok((Share::Own, true)),
        _ => Ok((own_host_or_other("IPC", mode)?, true)),
    }
}

/// `container:` is ours: Docker has none here.
fn uts(mode: &str) -> Result<Share, SpecError> {
    own_host_or_other("UTS", mode)
}

/// `private` and `auto` are podman's: Docker only has ranges for the whole daemon.
fn user(mode: &str) -> Result<Share, SpecError> {
    match mode {
        "" | "host" => Ok(Share::Host),
        "private" | "auto" => Ok(Share::Own),
        _ if mode.starts_with("container:") || mode.starts_with("keep-id") => unsupported(
            format!("--userns {mode}"),
            "a container has the host's users or a range of its own (private)",
        ),
        _ => refuse(format!("invalid user namespace mode: {mode}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn modes(change: impl FnOnce(&mut HostConfig)) -> Result<Modes, String> {
        let mut host = HostConfig::default();
        change(&mut host);
        Modes::of(&host).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_said_is_all_ones_own_but_the_users() {
        let modes = modes(|_| {}).unwrap();
        assert_eq!(
            modes,
            Modes {
                network: Share::Own,
                pid: Share::Own,
                ipc: Share::Own,
                has_shm: true,
                uts: Share::Own,
                user: Share::Host,
                cgroup: None,
            }
        );
        assert_eq!(modes.cgroup(Mode::Unified), Share::Own);
        assert_eq!(modes.cgroup(Mode::Hybrid), Share::Host);
    }

    #[test]
    fn others_and_the_hosts_are_named() {
        let set = |field: fn(&mut HostConfig) -> &mut Option<String>, mode: &str| {
            modes(|host| *field(host) = Some(mode.to_owned()))
        };
        assert_eq!(
            set(|host| &mut host.network_mode, "container:a")
                .unwrap()
                .network,
            Share::Other
        );
        assert_eq!(
            set(|host| &mut host.network_mode, "mine").unwrap().network,
            Share::Own
        );
        assert!(set(|host| &mut host.network_mode, "container:").is_err());
        assert_eq!(
            set(|host| &mut host.pid_mode, "host").unwrap().pid,
            Share::Host
        );
        assert_eq!(
            set(|host| &mut host.pid_mode, "odd").unwrap_err(),
            "invalid PID mode: odd"
        );
        assert_eq!(
            set(|host| &mut host.ipc_mode, "odd").unwrap_err(),
            "invalid IPC mode: odd"
        );
        assert!(!set(|host| &mut host.ipc_mode, "none").unwrap().has_shm);
        assert_eq!(
            set(|host| &mut host.uts_mode, "odd").unwrap_err(),
            "invalid UTS mode: odd"
        );
        assert_eq!(
            set(|host| &mut host.userns_mode, "private").unwrap().user,
            Share::Own
        );
        assert!(set(|host| &mut host.userns_mode, "keep-id").is_err());
    }
}
