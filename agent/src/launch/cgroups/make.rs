//! Making the directories, with what a process needs before it can enter.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::{XattrFlags, setxattr};

use super::{CgroupError, Cgroups, words, write};
use crate::cgroup::{CgroupKey, Controller, Hierarchy, HierarchyId};

/// On directories that Plimsoll made, so that it may remove them, and no other.
/// kernfs keeps `trusted.` attributes in all hierarchies (fs/kernfs/inode.c, v6.12).
pub(super) const MADE: &str = "trusted.plimsoll.made";

/// A parent may vanish while it is descended into: another workload in it was the last.
const ATTEMPTS: u32 = 8;

/// v1: copied down, because no process can enter a cgroup with empty ones.
const CPUSET: [&str; 2] = ["cpuset.cpus", "cpuset.mems"];

impl Cgroups {
    /// Makes it in every hierarchy, and tells how the kernel calls it there.
    ///
    /// # Errors
    /// Not permitted, or the hierarchy is read-only.
    pub fn make(&self) -> Result<BTreeMap<HierarchyId, CgroupKey>, CgroupError> {
        for (id, path) in &self.placement.paths {
            if let Some(hierarchy) = self.layout.hierarchy(*id) {
                make_in(hierarchy, path)?;
            }
        }
        Ok(self.keys())
    }

    /// Is there something at this path already, in some hierarchy, with processes in it?
    #[must_use]
    pub fn is_populated(&self) -> bool {
        !self.processes().is_empty()
    }
}

fn make_in(hierarchy: &Hierarchy, path: &str) -> Result<(), CgroupError> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match descend(hierarchy, path) {
            Err(CgroupError::Make { source, .. } | CgroupError::Write { source, .. })
                if source.kind() == ErrorKind::NotFound && attempt < ATTEMPTS => {}
            done => return done,
        }
    }
}

fn descend(hierarchy: &Hierarchy, path: &str) -> Result<(), CgroupError> {
    let mut directory = hierarchy.mount.clone();
    // Limits are set on the leaf: every cgroup above it has to hand its controllers down. Others'
    // cgroups are left as they are.
    let mut is_ours = true;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        if hierarchy.is_unified() && is_ours {
            hand_down(&directory);
        }
        directory.push(name);
        is_ours = make_one(&directory)?;
        if hierarchy.controllers.contains(&Controller::Cpuset) && !hierarchy.is_unified() {
            copy_cpuset(&directory)?;
        }
    }
    Ok(())
}

/// Makes a directory if it is not there. Whether it is of our making.
fn make_one(directory: &Path) -> Result<bool, CgroupError> {
    match fs::create_dir(directory) {
        Ok(()) => {
            // Unmarked, it stays when the workload goes: untidy, no harm.
            let _ = setxattr(directory, MADE, b"1", XattrFlags::empty());
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(is_made_by_us(directory)),
        Err(source) => Err(CgroupError::Make {
            path: directory.to_owned(),
            source,
        }),
    }
}

pub(super) fn is_made_by_us(directory: &Path) -> bool {
    let mut value = [0_u8; 8];
    rustix::fs::getxattr(directory, MADE, &mut value).is_ok()
}

/// Enables for the children what the cgroup itself has. What the kernel refuses (a threaded cgroup,
/// one with processes) is found out when a limit needs it.
fn hand_down(directory: &Path) {
    let file = directory.join("cgroup.subtree_control");
    let handed = words(&file);
    for name in words(&directory.join("cgroup.controllers")) {
        if !handed.contains(&name) {
            let _refused = write(file.clone(), &format!("+{name}"));
        }
    }
}

fn copy_cpuset(directory: &Path) -> Result<(), CgroupError> {
    let Some(parent) = directory.parent() else {
        return Ok(());
    };
    for file in CPUSET {
        let read = |path: PathBuf| match fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(source) => Err(CgroupError::Read { path, source }),
        };
        if read(directory.join(file))?.is_empty() {
            write(directory.join(file), &read(parent.join(file))?)?;
        }
    }
    Ok(())
}
