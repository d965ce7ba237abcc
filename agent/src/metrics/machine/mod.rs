//! Facts about the machine that do not change while it runs, read once at start for the
//! `machine_*` families.
//!
//! In: `/proc`, `/sys`, `/etc/machine-id` below a root. Out: [`Machine`]. What the machine does not
//! say stays empty and is not exported.

mod cache;
mod files;
mod memory;
mod node;
mod topology;

use std::fs;
use std::path::Path;

use crate::metrics::exposition::push_label;

pub(crate) use cache::Cache;
pub(crate) use memory::Dimms;
#[cfg(test)]
pub(crate) use node::HugePages;
pub(crate) use node::Node;
pub(crate) use topology::{Thread, Topology};

/// The machine.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    /// `machine_id`, `system_uuid` and `boot_id`, those there are; escaped and joined.
    pub(crate) labels: Vec<u8>,
    pub(crate) topology: Topology,
    pub(crate) caches: Vec<Cache>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) swap_bytes: Option<u64>,
    /// By type, as EDAC names it; empty without an EDAC driver.
    pub(crate) dimms: Vec<Dimms>,
    /// `uname -r`.
    pub(crate) kernel: Option<String>,
    /// `PRETTY_NAME` of os-release.
    pub(crate) system: Option<String>,
}

impl Machine {
    /// Reads everything below `root` (`/` but for tests). Some hundred small files.
    pub(crate) fn read(root: &Path) -> Self {
        let topology = Topology::read(root);
        let (memory_bytes, swap_bytes) = memory::totals(root);
        Self {
            labels: labels(root),
            caches: cache::read(root, &topology),
            nodes: node::read(root),
            dimms: memory::dimms(root),
            kernel: files::text(&root.join("proc/sys/kernel/osrelease")),
            system: system(root),
            topology,
            memory_bytes,
            swap_bytes,
        }
    }
}

fn labels(root: &Path) -> Vec<u8> {
    let sources: [(&str, &[&str]); 3] = [
        ("machine_id", &["etc/machine-id", "var/lib/dbus/machine-id"]),
        (
            "system_uuid",
            // The last is how IBM POWER and ARM machines tell it.
            &[
                "sys/class/dmi/id/product_uuid",
                "proc/device-tree/vm,uuid",
                "proc/device-tree/system-id",
            ],
        ),
        ("boot_id", &["proc/sys/kernel/random/boot_id"]),
    ];
    let mut labels = Vec::new();
    for (name, paths) in sources {
        let value = paths.iter().find_map(|path| files::text(&root.join(path)));
        if let Some(value) = value {
            let first = labels.is_empty();
            push_label(&mut labels, first, name, &value);
        }
    }
    labels
}

fn system(root: &Path) -> Option<String> {
    let release = ["etc/os-release", "usr/lib/os-release"]
        .iter()
        .find_map(|path| fs::read_to_string(root.join(path)).ok())?;
    let name = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim().trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_empty_root_makes_no_fact() {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::read(root.path());
        assert!(machine.labels.is_empty());
        assert!(machine.topology.threads.is_empty());
        assert_eq!(machine.memory_bytes, None);
        assert!(machine.caches.is_empty() && machine.nodes.is_empty() && machine.dimms.is_empty());
    }

    #[test]
    fn labels_and_system_are_read() {
        let root = tempfile::tempdir().unwrap();
        files::tests::write(root.path(), "etc/machine-id", "3d12\n");
        files::tests::write(root.path(), "proc/device-tree/system-id", "uu-id\0");
        files::tests::write(root.path(), "proc/sys/kernel/random/boot_id", "b-1\n");
        files::tests::write(
            root.path(),
            "etc/os-release",
            "ID=x\nPRETTY_NAME=\"An OS 1\"\n",
        );
        let machine = Machine::read(root.path());
        assert_eq!(
            String::from_utf8_lossy(&machine.labels),
            "machine_id=\"3d12\",system_uuid=\"uu-id\",boot_id=\"b-1\""
        );
        assert_eq!(machine.system.as_deref(), Some("An OS 1"));
    }

    #[test]
    fn this_machine_agrees_with_other_sources() {
        let machine = Machine::read(Path::new("/"));
        let cpus = fs::read_to_string("/proc/cpuinfo")
            .unwrap()
            .lines()
            .filter(|line| line.starts_with("processor"))
            .count();
        assert_eq!(machine.topology.threads.len(), cpus);
        let memory_kib = fs::read_to_string("/proc/meminfo")
            .unwrap()
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:"))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|kib| kib.parse::<u64>().ok());
        assert_eq!(machine.memory_bytes, memory_kib.map(|kib| kib * 1024));
    }
}
