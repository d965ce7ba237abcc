//! NUMA nodes.

use std::path::Path;

use super::files::{number, numbered, text};

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: u64,
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) huge_pages: Vec<HugePages>,
    /// To each node, this one included, in the firmware's measure (10 is local).
    pub(crate) distances: Vec<(u64, u64)>,
}

/// The pool of one page size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HugePages {
    pub(crate) page_kib: u64,
    pub(crate) count: u64,
}

/// From `/sys/devices/system/node`; empty on a kernel without NUMA.
pub(super) fn read(root: &Path) -> Vec<Node> {
    let nodes = numbered(&root.join("sys/devices/system/node"), "node");
    let ids: Vec<u64> = nodes.iter().map(|(id, _)| *id).collect();
    nodes
        .iter()
        .map(|(id, path)| Node {
            id: *id,
            memory_bytes: memory(path),
            huge_pages: huge_pages(path),
            distances: distances(path, &ids),
        })
        .collect()
}

/// The file is `/proc/meminfo` with `Node N ` before each line.
fn memory(path: &Path) -> Option<u64> {
    let content = text(&path.join("meminfo"))?;
    let line = content.lines().find(|line| line.contains("MemTotal:"))?;
    let total = line.get(line.find("MemTotal:")?..)?;
    let kib: u64 = total.split_whitespace().nth(1)?.parse().ok()?;
    kib.checked_mul(1024)
}

fn huge_pages(path: &Path) -> Vec<HugePages> {
    let pool = |(name, path): (String, std::path::PathBuf)| {
        let page_kib = name
            .strip_prefix("hugepages-")?
            .strip_suffix("kB")?
            .parse()
            .ok()?;
        let count = number(&path.join("nr_hugepages"))?;
        Some(HugePages { page_kib, count })
    };
    let entries = std::fs::read_dir(path.join("hugepages"));
    let mut pools: Vec<HugePages> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            pool((entry.file_name().into_string().ok()?, entry.path()))
        })
        .collect();
    pools.sort_unstable_by_key(|pool| pool.page_kib);
    pools
}

/// One number for each online node, in their order.
fn distances(path: &Path, ids: &[u64]) -> Vec<(u64, u64)> {
    let content = text(&path.join("distance")).unwrap_or_default();
    let distances = content
        .split_whitespace()
        .map_while(|word| word.parse().ok());
    ids.iter().copied().zip(distances).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::files::tests::write;
    use super::*;

    #[test]
    fn two_nodes() {
        let root = tempfile::tempdir().unwrap();
        for (node, distance) in [(0, "10 21\n"), (1, "21 10\n")] {
            let directory = format!("sys/devices/system/node/node{node}");
            let meminfo =
                format!("Node {node} MemTotal:       1000 kB\nNode {node} MemFree: 1 kB\n");
            write(root.path(), &format!("{directory}/meminfo"), &meminfo);
            write(root.path(), &format!("{directory}/distance"), distance);
            for (pool, count) in [("1048576kB", "0"), ("2048kB", "12")] {
                let file = format!("{directory}/hugepages/hugepages-{pool}/nr_hugepages");
                write(root.path(), &file, count);
            }
        }
        let nodes = read(root.path());
        assert_eq!(nodes.len(), 2);
        let second = nodes.last().unwrap();
        assert_eq!(second.memory_bytes, Some(1_024_000));
        assert_eq!(second.distances, [(0, 21), (1, 10)]);
        assert_eq!(
            second.huge_pages,
            [
                HugePages {
                    page_kib: 2_048,
                    count: 12
                },
                HugePages {
                    page_kib: 1_048_576,
                    count: 0
                }
            ]
        );
    }
}
