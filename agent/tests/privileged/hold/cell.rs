//! A workload of a test's own with every controller there is, and its control files by their v2
//! names, whichever version carries them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Child;

use crate::support::own_cgroup::{V2, mount_of, mounted};
use crate::support::{OwnCgroup, skip};

/// v1's "no limit" is the largest number of whole pages.
const UNLIMITED: u64 = 1 << 62;

pub(super) struct Cell {
    own: OwnCgroup,
}

impl Cell {
    /// `None`, and the test is skipped, where cpu, memory, pids or the freezer are on no hierarchy.
    pub(super) fn make(test: &str) -> Option<Self> {
        let wanted = Self::hierarchies(test)?;
        let own = OwnCgroup::make(test, &wanted)?;
        Some(Self { own })
    }

    /// One that is CRI-O's, with its id: what else CRI-O says of it is on the disk.
    pub(super) fn make_container(test: &str) -> Option<(Self, String)> {
        Self::make_called(test, "crio-")
    }

    /// One whose name begins so, with the rest of its name.
    pub(super) fn make_called(test: &str, prefix: &str) -> Option<(Self, String)> {
        let wanted = Self::hierarchies(test)?;
        let (own, id) = OwnCgroup::make_container(test, prefix, &wanted)?;
        Some((Self { own }, id))
    }

