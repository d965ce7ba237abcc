//! Cgroups of the bench's own, in every hierarchy as an engine makes them; removed on drop.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

const PREFIX: &str = "plimsoll-bench-";
/// How long the kernel may take to let go of a cgroup whose processes were killed.
const EMPTY: Duration = Duration::from_secs(10);

/// Where a hierarchy is mounted, and what it is.
struct Mount {
    path: PathBuf,
    is_v2: bool,
}

/// A parent in every hierarchy, with the workloads' cgroups below.
pub(crate) struct Cgroups {
    /// The parent in each hierarchy.
    tops: Vec<PathBuf>,
    v2: Option<PathBuf>,
    made: usize,
}

impl Cgroups {
    /// Makes the parents, after removing what a killed run left behind.
    pub(crate) fn new() -> Result<Self> {
        let mut cgroups = Self {
            tops: Vec::new(),
            v2: None,
            made: 0,
        };
        for mount in mounts()? {
            remove_leftovers(&mount.path);
            let top = mount.path.join(format!("{PREFIX}{}", std::process::id()));
            make(&top)?;
            cgroups.tops.push(top.clone());
            if mount.is_v2 {
                enable_all(&top);
                cgroups.v2 = Some(top);
            } else {
                inherit_cpuset(&mount.path, &top);
            }
        }
        Ok(cgroups)
    }

    /// Makes or removes workloads' cgroups until there are `count`.
    pub(crate) fn resize(&mut self, count: usize) -> Result<()> {
        while self.made < count {
            for top in &self.tops {
                make(&top.join(name(self.made)))?;
            }
            self.made += 1;
        }
        while self.made > count {
            self.made -= 1;
            for top in &self.tops {
                remove(&top.join(name(self.made)));
            }
        }
        Ok(())
    }

    /// Puts a process into workload `n`, in every hierarchy.
    pub(crate) fn put(&self, n: usize, pid: u32) -> Result<()> {
        for top in &self.tops {
            let procs = top.join(name(n)).join("cgroup.procs");
            fs::write(&procs, pid.to_string())
                .with_context(|| format!("cannot write {pid} to {}", procs.display()))?;
        }
        Ok(())
    }

    /// Runs `work` on a cgroup that may have 16 MiB of memory, where there is a memory controller.
    pub(crate) fn with_little_memory(&self, work: impl Fn(&Path) -> Result<()>) -> Result<()> {
        let limits = ["memory.limit_in_bytes", "memory.max"];
        for top in &self.tops {
            let place = top.join("little-memory");
            make(&place)?;
            let limited = limits
                .iter()
                .any(|file| fs::write(place.join(file), "16777216").is_ok());
            let outcome = limited.then(|| work(&place));
            remove(&place);
            if let Some(outcome) = outcome {
                return outcome;
            }
        }
        Ok(())
    }

    /// Where the controller of workload `n` is: its v1 hierarchy, else v2.
    pub(crate) fn of(&self, controller: &str, n: usize) -> Option<PathBuf> {
        let top = self.v1(controller).or(self.v2())?;
        Some(top.join(name(n)))
    }

    /// Workload `n` as the agent names it.
    pub(crate) fn path(n: usize) -> String {
        format!("/{PREFIX}{}/{}", std::process::id(), name(n))
    }

    /// A pattern for all of them, as policies have it.
    pub(crate) fn pattern() -> String {
        format!("/{PREFIX}{}/*", std::process::id())
    }

    pub(crate) fn hierarchies(&self) -> usize {
        self.tops.len()
    }

    /// The parent in v2.
    pub(crate) fn v2(&self) -> Option<&Path> {
        self.v2.as_deref()
    }

    /// The parent in the v1 hierarchy whose mount point ends in `/controller`.
    pub(crate) fn v1(&self, controller: &str) -> Option<&Path> {
        let holds = |top: &&PathBuf| {
            top.parent()
                .is_some_and(|mount| mount.ends_with(controller))
        };
        self.tops.iter().find(holds).map(PathBuf::as_path)
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for top in &self.tops {
            remove(top);
        }
    }
}

fn name(n: usize) -> String {
    format!("w{n:04}")
}

fn make(path: &Path) -> Result<()> {
    fs::create_dir(path).with_context(|| format!("cannot make {}", path.display()))
}

/// Removes a cgroup and all below it. Dying processes keep a cgroup for a moment.
pub(crate) fn remove(path: &Path) {
    for child in children(path) {
        remove(&child);
    }
    let end = Instant::now() + EMPTY;
    while let Err(error) = fs::remove_dir(path) {
        if error.kind() == std::io::ErrorKind::NotFound {
            return;
        }
        if Instant::now() >= end {
            println!("bench: cannot remove {}: {error}", path.display());
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn children(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}

/// Those of runs whose process is gone.
fn remove_leftovers(mount: &Path) {
    for path in children(mount) {
        let owner = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_prefix(PREFIX));
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            remove(&path);
        }
    }
}

/// v2 gives children only the controllers that the parent enables.
fn enable_all(top: &Path) {
    let available = fs::read_to_string(top.join("cgroup.controllers")).unwrap_or_default();
    for controller in available.split_whitespace() {
        // One that cannot be enabled is one the host keeps to itself.
        let _ = fs::write(top.join("cgroup.subtree_control"), format!("+{controller}"));
    }
}

/// v1's cpuset takes no process before its CPUs and memory nodes are set.
fn inherit_cpuset(mount: &Path, top: &Path) {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if let Ok(value) = fs::read_to_string(mount.join(file)) {
            // Tells in `put`, should it fail.
            let _ = fs::write(top.join(file), value);
        }
    }
    if top.join("cpuset.cpus").exists() {
        let _ = fs::write(top.join("cgroup.clone_children"), "1");
    }
}

/// Every cgroup hierarchy that is mounted, once.
fn mounts() -> Result<Vec<Mount>> {
    let table = fs::read_to_string("/proc/self/mountinfo").context("no mount table")?;
    let mut seen = Vec::new();
    let mut mounts = Vec::new();
    for line in table.lines() {
        // man 5 proc_pid_mountinfo: id parent major:minor root mount options… - type source …
        let Some((head, tail)) = line.split_once(" - ") else {
            continue;
        };
        let fields: Vec<_> = head.split(' ').collect();
        let (Some(device), Some(path)) = (fields.get(2), fields.get(4)) else {
            continue;
        };
        let is_v2 = tail.starts_with("cgroup2 ");
        if (is_v2 || tail.starts_with("cgroup ")) && !seen.contains(device) {
            seen.push(device);
            mounts.push(Mount {
                path: PathBuf::from(path),
                is_v2,
            });
        }
    }
    Ok(mounts)
}
