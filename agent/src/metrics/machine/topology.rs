//! Which hardware threads there are, and which core, package and NUMA node each is on.

use std::collections::BTreeSet;
use std::path::Path;

use super::files::{number, numbered};

/// One online logical CPU. A machine that does not tell a place has 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Thread {
    pub(crate) cpu: u64,
    pub(crate) node: u64,
    pub(crate) package: u64,
    /// Unique in its package only.
    pub(crate) core: u64,
    /// s390 only.
    pub(crate) book: Option<u64>,
    /// s390 only.
    pub(crate) drawer: Option<u64>,
}

/// All online CPUs, by number.
#[derive(Debug, Default)]
pub(crate) struct Topology {
    pub(crate) threads: Vec<Thread>,
}

impl Topology {
    /// From `/sys/devices/system/cpu/cpuN/topology`, which an offline CPU does not have.
    pub(super) fn read(root: &Path) -> Self {
        let cpus = numbered(&root.join("sys/devices/system/cpu"), "cpu");
        let threads = cpus
            .into_iter()
            .filter_map(|(cpu, path)| {
                let topology = path.join("topology");
                topology.is_dir().then(|| Thread {
                    cpu,
                    node: numbered(&path, "node").first().map_or(0, |(node, _)| *node),
                    package: number(&topology.join("physical_package_id")).unwrap_or(0),
                    core: number(&topology.join("core_id")).unwrap_or(0),
                    book: number(&topology.join("book_id")),
                    drawer: number(&topology.join("drawer_id")),
                })
            })
            .collect();
        Self { threads }
    }

    /// Distinct values of `of`; `None` when no thread has one.
    pub(crate) fn count<T: Ord>(&self, of: impl Fn(&Thread) -> Option<T>) -> Option<u64> {
        let distinct: BTreeSet<T> = self.threads.iter().filter_map(of).collect();
        (!distinct.is_empty()).then_some(distinct.len() as u64)
    }

    /// Threads of the same core, this one included.
    pub(crate) fn siblings(&self, thread: &Thread) -> u64 {
        let core = |other: &Thread| (other.package, other.core);
        let same = self
            .threads
            .iter()
            .filter(|other| core(other) == core(thread));
        same.count() as u64
    }

    /// The CPU of this number.
    pub(super) fn thread(&self, cpu: u64) -> Option<&Thread> {
        self.threads.iter().find(|thread| thread.cpu == cpu)
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::files::tests::write;
    use super::*;

    /// Two packages of two cores of two threads, one node each; the last CPU is offline.
    pub(in crate::metrics::machine) fn two_packages(root: &Path) {
        for cpu in 0..8 {
            let directory = format!("sys/devices/system/cpu/cpu{cpu}");
            write(root, &format!("{directory}/uevent"), "");
            if cpu == 7 {
                continue;
            }
            let package = cpu / 4;
            let core = cpu / 2 % 2;
            write(
                root,
                &format!("{directory}/topology/physical_package_id"),
                &format!("{package}\n"),
            );
            write(
                root,
                &format!("{directory}/topology/core_id"),
                &format!("{core}\n"),
            );
            write(root, &format!("{directory}/node{package}/cpulist"), "");
        }
    }

    #[test]
    fn packages_cores_and_threads() {
        let root = tempfile::tempdir().unwrap();
        two_packages(root.path());
        let topology = Topology::read(root.path());
        assert_eq!(topology.threads.len(), 7);
        assert_eq!(topology.count(|thread| Some(thread.package)), Some(2));
        assert_eq!(
            topology.count(|thread| Some((thread.package, thread.core))),
            Some(4)
        );
        assert_eq!(topology.count(|thread| thread.book), None);
        let siblings = |cpu| topology.siblings(topology.thread(cpu).unwrap());
        assert_eq!((siblings(0), siblings(6)), (2, 1));
        assert_eq!(topology.thread(5).unwrap().node, 1);
    }
}
