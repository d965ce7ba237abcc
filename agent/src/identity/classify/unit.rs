//! Everything else: systemd units and slices, engines' parent groups, bare cgroups.

use super::Role;
use crate::identity::workload::{Kind, Runtime};

/// Unit types that have a cgroup of their own.
const UNITS: [&str; 5] = [".service", ".scope", ".socket", ".mount", ".swap"];

/// `segment` outside of any container.
pub(super) fn role(segment: &str, parent: Option<&str>) -> Role {
    if let Some(slice) = segment.strip_suffix(".slice") {
        let runtime = if slice.contains("kubepods") {
            Runtime::Kubernetes
        } else {
            Runtime::Systemd
        };
        return Role::named(runtime, Kind::Slice, segment.to_owned());
    }
    if let Some(unit) = unit(segment) {
        return Role::named(Runtime::Systemd, Kind::Unit, unit.to_owned());
    }
    let group = match (segment, parent) {
        ("plimsoll", None) | ("shims", Some("plimsoll")) => Runtime::Plimsoll,
        ("docker", _) => Runtime::Docker,
        ("libpod_parent", _) => Runtime::Podman,
        ("kubepods", _) | ("burstable" | "besteffort", Some("kubepods")) => Runtime::Kubernetes,
        ("lxc" | "lxc.payload" | "lxc.monitor", _) => Runtime::Lxc,
        ("default" | "k8s.io", None) => Runtime::Containerd,
        ("machine", None) => Runtime::Libvirt,
        _ => return Role::group(Runtime::Cgroup, Kind::Cgroup),
    };
    Role::group(group, Kind::Slice)
}

/// `segment` inside a container of `runtime`.
pub(super) fn inside(segment: &str, runtime: Runtime) -> Role {
    if segment.ends_with(".slice") {
        Role::named(runtime, Kind::Slice, segment.to_owned())
    } else if let Some(unit) = unit(segment) {
        Role::named(runtime, Kind::Unit, unit.to_owned())
    } else {
        Role::group(runtime, Kind::Cgroup)
    }
}

/// The unit's name as `systemctl` takes it: `\x2d` stays, that is how the unit is called; the
/// underscore goes that systemd puts before names the kernel could take for its own files
/// (`_cpu.service`; `cg_escape()` in systemd v252 `src/basic/cgroup-util.c`).
fn unit(segment: &str) -> Option<&str> {
    let stem = UNITS.iter().find_map(|kind| segment.strip_suffix(kind))?;
    let escaped = segment.strip_prefix('_').filter(|_| stem != "_");
    (!stem.is_empty()).then(|| escaped.unwrap_or(segment))
}

/// systemd's `\xNN` → the byte. What is not such an escape stays.
pub(super) fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        match tail {
            [b'x', high, low, after @ ..] if first == b'\\' => {
                if let (Some(high), Some(low)) = (digit(*high), digit(*low)) {
                    bytes.push(high << 4 | low);
                    rest = after;
                    continue;
                }
            }
            _ => {}
        }
        bytes.push(first);
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}
