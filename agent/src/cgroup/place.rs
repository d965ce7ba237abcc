//! One cgroup's directory, and whether it is still that cgroup's.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::HierarchyId;

/// The cgroup was removed, which is how cgroups end: not an error to log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cgroup {path} of hierarchy {} is gone", hierarchy.0)]
pub struct Vanished {
    pub hierarchy: HierarchyId,
    pub path: String,
}

/// One cgroup directory, pinned to the cgroup that was there when it was opened.
#[derive(Debug)]
pub(super) struct Place {
    hierarchy: HierarchyId,
    path: String,
    directory: PathBuf,
    /// `None`: was gone already.
    inode: Option<u64>,
}

impl Place {
    pub(super) fn open(hierarchy: HierarchyId, path: &str, directory: PathBuf) -> Self {
        let inode = fs::metadata(&directory).ok().map(|metadata| metadata.ino());
        Self {
            hierarchy,
            path: path.to_owned(),
            directory,
            inode,
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn is_unified(&self) -> bool {
        self.hierarchy == HierarchyId::V2
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The root has fewer files, and they mean the whole host.
    pub(super) fn is_root(&self) -> bool {
        self.path == "/"
    }

    /// A number below `below`, even among cgroups: their ids are consecutive.
    pub(super) fn spread(&self, below: u32) -> u32 {
        u32::try_from(self.inode.unwrap_or(0) % u64::from(below)).unwrap_or(0)
    }

    /// Still the same cgroup? A new one with the old path has another inode.
    pub(super) fn check(&self) -> Result<(), Vanished> {
        let now = fs::metadata(&self.directory)
            .ok()
            .map(|metadata| metadata.ino());
        if now.is_some() && now == self.inode {
            return Ok(());
        }
        Err(Vanished {
            hierarchy: self.hierarchy,
            path: self.path.clone(),
        })
    }
}
