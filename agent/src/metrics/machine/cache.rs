//! CPU caches.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::files::{list, number, numbered, text};
use super::topology::Topology;

/// A cache as `machine_cpu_cache_capacity_bytes` tells it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cache {
    pub(crate) node: u64,
    /// `None`: shared by several cores of the node.
    pub(crate) core: Option<u64>,
    pub(crate) level: u64,
    /// `Data`, `Instruction` or `Unified`.
    pub(crate) kind: String,
    pub(crate) bytes: u64,
}

/// What the labels can tell apart.
type Key = (u64, Option<u64>, u64, String);

/// Caches by node, core, level and type. The labels (cAdvisor's) tell neither two caches that cores
/// of one node share apart, whose sizes are summed, nor equal core numbers of two packages on one
/// node, of which the first stays.
pub(super) fn read(root: &Path, topology: &Topology) -> Vec<Cache> {
    let mut seen = BTreeSet::new();
    let mut caches: BTreeMap<Key, u64> = BTreeMap::new();
    for thread in &topology.threads {
        let cpu = root.join(format!("sys/devices/system/cpu/cpu{}/cache", thread.cpu));
        for (_, index) in numbered(&cpu, "index") {
            let Some((level, kind, bytes)) = describe(&index) else {
                continue;
            };
            let shared = text(&index.join("shared_cpu_list")).unwrap_or_default();
            let within_core = list(&shared)
                .iter()
                .filter_map(|&cpu| topology.thread(cpu))
                .all(|other| (other.package, other.core) == (thread.package, thread.core));
            let core = within_core.then_some(thread.core);
            if !seen.insert((thread.node, level, kind.clone(), shared)) {
                continue;
            }
            let total = caches.entry((thread.node, core, level, kind)).or_insert(0);
            if core.is_none() || *total == 0 {
                *total += bytes;
            }
        }
    }
    caches
        .into_iter()
        .map(|((node, core, level, kind), bytes)| Cache {
            node,
            core,
            level,
            kind,
            bytes,
        })
        .collect()
}

fn describe(index: &Path) -> Option<(u64, String, u64)> {
    let level = number(&index.join("level"))?;
    let kind = text(&index.join("type"))?;
    Some((level, kind, size(&text(&index.join("size"))?)?))
}

/// A size as `48K` or `32M`.
fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    let unit = match text.strip_prefix(digits)? {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::files::tests::write;
    use super::super::topology::tests::two_packages;
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("48K"), Some(49_152));
        assert_eq!(size("32M"), Some(32 << 20));
        assert_eq!(size("512"), Some(512));
        assert_eq!(size("12X"), None);
        assert_eq!(size(""), None);
    }

    #[test]
    fn own_and_shared_caches() {
        let root = tempfile::tempdir().unwrap();
        two_packages(root.path());
        for cpu in 0..4 {
            let pair = if cpu < 2 { "0-1" } else { "2-3" };
            for (index, level, kind, size, shared) in [
                (0, "1", "Data", "32K", pair),
                (1, "3", "Unified", "8M", "0-3"),
            ] {
                let directory = format!("sys/devices/system/cpu/cpu{cpu}/cache/index{index}");
                for (file, content) in [
                    ("level", level),
                    ("type", kind),
                    ("size", size),
                    ("shared_cpu_list", shared),
                ] {
                    write(root.path(), &format!("{directory}/{file}"), content);
                }
            }
        }
        let caches = read(root.path(), &Topology::read(root.path()));
        let told: Vec<_> = caches
            .iter()
            .map(|cache| (cache.node, cache.core, cache.level, cache.bytes))
            .collect();
        assert_eq!(
            told,
            [
                (0, None, 3, 8 << 20),
                (0, Some(0), 1, 32 << 10),
                (0, Some(1), 1, 32 << 10)
            ]
        );
    }
}
