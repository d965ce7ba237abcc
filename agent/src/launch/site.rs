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

/// Made by the process that is to make the workload, see [`create_at`](super::create_at).
#[derive(Debug)]
#[must_use = "it stays"]
pub struct Site {
    pub(super) dir: StateDir,
    pub(super) cgroups: Cgroups,
    /// What the kernel calls them.
    pub(super) keys: BTreeMap<HierarchyId, CgroupKey>,
    /// What is known so far is recorded.
    pub(super) state: State,
    /// What a workload there is to see of its cgroups, on v1.
    pub(super) view: Option<io::Result<View>>,
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
        };
        // From here on there is something to find for whoever cleans up after a crash.
        dir.make(id, &state)?;
        let mut site = Self {
            dir,
            cgroups,
            keys: BTreeMap::new(),
            state,
            view: None,
        };
        match site.cgroups.make() {
            Ok(keys) => {
                site.keys = keys;
                let is_v1 = site.cgroups.layout().mode() != Mode::Unified;
                site.view = is_v1.then(|| View::of(&site.cgroups));
                Ok(site)
            }
            Err(error) => {
                site.remove();
                Err(error.into())
            }
        }
    }

    /// Removes it, and whoever is in it. What cannot be removed is reaped at the next start.
    pub fn remove(self) {
        let undone = self.cgroups.kill().and_then(|()| self.cgroups.remove());
        let undone = undone.map_err(|error| error.to_string());
        let undone = undone.and_then(|()| self.dir.remove().map_err(|error| error.to_string()));
        if let Err(left) = undone {
            tracing::warn!(id = %self.state.id, left, "failed creation leaves traces");
        }
    }
}
