//! Who is in it: entering, listing, killing.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{CgroupError, Cgroups, write};
use crate::cgroup::{HierarchyId, Mode, placement_of};

const PROCS: &str = "cgroup.procs";
/// v1: single threads. One that moves itself waits for nobody, see `maker`.
const TASKS: &str = "tasks";
/// v2, kernel 5.14 and newer: kills all at once, new ones too.
const KILL: &str = "cgroup.kill";

/// A killed process that has to write back gigabytes, or waits for a network file system.
const KILL_PATIENCE: Duration = Duration::from_secs(20);
const SHORTEST_WAIT: Duration = Duration::from_micros(200);
const LONGEST_WAIT: Duration = Duration::from_millis(20);

impl Cgroups {
    /// Moves this process, which has one thread, into it in every hierarchy.
    ///
    /// # Errors
    /// It is not made; or cgroup v2 does not let processes into it, because it hands controllers
    /// down.
    pub fn enter(&self) -> Result<(), CgroupError> {
        self.enter_v1(true)?;
        match self.directory(HierarchyId::V2) {
            Some(directory) => write(directory.join(PROCS), "0"),
            None => Ok(()),
        }
    }

    /// Where a process of it is to be born: its directory in cgroup2, unless `libcontainer` moves it there, which it
    /// does on v2 when it is not kept from it.
    pub(crate) fn birthplace(&self, kept: bool) -> Option<PathBuf> {
        if self.layout.mode() == Mode::Unified && !kept {
            return None;
        }
        self.directory(HierarchyId::V2)
    }

    /// Moves this process, which has one thread, into it on v1: `all` of the hierarchies, or those that
    /// `libcontainer` leaves alone.
    pub(crate) fn enter_v1(&self, all: bool) -> Result<(), CgroupError> {
        self.v1_directories()
            .filter(|(id, _)| all || !self.is_placed_by_runtime(*id))
            .try_for_each(|(_, directory)| write(directory.join(TASKS), "0"))
    }

    /// Moves a process into it wherever it is not in it yet.
    ///
    /// # Errors
    /// The process is gone, or the kernel refuses.
    pub(crate) fn complete(&self, pid: u32) -> Result<(), CgroupError> {
        let own = placement_of(pid).map_err(|source| CgroupError::Read {
            path: format!("/proc/{pid}/cgroup").into(),
            source,
        })?;
        for (id, directory) in self.directories() {
            if own.paths.get(&id) != self.placement.paths.get(&id) {
                write(directory.join(PROCS), &pid.to_string())?;
            }
        }
        Ok(())
    }

    /// All its processes, those of cgroups below it too.
    #[must_use]
    pub fn processes(&self) -> BTreeSet<u32> {
        let mut pids = BTreeSet::new();
        for (_, directory) in self.directories() {
            list(&directory, &mut pids);
        }
        pids
    }

    /// Sends a signal to all its processes.
    pub fn signal(&self, signal: Signal) {
        for pid in self.processes() {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                // It ended by itself.
                let _ = kill_process(pid, signal);
            }
        }
    }

    /// Kills all its processes and waits until none is left, however many they start meanwhile.
    ///
    /// # Errors
    /// Some do not end: they are stuck in the kernel.
    pub fn kill(&self) -> Result<(), CgroupError> {
        if self.processes().is_empty() {
            return Ok(());
        }
        // SIGKILL does not reach what the v1 freezer holds.
        self.thaw_v1();
        let unified = self.directory(HierarchyId::V2);
        let deadline = Instant::now() + KILL_PATIENCE;
        let mut wait = SHORTEST_WAIT;
        loop {
            let at_once = unified
                .as_ref()
                .is_some_and(|directory| write(directory.join(KILL), "1").is_ok());
            let left = self.processes();
            if left.is_empty() {
                return Ok(());
            }
            // On a hybrid host a process may be in only some of the hierarchies.
            if !at_once || wait > SHORTEST_WAIT {
                self.signal(Signal::KILL);
            }
            if Instant::now() > deadline {
                let path = self.directories().next().map(|(_, path)| path);
                return Err(CgroupError::Unkillable {
                    path: path.unwrap_or_default(),
                    pids: left.into_iter().collect(),
                });
            }
            sleep(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}

fn list(directory: &Path, pids: &mut BTreeSet<u32>) {
    let listed = match fs::read_to_string(directory.join(PROCS)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return,
        // Threaded: then its parent lists its processes.
        listed => listed.unwrap_or_default(),
    };
    // 0 stands for a process of a pid namespace that is not below ours.
    pids.extend(
        listed
            .lines()
            .filter_map(|pid| pid.parse::<u32>().ok())
            .filter(|&pid| pid != 0),
    );
    for below in below(directory) {
        list(&below, pids);
    }
}

/// Cgroups directly below; none when it is gone.
pub(super) fn below(directory: &Path) -> Vec<PathBuf> {
    // kernfs counts a directory's own (fs/kernfs/inode.c `kernfs_refresh_inode()`, v6.12).
    if fs::symlink_metadata(directory).is_ok_and(|found| found.nlink() <= 2) {
        return Vec::new();
    }
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => {
            if error.kind() != ErrorKind::NotFound {
                tracing::debug!(directory = %directory.display(), %error, "cgroup not listed");
            }
            return Vec::new();
        }
    };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}
