//! [`Control`] over made-up trees: plain files in the kernel's layout.
#![allow(clippy::unwrap_used)]

mod exact;
mod refusals;
mod route;

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::cgroup::{Controller, Hierarchy, HierarchyId, Layout, Placement};

/// The workload's path in every hierarchy.
const PATH: &str = "/slice/w";

const V1: [(u32, Controller, &str); 6] = [
    (1, Controller::Cpu, "cpu"),
    (2, Controller::Cpuset, "cpuset"),
    (3, Controller::Memory, "memory"),
    (4, Controller::Io, "blkio"),
    (5, Controller::Pids, "pids"),
    (7, Controller::Freezer, "freezer"),
];

const V2_FILES: [(&str, &str); 19] = [
    ("cgroup.procs", ""),
    ("cgroup.freeze", "0"),
    ("cgroup.events", "populated 0\nfrozen 0"),
    ("cpu.max", "max 100000"),
    ("cpu.max.burst", "0"),
    ("cpu.weight", "100"),
    ("cpu.idle", "0"),
    ("cpuset.cpus", ""),
    ("cpuset.mems", ""),
    ("memory.current", "0"),
    ("memory.max", "max"),
    ("memory.high", "max"),
    ("memory.low", "0"),
    ("memory.min", "0"),
    ("memory.swap.max", "max"),
    ("memory.oom.group", "0"),
    ("pids.max", "max"),
    ("io.max", ""),
    ("io.weight", "default 100"),
];

const UNLIMITED: &str = "9223372036854771712";

const V1_FILES: [(&str, &str, &str); 18] = [
    ("cpu", "cpu.cfs_quota_us", "-1"),
    ("cpu", "cpu.cfs_period_us", "100000"),
    ("cpu", "cpu.cfs_burst_us", "0"),
    ("cpu", "cpu.shares", "1024"),
    ("cpu", "cpu.idle", "0"),
    ("cpuset", "cpuset.cpus", "0-3"),
    ("cpuset", "cpuset.mems", "0"),
    ("memory", "memory.usage_in_bytes", "0"),
    ("memory", "memory.limit_in_bytes", UNLIMITED),
    ("memory", "memory.memsw.limit_in_bytes", UNLIMITED),
    ("blkio", "blkio.throttle.read_bps_device", ""),
    ("blkio", "blkio.throttle.write_bps_device", ""),
    ("blkio", "blkio.throttle.read_iops_device", ""),
    ("blkio", "blkio.throttle.write_iops_device", ""),
    ("blkio", "blkio.bfq.weight", "100"),
    ("pids", "pids.max", "max"),
    ("freezer", "freezer.state", "THAWED"),
    ("freezer", "freezer.self_freezing", "0"),
];

/// A made-up cgroup file system.
struct Tree {
    root: tempfile::TempDir,
    hierarchies: Vec<Hierarchy>,
    placement: Placement,
}

impl Tree {
    /// Everything on v2.
    fn v2() -> Self {
        let controllers = V1.map(|(_, controller, _)| controller);
        let controllers = controllers
            .into_iter()
            .filter(|c| *c != Controller::Freezer);
        let mut tree = Self::empty();
        tree.add(HierarchyId::V2, "unified", controllers.collect());
        for (file, text) in V2_FILES {
            tree.put("unified", file, text);
        }
        let all = "cpuset cpu io memory pids";
        fs::write(tree.root.path().join("unified/cgroup.subtree_control"), all).unwrap();
        let slice = tree.root.path().join("unified/slice");
        fs::write(slice.join("cgroup.subtree_control"), all).unwrap();
        tree
    }

    /// Each controller in a hierarchy of its own.
    fn v1() -> Self {
        let mut tree = Self::empty();
        for (id, controller, name) in V1 {
            tree.add(HierarchyId(id), name, vec![controller]);
            tree.put(name, "cgroup.procs", "");
        }
        for (name, file, text) in V1_FILES {
            tree.put(name, file, text);
        }
        tree
    }

    /// Controllers on v1, and v2 without any.
    fn hybrid() -> Self {
        let mut tree = Self::v1();
        tree.add(HierarchyId::V2, "unified", Vec::new());
        for (file, text) in V2_FILES
            .iter()
            .filter(|(file, _)| file.starts_with("cgroup."))
        {
            tree.put("unified", file, text);
        }
        tree
    }

    fn empty() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            hierarchies: Vec::new(),
            placement: Placement::default(),
        }
    }

    fn add(&mut self, id: HierarchyId, name: &str, controllers: Vec<Controller>) {
        let mount = self.root.path().join(name);
        fs::create_dir_all(mount.join(&PATH[1..])).unwrap();
        self.hierarchies.push(Hierarchy {
            id,
            mount,
            root: "/".to_owned(),
            controllers,
            name: None,
        });
        self.placement.paths.insert(id, PATH.to_owned());
    }

    fn layout(&self) -> Layout {
        Layout::from_hierarchies(self.hierarchies.clone())
    }

    fn control(&self) -> Control {
        Control::open(&self.layout(), &self.placement)
    }

    fn file(&self, hierarchy: &str, file: &str) -> PathBuf {
        self.root.path().join(hierarchy).join(&PATH[1..]).join(file)
    }

    fn put(&self, hierarchy: &str, file: &str, text: &str) {
        fs::write(self.file(hierarchy, file), text).unwrap();
    }

    fn text(&self, hierarchy: &str, file: &str) -> String {
        fs::read_to_string(self.file(hierarchy, file)).unwrap()
    }
}
