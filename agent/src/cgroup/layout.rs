//! Which hierarchies this host has mounted, and which one carries each controller.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::mount::{self, CgroupMount, MountKind};
use super::{Controller, HierarchyId, placement};

/// The host's cgroup set-up as a whole; what a controller's files look like depends on its own
/// hierarchy alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// cgroup v2 only.
    Unified,
    /// cgroup v2 and v1 hierarchies.
    Hybrid,
    /// v1 only.
    Legacy,
}

/// One mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    pub id: HierarchyId,
    pub mount: PathBuf,
    /// Path of the cgroup at `mount`: `/`, unless only a part of the hierarchy is mounted.
    pub root: String,
    /// v2: those of the root's `cgroup.controllers`.
    pub controllers: Vec<Controller>,
    /// v1 `name=`, such as `systemd`.
    pub name: Option<String>,
}

impl Hierarchy {
    /// Is it cgroup v2?
    #[must_use]
    pub fn is_unified(&self) -> bool {
        self.id == HierarchyId::V2
    }

    /// The directory of a cgroup; `None` when it is outside what is mounted.
    #[must_use]
    pub fn directory(&self, path: &str) -> Option<PathBuf> {
        let below = path.strip_prefix(self.root.trim_end_matches('/'))?;
        match below.strip_prefix('/') {
            Some(relative) => Some(self.mount.join(relative)),
            None if below.is_empty() => Some(self.mount.clone()),
            None => None,
        }
    }
}

/// What this host cannot have because of its mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Degradation {
    #[error(
        "no cgroup2 mount: no pressure per cgroup, and no programs attached to cgroups; \
         `mount -t cgroup2 none /sys/fs/cgroup/unified` adds it"
    )]
    NoCgroup2,
}

/// Why no layout could be found.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    #[error("cannot read {path}")]
    Read {
        path: &'static str,
        source: io::Error,
    },
    #[error("no cgroup file system is mounted")]
    NoCgroup,
}

/// All mounted hierarchies, by id (v2 first).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    hierarchies: Vec<Hierarchy>,
}

impl Layout {
    /// From `/proc/self/mountinfo`, `/proc/self/cgroup` and v2's `cgroup.controllers`.
    ///
    /// # Errors
    /// `/proc` is not readable, or no cgroup file system is mounted at all.
    pub fn detect() -> Result<Self, LayoutError> {
        const MOUNTINFO: &str = "/proc/self/mountinfo";
        const OWN_CGROUPS: &str = "/proc/self/cgroup";
        let unread = |path| move |source| LayoutError::Read { path, source };
        let mountinfo = fs::read(MOUNTINFO).map_err(unread(MOUNTINFO))?;
        let own = fs::read(OWN_CGROUPS).map_err(unread(OWN_CGROUPS))?;
        let mut mounts = mount::parse(&String::from_utf8_lossy(&mountinfo));
        // A later mount may hide an earlier one, which the table still lists.
        mounts.retain(|mount| mount.mount.join("cgroup.procs").exists());
        Self::assemble(mounts, &own, v2_controllers)
            .map_err(unread(OWN_CGROUPS))?
            .known()
    }

    /// From hierarchies known by other means; for hosts that are not this one.
    #[must_use]
    pub fn from_hierarchies(mut hierarchies: Vec<Hierarchy>) -> Self {
        hierarchies.sort_by_key(|hierarchy| hierarchy.id);
        Self { hierarchies }
    }

    /// The host as a whole.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match (self.unified(), self.hierarchies.len()) {
            (Some(_), 1) => Mode::Unified,
            (Some(_), _) => Mode::Hybrid,
            (None, _) => Mode::Legacy,
        }
    }

    /// All of them, by id.
    #[must_use]
    pub fn hierarchies(&self) -> &[Hierarchy] {
        &self.hierarchies
    }

    /// cgroup v2, where it is mounted.
    #[must_use]
    pub fn unified(&self) -> Option<&Hierarchy> {
        self.hierarchy(HierarchyId::V2)
    }

    /// The hierarchy that carries a controller. On v2, CPU accounting and the freezer are in every
    /// cgroup without being controllers.
    #[must_use]
    pub fn controller(&self, controller: Controller) -> Option<&Hierarchy> {
        let carrier = self
            .hierarchies
            .iter()
            .find(|hierarchy| hierarchy.controllers.contains(&controller));
        match controller {
            Controller::Cpuacct | Controller::Freezer => carrier.or_else(|| self.unified()),
            _ => carrier,
        }
    }

    /// By id, as events and placements name it.
    #[must_use]
    pub fn hierarchy(&self, id: HierarchyId) -> Option<&Hierarchy> {
        self.hierarchies.iter().find(|hierarchy| hierarchy.id == id)
    }

    /// What is missing here, to be shown to the operator.
    #[must_use]
    pub fn degradation(&self) -> Option<Degradation> {
        self.unified().is_none().then_some(Degradation::NoCgroup2)
    }

    fn assemble(
        mut mounts: Vec<CgroupMount>,
        own: &[u8],
        v2_controllers: impl Fn(&Path) -> Vec<Controller>,
    ) -> io::Result<Self> {
        // A hierarchy may be mounted often, in part or whole: the whole, then the first, wins.
        mounts.sort_by_key(|mount| mount.root.len());
        let hierarchies = placement::parse(own)?.into_iter().filter_map(|line| {
            let id = HierarchyId(line.hierarchy);
            let mount = mounts
                .iter()
                .find(|m| m.kind.matches(id, &line.controllers))?
                .clone();
            let (controllers, name) = match mount.kind {
                MountKind::V2 => (v2_controllers(&mount.mount), None),
                MountKind::V1 { controllers, name } => (controllers, name),
            };
            Some(Hierarchy {
                id,
                mount: mount.mount,
                root: mount.root,
                controllers,
                name,
            })
        });
        Ok(Self::from_hierarchies(hierarchies.collect()))
    }

    fn known(self) -> Result<Self, LayoutError> {
        if self.hierarchies.is_empty() {
            Err(LayoutError::NoCgroup)
        } else {
            Ok(self)
        }
    }
}

fn v2_controllers(mount: &Path) -> Vec<Controller> {
    // Unreadable means none: then only the files that need no controller are read.
    let list = fs::read_to_string(mount.join("cgroup.controllers")).unwrap_or_default();
    Controller::parse_list(list.split_whitespace())
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
