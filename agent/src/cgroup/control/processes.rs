//! The processes of a workload, by number.

use std::fs;
use std::io;
use std::path::Path;

use procfs::process::Process;

use super::site::Site;
use super::{Control, ControlError, NotEnforceable};
use crate::cgroup::{Controller, HierarchyId, placement_of};

impl Control {
    /// Processes in the workload's cgroup, those of cgroups below too if wanted; sorted. Those that
    /// this PID namespace does not show are left out.
    ///
    /// A process sits in a cgroup of each hierarchy. Those of one hierarchy are the workload's: of
    /// v2 where it has processes there, else of the first v1 one that has.
    ///
    /// # Errors
    /// No cgroup of its own, or gone.
    pub fn processes(&self, recursive: bool) -> Result<Vec<u32>, ControlError> {
        listed(self.home()?, recursive)
    }

    /// The process that uses most memory, resident and swapped out.
    ///
    /// # Errors
    /// As [`processes`](Self::processes).
    pub fn largest_process(&self) -> Result<Option<u32>, ControlError> {
        let memory = |pid: u32| {
            let status = process(pid)?.status().ok()?;
            let kib = status.vmrss? + status.vmswap.unwrap_or(0);
            Some((kib, pid))
        };
        let all = self.processes(true)?;
        Ok(all.into_iter().filter_map(memory).max().map(|(_, pid)| pid))
    }

    /// The process that started first: a container's init.
    ///
    /// # Errors
    /// As [`processes`](Self::processes).
    pub fn main_process(&self) -> Result<Option<u32>, ControlError> {
        let age = |pid: u32| Some((process(pid)?.stat().ok()?.starttime, pid));
        let all = self.processes(true)?;
        Ok(all.into_iter().filter_map(age).min().map(|(_, pid)| pid))
    }

    /// The cgroup that says which processes are the workload's.
    pub(super) fn home(&self) -> Result<&Site, ControlError> {
        let freezer = self.routes.to(Controller::Freezer, "cgroup.procs").ok();
        let sites = self.routes.unified().into_iter().chain(freezer);
        let sites: Vec<_> = sites.chain(self.routes.sites()).collect();
        for site in &sites {
            if !listed(site, true)?.is_empty() {
                return Ok(site);
            }
        }
        sites.first().copied().ok_or_else(|| {
            NotEnforceable {
                what: "cgroup.procs",
                reason: "the workload has no cgroup of its own".to_owned(),
            }
            .into()
        })
    }
}

fn process(pid: u32) -> Option<Process> {
    Process::new(i32::try_from(pid).ok()?).ok()
}

/// Sorted, each once.
pub(super) fn listed(site: &Site, recursive: bool) -> Result<Vec<u32>, ControlError> {
    // By the pinned directory first: the others are found by path.
    let mut found = parse(&site.read("cgroup.procs").or_else(threaded)?);
    if recursive {
        for directory in site.below() {
            // Gone meanwhile, or threaded.
            let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
            found.extend(parse(&text));
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// A threaded cgroup has its processes in the domain above (kernel/cgroup/cgroup.c
/// __cgroup_procs_start(), v6.12).
fn threaded(error: ControlError) -> Result<String, ControlError> {
    match error {
        ControlError::Read { source, .. } if source.kind() == io::ErrorKind::Unsupported => {
            Ok(String::new())
        }
        other => Err(other),
    }
}

/// 0 stands for a process of another PID namespace, and to signal it would be to signal ourselves.
fn parse(text: &str) -> Vec<u32> {
    let numbers = text.lines().filter_map(|line| line.parse().ok());
    numbers.filter(|pid| *pid != 0).collect()
}

/// Never to be frozen or killed: ourselves.
pub(super) fn refuse_own(site: &Site) -> Result<(), ControlError> {
    if listed(site, true)?.contains(&std::process::id()) {
        return Err(ControlError::Own {
            path: site.directory().to_owned(),
        });
    }
    Ok(())
}

/// Is the process in this cgroup or below it, now?
pub(super) fn is_in(pid: u32, hierarchy: HierarchyId, path: &str) -> bool {
    let placement = placement_of(pid).unwrap_or_default();
    let now = placement.paths.get(&hierarchy);
    now.is_some_and(|now| Path::new(now).starts_with(path))
}