    fn hierarchies(test: &str) -> Option<Vec<&'static str>> {
        for controller in ["cpu", "memory", "pids"] {
            if mount_of(controller).is_none() && !on_v2(controller) {
                skip(
                    test,
                    &format!("no hierarchy carries the {controller} controller"),
                );
                return None;
            }
        }
        Some(mounted(&[
            "cpu", "cpuacct", "memory", "pids", "freezer", "blkio", V2,
        ]))
    }

    pub(super) fn path(&self) -> String {
        self.own.path()
    }

    pub(super) fn spawn(&mut self, program: &str, arguments: &[&str]) -> &mut Child {
        self.own.spawn(program, arguments)
    }

    /// Quota in microseconds a period of 100 ms; `None`: unlimited.
    pub(super) fn cpu_quota(&self) -> Option<u64> {
        if mount_of("cpu").is_some() {
            return self.text("cpu", "cpu.cfs_quota_us").parse().ok();
        }
        let text = self.text(V2, "cpu.max");
        text.split(' ').next().unwrap().parse().ok()
    }

    /// Quota and burst in microseconds a period of 100 ms, as another program would.
    pub(super) fn set_cpu(&self, quota_us: u64, burst_us: u64) {
        let (hierarchy, quota, burst) = if mount_of("cpu").is_some() {
            ("cpu", "cpu.cfs_quota_us", "cpu.cfs_burst_us")
        } else {
            (V2, "cpu.max", "cpu.max.burst")
        };
        self.own.write(hierarchy, quota, &quota_us.to_string());
        self.own.write(hierarchy, burst, &burst_us.to_string());
    }

    /// Microseconds.
    pub(super) fn cpu_burst(&self) -> u64 {
        let text = if mount_of("cpu").is_some() {
            self.text("cpu", "cpu.cfs_burst_us")
        } else {
            self.text(V2, "cpu.max.burst")
        };
        text.parse().unwrap()
    }

    /// `None`: unlimited.
    pub(super) fn memory_max(&self) -> Option<u64> {
        let text = if mount_of("memory").is_some() {
            self.text("memory", "memory.limit_in_bytes")
        } else {
            self.text(V2, "memory.max")
        };
        text.parse().ok().filter(|bytes| *bytes < UNLIMITED)
    }

    /// Sets it as another program would.
    pub(super) fn set_memory_max(&self, bytes: u64) {
        let (hierarchy, file) = if mount_of("memory").is_some() {
            ("memory", "memory.limit_in_bytes")
        } else {
            (V2, "memory.max")
        };
        self.own.write(hierarchy, file, &bytes.to_string());
    }

    pub(super) fn memory_usage(&self) -> u64 {
        let text = if mount_of("memory").is_some() {
            self.text("memory", "memory.usage_in_bytes")
        } else {
            self.text(V2, "memory.current")
        };
        text.parse().unwrap()
    }

    /// `None`: unlimited.
    pub(super) fn pids_max(&self) -> Option<u64> {
        let hierarchy = if mount_of("pids").is_some() {
            "pids"
        } else {
            V2
        };
        self.text(hierarchy, "pids.max").parse().ok()
    }

    /// Disks whose writes are capped, each as `8:0 1048576`.
    pub(super) fn write_caps(&self) -> Vec<String> {
        if mount_of("blkio").is_some() {
            let text = self.text("blkio", "blkio.throttle.write_bps_device");
            return text.lines().map(str::to_owned).collect();
        }
        let text = self.text(V2, "io.max");
        let capped = text.lines().filter_map(|line| {
            let (disk, caps) = line.split_once(' ')?;
            let rate = caps.split(' ').find_map(|cap| cap.strip_prefix("wbps="))?;
            (rate != "max").then(|| format!("{disk} {rate}"))
        });
        capped.collect()
    }

    /// By v1's freezer or v2's.
    pub(super) fn is_frozen(&self) -> bool {
        let v1 = mount_of("freezer").is_some() && self.text("freezer", "freezer.state") != "THAWED";
        let v2 = mount_of(V2).is_some()
            && self
                .text(V2, "cgroup.events")
                .lines()
                .any(|line| line == "frozen 1");
        v1 || v2
    }

    /// Its processes.
    pub(super) fn processes(&self) -> Vec<u32> {
        let hierarchy = if mount_of("pids").is_some() {
            "pids"
        } else {
            V2
        };
        let text = self.own.read(hierarchy, "cgroup.procs");
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    pub(super) fn into_own(self) -> OwnCgroup {
        self.own
    }

    /// Share of the CPU, in v2's unit where the controller is there, else in v1's.
    pub(super) fn cpu_weight(&self) -> u64 {
        let text = if mount_of("cpu").is_some() {
            self.text("cpu", "cpu.shares")
        } else {
            self.text(V2, "cpu.weight")
        };
        text.parse().unwrap()
    }

    /// Time in which some task of it waited for memory, by cgroup v2.
    pub(super) fn memory_pressure_us(&self) -> u64 {
        let text = self.text(V2, "memory.pressure");
        let some = text.lines().next().unwrap();
        some.rsplit_once("total=").unwrap().1.parse().unwrap()
    }

    /// Processes of it that the OOM killer took.
    pub(super) fn oom_kills(&self) -> u64 {
        if mount_of("memory").is_some() {
            self.own.field("memory", "memory.oom_control", "oom_kill")
        } else {
            self.own.field(V2, "memory.events", "oom_kill")
        }
    }

    /// Bytes written to a disk so far, as the kernel counts them on its account.
    pub(super) fn written(&self, disk: &str) -> u64 {
        let (hierarchy, file, key) = if mount_of("blkio").is_some() {
            ("blkio", "blkio.throttle.io_service_bytes", "Write ")
        } else {
            (V2, "io.stat", "wbytes=")
        };
        let text = self.text(hierarchy, file);
        let of_disk = text.lines().filter_map(|line| line.strip_prefix(disk));
        let numbers = of_disk.filter_map(|line| line.split_once(key)?.1.split(' ').next());
        numbers.map(|number| number.parse::<u64>().unwrap()).sum()
    }

    fn text(&self, hierarchy: &str, file: &str) -> String {
        self.own.read(hierarchy, file).trim_end().to_owned()
    }
}

fn on_v2(controller: &str) -> bool {
    let list = mount_of(V2).map(|mount| mount.join("cgroup.subtree_control"));
    let list = list.and_then(|path| std::fs::read_to_string(path).ok());
    list.is_some_and(|list| list.split_whitespace().any(|one| one == controller))
}
