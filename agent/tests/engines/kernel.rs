//! The oracle: a container's cgroup files, read by hand, v1's where that controller is on v1.

use std::fs;
use std::path::{Path, PathBuf};

/// The cgroups of one container.
pub(crate) struct Cgroup {
    cgroups: Vec<(String, String)>,
}

impl Cgroup {
    /// Those that process `pid` is in.
    pub(crate) fn of(pid: &str) -> Self {
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let line = |line: &str| {
            let mut parts = line.splitn(3, ':').skip(1);
            Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
        };
        Self {
            cgroups: text.lines().filter_map(line).collect(),
        }
    }

    /// Its directory for a controller, and whether that is v1's.
    fn directory(&self, controller: &str) -> (PathBuf, bool) {
        let v1 = Path::new("/sys/fs/cgroup").join(controller);
        let find = |name: &str| {
            let named = |names: &str| names.split(',').any(|one| one == name);
            let (_, path) = self.cgroups.iter().find(|(names, _)| named(names)).unwrap();
            path.trim_start_matches('/').to_owned()
        };
        if v1.is_dir() {
            return (v1.join(find(controller)), true);
        }
        (Path::new("/sys/fs/cgroup").join(find("")), false)
    }

    fn number(&self, controller: &str, v1: &str, v2: &str) -> u64 {
        let (directory, on_v1) = self.directory(controller);
        let path = directory.join(if on_v1 { v1 } else { v2 });
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        text.trim().parse().unwrap()
    }

    fn field(&self, controller: &str, file: &str, v1: &str, v2: &str) -> u64 {
        let (directory, on_v1) = self.directory(controller);
        let name = if on_v1 { v1 } else { v2 };
        let text = fs::read_to_string(directory.join(file)).unwrap();
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let value = lines.find_map(|(field, value)| (field == name).then_some(value));
        value.unwrap().parse().unwrap()
    }

    pub(crate) fn cpu_seconds(&self) -> f64 {
        if self.directory("cpuacct").1 {
            return self.number("cpuacct", "cpuacct.usage", "") as f64 / 1e9;
        }
        self.field("cpu", "cpu.stat", "", "usage_usec") as f64 / 1e6
    }

    /// Periods, throttled periods, throttled seconds.
    pub(crate) fn throttling(&self) -> [f64; 3] {
        let field = |v1, v2| self.field("cpu", "cpu.stat", v1, v2) as f64;
        let unit = if self.directory("cpu").1 { 1e9 } else { 1e6 };
        let time = field("throttled_time", "throttled_usec") / unit;
        [
            field("nr_periods", "nr_periods"),
            field("nr_throttled", "nr_throttled"),
            time,
        ]
    }

    pub(crate) fn memory_bytes(&self) -> f64 {
        self.number("memory", "memory.usage_in_bytes", "memory.current") as f64
    }

    pub(crate) fn inactive_file_bytes(&self) -> f64 {
        let name = ["total_inactive_file", "inactive_file"];
        self.field("memory", "memory.stat", name[0], name[1]) as f64
    }

    pub(crate) fn anonymous_bytes(&self) -> f64 {
        self.field("memory", "memory.stat", "total_rss", "anon") as f64
    }

    pub(crate) fn tasks(&self) -> f64 {
        self.number("pids", "pids.current", "pids.current") as f64
    }
}
