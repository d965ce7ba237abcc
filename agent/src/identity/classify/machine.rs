//! Segments that are a virtual machine or a machine container.

use super::{Role, unit};
use crate::identity::workload::{Kind, Runtime};

/// nspawn and libvirt, registered with systemd-machined or not.
pub(super) fn role(segment: &str) -> Option<Role> {
    if let Some(instance) = segment
        .strip_prefix("systemd-nspawn@")
        .and_then(|rest| rest.strip_suffix(".service"))
    {
        return Some(machine(Runtime::Nspawn, unit::unescape(instance)));
    }
    if let Some(name) = segment
        .strip_prefix("machine-")
        .and_then(|rest| rest.strip_suffix(".scope"))
    {
        let name = unit::unescape(name);
        return Some(match libvirt(&name) {
            Some(domain) => machine(Runtime::Libvirt, domain.to_owned()),
            None => machine(Runtime::Nspawn, name),
        });
    }
    // libvirt without systemd: `/machine/qemu-1-name.libvirt-qemu`, formerly `name.libvirt-qemu`.
    let name = segment
        .strip_suffix(".libvirt-qemu")
        .or_else(|| segment.strip_suffix(".libvirt-lxc"))?;
    let domain = libvirt(name).unwrap_or(name);
    Some(machine(Runtime::Libvirt, domain.to_owned()))
}

/// LXC and its children LXD and Incus. The container's name is its id.
pub(super) fn lxc(segment: &str, parent: Option<&str>) -> Option<Role> {
    if let Some(name) = segment.strip_prefix("lxc.monitor.") {
        return Some(Role::named(Runtime::Lxc, Kind::Unit, name.to_owned()));
    }
    let name = match (segment.strip_prefix("lxc.payload."), parent) {
        (Some(name), _) if !name.is_empty() => name,
        (_, Some("lxc" | "lxc.payload")) => segment,
        (_, Some("lxc.monitor")) => {
            return Some(Role::named(Runtime::Lxc, Kind::Unit, segment.to_owned()));
        }
        _ => return None,
    };
    Some(Role {
        name: Some(name.to_owned()),
        ..Role::container(Runtime::Lxc, name)
    })
}

fn machine(runtime: Runtime, name: String) -> Role {
    Role::named(runtime, Kind::Machine, name)
}

/// `qemu-3-name` → `name`: driver, running number, domain.
fn libvirt(name: &str) -> Option<&str> {
    let rest = ["qemu-", "lxc-", "ch-", "xen-"]
        .iter()
        .find_map(|driver| name.strip_prefix(driver))?;
    let (number, domain) = rest.split_once('-')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && !domain.is_empty()).then_some(domain)
}
