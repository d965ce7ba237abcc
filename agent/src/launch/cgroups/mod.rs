//! The workload's cgroup in every hierarchy: made before its first process, removed after the last.
//!
//! `libcontainer` places processes in the v1 controllers it knows, or in cgroup v2 where that is the
//! only one; this module makes the same path everywhere, takes care of the hierarchies that are left
//! (cgroup2 and `name=` ones on a hybrid host), and removes what was made, parents too.

mod freezer;
mod make;
mod owner;
mod processes;
mod remove;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::cgroup::{CgroupKey, Controller, HierarchyId, Layout, LayoutError, Placement};

/// v1 controllers in which `libcontainer` places a process by itself
/// (libcgroups 0.7.0, `v1/controller_type.rs`).
const PLACED_BY_RUNTIME: [Controller; 12] = [
    Controller::Cpu,
    Controller::Cpuacct,
    Controller::Cpuset,
    Controller::Devices,
    Controller::Freezer,
    Controller::Hugetlb,
    Controller::Io,
    Controller::Memory,
    Controller::NetCls,
    Controller::NetPrio,
    Controller::Pids,
    Controller::PerfEvent,
];

/// One cgroup path in all hierarchies.
#[derive(Clone, Debug)]
pub struct Cgroups {
    layout: Layout,
    placement: Placement,
}

/// What could not be done with a cgroup.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error("{path:?} is no cgroup path: {reason}")]
    Path { path: String, reason: &'static str },
    #[error("cannot make the cgroup {path}", path = path.display())]
    Make { path: PathBuf, source: io::Error },
    #[error("cannot write {value:?} to {path}", path = path.display())]
    Write {
        path: PathBuf,
        value: String,
        source: io::Error,
    },
    #[error("cannot read {path}", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot remove the cgroup {path}", path = path.display())]
    Remove { path: PathBuf, source: io::Error },
    #[error("processes of {path} do not end, although killed: {pids:?}", path = path.display())]
    Unkillable { path: PathBuf, pids: Vec<u32> },
    #[error("{path} does not freeze", path = path.display())]
    NotFrozen { path: PathBuf },
    #[error("cannot freeze: this host has no freezer in any hierarchy")]
    NoFreezer,
}

impl Cgroups {
    /// The same path in all hierarchies of this host.
    ///
    /// # Errors
    /// No cgroup file system; or the path is a hierarchy's root or leads out of it.
    pub fn at(path: &str) -> Result<Self, CgroupError> {
        let path = absolute(path)?;
        let layout = host()?;
        let ids = layout.hierarchies().iter().map(|hierarchy| hierarchy.id);
        let paths = ids.map(|id| (id, path.clone())).collect();
        Ok(Self {
            placement: Placement { paths },
            layout,
        })
    }

    /// Those that were recorded.
    ///
    /// # Errors
    /// No cgroup file system is mounted.
    pub fn recorded(placement: Placement) -> Result<Self, CgroupError> {
        let layout = host()?;
        Ok(Self { layout, placement })
    }

    /// A cgroup below it in cgroup v2, the same elsewhere.
    pub(super) fn below(&self, path: Option<&str>) -> Self {
        let mut below = self.clone();
        let own = below.placement.paths.get_mut(&HierarchyId::V2);
        if let (Some(own), Some(path)) = (own, path) {
            *own = format!("{own}/{path}");
        }
        below
    }

    /// On a host that is known by other means.
    #[cfg(test)]
    pub(super) fn in_layout(layout: Layout, placement: Placement) -> Self {
        Self { layout, placement }
    }

    /// Its path in every hierarchy.
    #[must_use]
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// The host's hierarchies.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Its directory in a hierarchy.
    #[must_use]
    pub fn directory(&self, id: HierarchyId) -> Option<PathBuf> {
        let path = self.placement.paths.get(&id)?;
        self.layout.hierarchy(id)?.directory(path)
    }

    /// Its directory in the hierarchy that carries a controller.
    #[must_use]
    pub fn of(&self, controller: Controller) -> Option<PathBuf> {
        self.directory(self.layout.controller(controller)?.id)
    }

