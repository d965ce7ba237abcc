//! A cgroup of the test's own, in every hierarchy of the host under one path.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procfs::process::Process;

use crate::poll;

/// Controllers the load needs; on v2 they must be there for the root's children.
const NEEDED: [&str; 4] = ["cpu", "cpuacct", "memory", "blkio"];

/// Where each controller is.
pub(crate) struct Hierarchies {
    /// By v1 controller.
    v1: BTreeMap<String, PathBuf>,
    v2: Option<PathBuf>,
}

impl Hierarchies {
    /// From the mount table. `Err`: what a workload of the test could not be given here.
    pub(crate) fn find() -> Result<Self, String> {
        let mounts = Process::myself().and_then(|process| process.mountinfo());
        let mut found = Self {
            v1: BTreeMap::new(),
            v2: None,
        };
        for mount in mounts.map_err(|error| error.to_string())? {
            match mount.fs_type.as_str() {
                "cgroup2" => found.v2 = Some(mount.mount_point),
                "cgroup" => {
                    for controller in mount.super_options.into_keys() {
                        found.v1.insert(controller, mount.mount_point.clone());
                    }
                }
                _ => {}
            }
        }
        let v2 = found
            .v2
            .as_ref()
            .ok_or("no cgroup v2 hierarchy is mounted")?;
        let enabled =
            fs::read_to_string(v2.join("cgroup.subtree_control")).map_err(|e| e.to_string())?;
        for controller in NEEDED {
            let name = match controller {
                "cpuacct" => continue,
                "blkio" => "io",
                other => other,
            };
            if !found.v1.contains_key(controller) && !enabled.split(' ').any(|it| it.trim() == name)
            {
                return Err(format!("no {name} controller for children of the root"));
            }
        }
        Ok(found)
    }
}

/// One cgroup. Its processes are killed and its directories removed when it is dropped.
pub(crate) struct Cgroup {
    /// Name of the container, as its path tells it.
    pub(crate) name: String,
    /// By v1 controller.
    v1: BTreeMap<String, PathBuf>,
    v2: PathBuf,
}

impl Cgroup {
    /// Made in the form that LXC gives its containers: there the path alone tells the name, and no
    /// engine has to be asked.
    pub(crate) fn create(hierarchies: &Hierarchies, role: &str) -> Self {
        let name = name_of(role);
        let below = |root: &PathBuf| root.join(directory_of(&name));
        let v1 = NEEDED.iter().filter_map(|controller| {
            let root = hierarchies.v1.get(*controller)?;
            Some(((*controller).to_owned(), below(root)))
        });
        let cgroup = Self {
            v1: v1.collect(),
            v2: below(hierarchies.v2.as_ref().unwrap()),
            name,
        };
        for dir in cgroup.dirs() {
            fs::create_dir_all(dir).unwrap();
        }
        cgroup
    }

    /// Each directory once; controllers may share one.
    fn dirs(&self) -> Vec<&PathBuf> {
        let mut dirs: Vec<_> = self.v1.values().chain([&self.v2]).collect();
        dirs.sort();
        dirs.dedup();
        dirs
    }

    /// Moves a process in.
    pub(crate) fn add(&self, tgid: u32) {
        for dir in self.dirs() {
            fs::write(dir.join("cgroup.procs"), tgid.to_string()).unwrap();
        }
    }

    /// Bounds CPU time to `percent` of one CPU, in periods of 100 ms.
    pub(crate) fn limit_cpu(&self, percent: u32) {
        let quota_us = percent * 1_000;
        match self.v1.get("cpu") {
            Some(dir) => fs::write(dir.join("cpu.cfs_quota_us"), quota_us.to_string()),
            None => fs::write(self.v2.join("cpu.max"), format!("{quota_us} 100000")),
        }
        .unwrap();
    }

    /// Bounds memory.
    pub(crate) fn limit_memory(&self, bytes: u64) {
        match self.v1.get("memory") {
            Some(dir) => fs::write(dir.join("memory.limit_in_bytes"), bytes.to_string()),
            None => fs::write(self.v2.join("memory.max"), bytes.to_string()),
        }
        .unwrap();
    }

    /// The bound on memory, in bytes; `None`: it has none.
    pub(crate) fn memory_limit(&self) -> Option<u64> {
        let file = match self.v1.get("memory") {
            Some(dir) => dir.join("memory.limit_in_bytes"),
            None => self.v2.join("memory.max"),
        };
        fs::read_to_string(file).unwrap().trim().parse().ok()
    }

    /// Makes the kernel count I/O on a device. Only v1 has to be told: it counts where it throttles, and
    /// it throttles a device from the first limit on (`block/blk-throttle.h blk_should_throtl()`, v6.18).
    /// This limit is too high to be felt.
    pub(crate) fn count_io(&self, device: &str) {
        const BYTES_PER_SECOND: u64 = 1 << 40;
        if let Some(dir) = self.v1.get("blkio") {
            let limit = format!("{device} {BYTES_PER_SECOND}");
            fs::write(dir.join("blkio.throttle.write_bps_device"), limit).unwrap();
        }
    }

    /// CPU time in seconds, as the kernel keeps it.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        if let Some(dir) = self.v1.get("cpuacct") {
            let usage = fs::read_to_string(dir.join("cpuacct.usage")).unwrap();
            return usage.trim().parse::<f64>().unwrap() / 1e9;
        }
        let stat = fs::read_to_string(self.v2.join("cpu.stat")).unwrap();
        let usage = stat.lines().find_map(|it| it.strip_prefix("usage_usec "));
        usage.unwrap().parse::<f64>().unwrap() / 1e6
    }

    fn kill(&self) {
        for dir in self.dirs() {
            let tgids = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
            for tgid in tgids.lines().filter_map(|it| it.parse().ok()) {
                // It may have ended since.
                let _ = kill(Pid::from_raw(tgid), Signal::SIGKILL);
            }
        }
    }
}

/// Where the cgroup for a role will be.
pub(crate) fn path_of(role: &str) -> String {
    format!("/{}", directory_of(&name_of(role)))
}

fn name_of(role: &str) -> String {
    format!("plimsoll-{role}-{}", std::process::id())
}

fn directory_of(name: &str) -> String {
    format!("lxc.payload.{name}")
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for dir in self.dirs() {
            let removed = poll::until(Duration::from_secs(10), || {
                self.kill();
                fs::remove_dir(dir).map_err(|error| error.to_string())
            });
            if let Err(reason) = removed {
                println!("{} stays behind: {reason}", dir.display());
            }
        }
    }
}
