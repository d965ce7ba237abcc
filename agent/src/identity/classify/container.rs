//! Segments that are a container, or a container's monitor.

use super::{Place, Role};
use crate::identity::workload::{Kind, Runtime};

/// systemd driver: `<prefix>-<id>.scope`. The scope's prefix is the engine's.
const SCOPES: [(&str, Runtime); 5] = [
    ("docker-", Runtime::Docker),
    ("cri-containerd-", Runtime::Containerd),
    ("nerdctl-", Runtime::Containerd),
    ("libpod-", Runtime::Podman),
    ("crio-", Runtime::CriO),
];

/// cgroupfs driver: `<prefix>-<id>`.
const PREFIXES: [(&str, Runtime); 2] = [("libpod-", Runtime::Podman), ("crio-", Runtime::CriO)];

/// conmon, the engine's process beside the container: not the container's usage.
const MONITORS: [(&str, Runtime); 2] = [
    ("libpod-conmon-", Runtime::Podman),
    ("crio-conmon-", Runtime::CriO),
];

/// containerd namespaces whose containers (`/<namespace>/<id>`) may have any id.
const CONTAINERD_NAMESPACES: [&str; 2] = ["default", "k8s.io"];

/// The container or monitor that `segment` names, if it does.
pub(super) fn role(segment: &str, place: Place<'_>, in_pod: bool) -> Option<Role> {
    let bare = segment.strip_suffix(".scope");
    for (prefix, runtime) in MONITORS {
        if is_id_after(bare.unwrap_or(segment), prefix).is_some() {
            return Some(Role::named(runtime, Kind::Unit, segment.to_owned()));
        }
    }
    let scoped = bare.and_then(|bare| first_match(&SCOPES, bare));
    let found = scoped
        .or_else(|| first_match(&PREFIXES, segment))
        .or_else(|| unsplit(segment))
        .or_else(|| by_parent(segment, place, in_pod));
    found.map(|(runtime, id)| Role::container(runtime, id))
}

/// Lower-case hexadecimal of 256 bits, as all engines but `ctr` make them.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn first_match<'a>(
    table: &[(&'static str, Runtime)],
    segment: &'a str,
) -> Option<(Runtime, &'a str)> {
    table
        .iter()
        .find_map(|&(prefix, runtime)| Some((runtime, is_id_after(segment, prefix)?)))
}

fn is_id_after<'a>(segment: &'a str, prefix: &str) -> Option<&'a str> {
    segment.strip_prefix(prefix).filter(|id| is_id(id))
}

/// `kubepods-….slice:cri-containerd:<id>`: a systemd-style path given to a cgroupfs-style runtime,
/// which makes one directory of it.
fn unsplit(segment: &str) -> Option<(Runtime, &str)> {
    let (rest, id) = segment.rsplit_once(':')?;
    let (_slice, prefix) = rest.rsplit_once(':')?;
    let runtime = match prefix {
        "docker" => Runtime::Docker,
        "cri-containerd" | "nerdctl" => Runtime::Containerd,
        "libpod" => Runtime::Podman,
        "crio" => Runtime::CriO,
        _ => return None,
    };
    is_id(id).then_some((runtime, id))
}

/// The bare id, told by where it is.
fn by_parent<'a>(segment: &'a str, place: Place<'_>, in_pod: bool) -> Option<(Runtime, &'a str)> {
    let runtime = match (place, is_id(segment)) {
        (Place::Second(namespace), _) if CONTAINERD_NAMESPACES.contains(&namespace) => {
            Runtime::Containerd
        }
        // A pod of podman's, see `pod::role`.
        (Place::Second("libpod_parent") | Place::Deeper("libpod_parent"), true) | (_, false) => {
            return None;
        }
        (Place::Second("plimsoll"), true) => Runtime::Plimsoll,
        (Place::Second("docker") | Place::Deeper("docker"), true) => Runtime::Docker,
        (_, true) if in_pod => Runtime::Kubernetes,
        // `docker run --cgroup-parent`; nothing else puts a bare id just anywhere.
        (_, true) => Runtime::Docker,
    };
    Some((runtime, segment))
}