    /// Can a limit of this controller be set on it? Asked once the cgroup is made.
    #[must_use]
    pub fn has(&self, controller: Controller) -> bool {
        let Some(hierarchy) = self.layout.controller(controller) else {
            return false;
        };
        if !hierarchy.is_unified() {
            return true;
        }
        let Some(directory) = self.directory(hierarchy.id) else {
            return false;
        };
        words(&directory.join("cgroup.controllers"))
            .iter()
            .any(|name| Controller::from_kernel_name(name) == Some(controller))
    }

    /// What the kernel calls it, for those hierarchies in which it exists.
    #[must_use]
    pub fn keys(&self) -> BTreeMap<HierarchyId, CgroupKey> {
        use std::os::unix::fs::MetadataExt;
        self.directories()
            .filter_map(|(hierarchy, directory)| {
                let id = std::fs::metadata(directory).ok()?.ino();
                Some((hierarchy, CgroupKey { hierarchy, id }))
            })
            .collect()
    }

    fn directories(&self) -> impl Iterator<Item = (HierarchyId, PathBuf)> {
        let ids = self.placement.paths.keys();
        ids.filter_map(|&id| Some((id, self.directory(id)?)))
    }

    /// Its directories in v1 hierarchies.
    pub(super) fn v1_directories(&self) -> impl Iterator<Item = (HierarchyId, PathBuf)> {
        self.directories().filter(|(id, _)| *id != HierarchyId::V2)
    }

    /// What the workload sees of it: its directories on v1, under the names by which programs look for
    /// them. `cpu,cpuacct` is there as `cpu` and as `cpuacct` too.
    pub(super) fn seen(&self) -> Vec<(String, PathBuf)> {
        let mut seen = Vec::new();
        for hierarchy in self.layout.hierarchies() {
            let name = hierarchy.mount.file_name().and_then(|name| name.to_str());
            let directory = self.directory(hierarchy.id);
            let (Some(name), Some(directory), false) = (name, directory, hierarchy.is_unified())
            else {
                continue;
            };
            let aliases = name.split(',').filter(|&alias| alias != name);
            for name in std::iter::once(name).chain(aliases) {
                seen.push((name.to_owned(), directory.clone()));
            }
        }
        seen
    }

    fn is_placed_by_runtime(&self, id: HierarchyId) -> bool {
        let hierarchy = self.layout.hierarchy(id);
        hierarchy.is_some_and(|hierarchy| {
            let mut placed = PLACED_BY_RUNTIME.iter();
            placed.any(|controller| hierarchy.controllers.contains(controller))
        })
    }
}

/// The host's hierarchies, as they were when this process first asked.
fn host() -> Result<Layout, LayoutError> {
    static HOST: OnceLock<Layout> = OnceLock::new();
    if let Some(layout) = HOST.get() {
        return Ok(layout.clone());
    }
    let layout = Layout::detect()?;
    Ok(HOST.get_or_init(|| layout).clone())
}

/// The path from the hierarchy's root, as the kernel prints it.
fn absolute(path: &str) -> Result<String, CgroupError> {
    let bad = |reason| CgroupError::Path {
        path: path.to_owned(),
        reason,
    };
    let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if segments.is_empty() {
        return Err(bad("it is the root"));
    }
    if segments.iter().any(|&part| part == "." || part == "..") {
        return Err(bad("it has . or .. in it"));
    }
    // cgroup_mkdir() refuses a newline (kernel/cgroup/cgroup.c, v6.12).
    if path.contains(['\n', '\0']) {
        return Err(bad("a character in it cannot be in a name"));
    }
    Ok(format!("/{}", segments.join("/")))
}

/// A file's words; none when it cannot be read.
fn words(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

fn write(path: PathBuf, value: &str) -> Result<(), CgroupError> {
    use std::io::Write;
    let opened = std::fs::File::options().write(true).open(&path);
    let written = opened.and_then(|mut file| file.write_all(value.as_bytes()));
    written.map_err(|source| CgroupError::Write {
        path,
        value: value.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn paths_are_absolute_and_below_the_root() {
        assert_eq!(absolute("plimsoll/a").unwrap(), "/plimsoll/a");
        assert_eq!(absolute("//docker//b/").unwrap(), "/docker/b");
        for bad in ["", "/", "/a/../..", "./a", "/a\nb"] {
            assert!(absolute(bad).is_err(), "{bad:?}");
        }
    }
}
