//! Where a workload is to be: its state directory and its cgroups, before there is anything else of it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::cgroups::Cgroups;
use super::create::unknown_process;
use super::state::{Phase, State, now};
use super::view::View;
use super::{Id, LaunchError, Process, StateDir};
use crate::cgroup::{CgroupKey, HierarchyId, Mode};

/// Made by the process that is to make the workload, see [`create_at`](super::create_at). Dropped before there is a
/// workload it is removed.
#[derive(Debug)]
pub struct Site {
    pub(super) dir: StateDir,
    pub(super) cgroups: Cgroups,
    /// What the kernel calls them.
    pub(super) keys: BTreeMap<HierarchyId, CgroupKey>,
    /// What is known so far is recorded.
    pub(super) state: State,
    /// Taken ahead of need.
    view: Option<io::Result<View>>,
    is_used: bool,
}

impl Site {
    /// Makes it: a directory of its own in `root`, and the cgroup `path` in every hierarchy.
    ///
    /// # Errors
    /// There is a workload with this id, or in this cgroup; the kernel refuses a cgroup. Nothing is left then.
    pub fn make(root: &Path, id: &Id, path: &str) -> Result<Self, LaunchError> {
        let cgroups = Cgroups::at(path)?;
        if cgroups.is_populated() {
            let path = path.to_owned();
            return Err(LaunchError::CgroupInUse { path });
        }
        let dir = StateDir::new(root, id);
        let state = State {
            id: id.clone(),
            phase: Phase::Creating,
            init: None,
            shim: Some(Process::myself().map_err(unknown_process)?),
            pumped: false,
            terminal: false,
            annotations: BTreeMap::new(),
            bundle: PathBuf::new(),
            rootfs: PathBuf::new(),
            created: now(),
            cgroups: cgroups.placement().clone(),
            capabilities: None,
        };
        // From here on there is something to find for whoever cleans up after a crash.
        dir.make(id, &state)?;
        let mut site = Self {
            dir,
            cgroups,
            keys: BTreeMap::new(),
            state,
            view: None,
            is_used: false,
        };
        site.keys = site.cgroups.make()?;
        Ok(site)
    }

    /// Takes what most workloads are to see of their cgroups on v1: for who has to wait anyway.
    pub(super) fn look_ahead(&mut self) {
        let is_v1 = self.cgroups.layout().mode() != Mode::Unified;
        self.view = is_v1.then(|| View::of(&self.cgroups));
    }

    /// What a workload here is to see of its cgroups.
    pub(super) fn view(&mut self) -> io::Result<View> {
        let view = self.view.take();
        view.unwrap_or_else(|| View::of(&self.cgroups))
    }

    /// There is a workload: from now on it is removed with that.
    pub(super) fn keep(&mut self) {
        self.is_used = true;
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if self.is_used {
            return;
        }
        let undone = self.cgroups.kill().and_then(|()| self.cgroups.remove());
        let undone = undone.map_err(|error| error.to_string());
        let undone = undone.and_then(|()| self.dir.remove().map_err(|error| error.to_string()));
        // It is reaped at the next start.
        if let Err(left) = undone {
            tracing::warn!(id = %self.state.id, left, "failed creation leaves traces");
        }
    }
}
