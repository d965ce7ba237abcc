//! Memory and swap in total, and the modules that EDAC knows.

use std::collections::BTreeMap;
use std::path::Path;

use procfs::{FromRead, Meminfo};

use super::files::{number, numbered, text};

/// Memory modules of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dimms {
    pub(crate) kind: String,
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

/// `MemTotal` and `SwapTotal`, in bytes.
pub(super) fn totals(root: &Path) -> (Option<u64>, Option<u64>) {
    let meminfo = Meminfo::from_file(root.join("proc/meminfo")).ok();
    let meminfo = meminfo.as_ref();
    (
        meminfo.map(|meminfo| meminfo.mem_total),
        meminfo.map(|meminfo| meminfo.swap_total),
    )
}

/// From `/sys/devices/system/edac/mc`; empty without a driver for this memory controller.
pub(super) fn dimms(root: &Path) -> Vec<Dimms> {
    let controllers = numbered(&root.join("sys/devices/system/edac/mc"), "mc");
    let mut kinds: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (_, dimm) in controllers
        .iter()
        .flat_map(|(_, path)| numbered(path, "dimm"))
    {
        let Some(kind) = text(&dimm.join("dimm_mem_type")) else {
            continue;
        };
        let mib = number(&dimm.join("size")).unwrap_or(0);
        let (count, bytes) = kinds.entry(kind).or_default();
        *count += 1;
        *bytes += mib << 20;
    }
    kinds
        .into_iter()
        .map(|(kind, (count, bytes))| Dimms { kind, count, bytes })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::files::tests::write;
    use super::*;

    #[test]
    fn modules_are_summed_by_type() {
        let root = tempfile::tempdir().unwrap();
        for (dimm, size) in [
            ("mc0/dimm0", "8192"),
            ("mc0/dimm1", "8192"),
            ("mc1/dimm0", "4096"),
        ] {
            let directory = format!("sys/devices/system/edac/mc/{dimm}");
            write(
                root.path(),
                &format!("{directory}/dimm_mem_type"),
                "Registered-DDR5\n",
            );
            write(root.path(), &format!("{directory}/size"), size);
        }
        assert_eq!(
            dimms(root.path()),
            [Dimms {
                kind: "Registered-DDR5".to_owned(),
                count: 3,
                bytes: 20_480 << 20
            }]
        );
    }

    #[test]
    fn totals_are_in_bytes() {
        let root = tempfile::tempdir().unwrap();
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
        write(root.path(), "proc/meminfo", &meminfo);
        let (memory, swap) = totals(root.path());
        assert!(memory.unwrap() > 1 << 20);
        assert!(swap.is_some());
    }
}
