//! The floor that no policy and no operator goes through, in one function.

use super::tree::{Site, Tree};
use crate::cgroup::Placement;
use crate::identity::{Identity, Kind, classify};
use crate::policy::{Protect, ProtectPattern};

/// Why a cgroup is not touched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Protected {
    #[error("the root cgroup is never touched")]
    Root,
    #[error("{path} holds {what}")]
    Anchor { path: String, what: &'static str },
    #[error("{path} holds {program} (pid {pid})")]
    Resident {
        path: String,
        program: String,
        pid: u32,
    },
    #[error("{path} is protected: the system needs it")]
    System { path: String },
    #[error("{path} is protected by `{pattern}`")]
    Listed { path: String, pattern: String },
}

/// May these cgroups be limited, frozen, or their processes signalled or killed?
///
/// Not when one of them is, or has below it: the root; a cgroup of pid 1, of the agent or of its
/// guardian; one with an engine's daemon, `sshd` or a kernel thread in it; a unit of the system's own;
/// whatever the operator protects. `tree` holds the anchors, and at least all cgroups and residents
/// at or below `sites`: what is elsewhere cannot change the answer.
///
/// # Errors
/// The first reason found.
pub(crate) fn floor(tree: &Tree, protect: &Protect, sites: &[Site]) -> Result<(), Protected> {
    for site in sites {
        if site.path.trim_end_matches('/').is_empty() {
            return Err(Protected::Root);
        }
        let held = |placement: &Placement| {
            let mut paths = placement.paths.iter();
            let found = paths.find(|(hierarchy, path)| site.holds(**hierarchy, path));
            found.map(|(_, path)| path.clone())
        };
        for anchor in &tree.anchors {
            if let Some(path) = held(&anchor.placement) {
                let what = anchor.what;
                return Err(Protected::Anchor { path, what });
            }
        }
        for resident in &tree.residents {
            if let Some(path) = held(&resident.placement) {
                return Err(Protected::Resident {
                    path,
                    program: resident.program.clone(),
                    pid: resident.pid,
                });
            }
        }
        for cgroup in &tree.cgroups {
            let path = &cgroup.site.path;
            if !site.holds(cgroup.site.hierarchy, path) {
                continue;
            }
            if is_systems_own(path) {
                return Err(Protected::System { path: path.clone() });
            }
            if let Some(pattern) = listed(protect, path, &cgroup.identity) {
                return Err(Protected::Listed {
                    path: path.clone(),
                    pattern,
                });
            }
        }
    }
    Ok(())
}

/// Units without which the host, its engines, or the way into it are lost. `*` stands for anything.
const SYSTEM_UNITS: [&str; 22] = [
    "init.scope",
    "containerd.service",
    "docker.service",
    "dockerd.service",
    "snap.docker.dockerd.service",
    "podman.service",
    "crio.service",
    "cri-o.service",
    "kubelet.service",
    "k3s.service",
    "k3s-agent.service",
    "rke2-server.service",
    "rke2-agent.service",
    "libpod-conmon-*.scope",
    "crio-conmon-*.scope",
    "lxc.monitor.*",
    "sshd.service",
    "sshd@*.service",
    "ssh.service",
    "ssh@*.service",
    "dbus*.service",
    "systemd-*.service",
];

/// What matches `systemd-*.service` and is a workload.
const MACHINE: &str = "systemd-nspawn@";

/// Is the cgroup at `path` one of [`SYSTEM_UNITS`] of this host? Who may make cgroups of his own, a
/// user or a container, protects nothing by giving them such a name.
fn is_systems_own(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    SYSTEM_UNITS.iter().any(|unit| matches_star(unit, name))
        && !name.starts_with(MACHINE)
        && is_of_the_host(path)
}

fn is_of_the_host(path: &str) -> bool {
    if path.starts_with("/user.slice/") {
        return false;
    }
    let ends = path.match_indices('/').map(|(at, _)| at).skip(1);
    ends.map(|end| classify(path.get(..end).unwrap_or_default()))
        .all(|above| match above.kind {
            Kind::Container | Kind::Sandbox | Kind::Pod | Kind::Machine => false,
            Kind::Host | Kind::Unit | Kind::Slice | Kind::Cgroup => true,
        })
}

/// With at most one `*`.
fn matches_star(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => {
            name.len() >= before.len() + after.len()
                && name.starts_with(before)
                && name.ends_with(after)
        }
    }
}

/// The label that protects a container without any list.
const LABEL: (&str, &str) = ("agent.protect", "true");

/// The pattern or label by which the operator protects this cgroup, if there is one.
fn listed(protect: &Protect, path: &str, identity: &Identity) -> Option<String> {
    let last = path.rsplit('/').next().unwrap_or_default();
    let names = [
        Some(last),
        identity.name.as_deref(),
        identity.pod.as_deref(),
    ];
    let pattern = protect.never.iter().find_map(|pattern| match pattern {
        // Always protected, listed or not.
        ProtectPattern::Own | ProtectPattern::OwnAncestors => None,
        ProtectPattern::Cgroup(glob) => glob.matches(path).then_some(glob),
        ProtectPattern::Name(glob) => {
            let mut names = names.iter().flatten();
            names.any(|name| glob.matches(name)).then_some(glob)
        }
    });
    if let Some(pattern) = pattern {
        return Some(pattern.to_string());
    }
    let (key, value) = LABEL;
    if identity.labels.get(key).is_some_and(|found| found == value) {
        return Some(format!("{key}={value}"));
    }
    let label = protect
        .labels
        .iter()
        .find(|label| label.matches(identity))?;
    Some(label.key.clone())
}
