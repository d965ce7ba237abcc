//! The cgroup that rules are for.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, fstatfs};

use super::error::RulesError;

/// A cgroup v2 directory, held open: its path may come to mean another.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) path: PathBuf,
    pub(super) directory: File,
}

impl Target {
    /// Opens the directory, which must still be the cgroup of this id.
    pub(super) fn open(path: &Path, id: u64) -> Result<Self, RulesError> {
        let vanished = || RulesError::Vanished {
            path: path.to_owned(),
        };
        let cannot_open = |source| RulesError::Open {
            path: path.to_owned(),
            source,
        };
        let directory = match File::open(path) {
            Ok(directory) => directory,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(vanished()),
            Err(source) => return Err(cannot_open(source)),
        };
        let kind = fstatfs(&directory).map_err(|errno| cannot_open(errno.into()))?;
        if kind.filesystem_type() != CGROUP2_SUPER_MAGIC {
            return Err(RulesError::NotCgroup2 {
                path: path.to_owned(),
            });
        }
        if directory.metadata().map_err(cannot_open)?.ino() != id {
            return Err(vanished());
        }
        Ok(Self {
            path: path.to_owned(),
            directory,
        })
    }

    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            path: self.path.clone(),
            directory: self.directory.try_clone()?,
        })
    }

    /// Ids of the cgroup and of all below it.
    pub(super) fn tree(&self) -> Vec<u64> {
        let mut ids = Vec::new();
        self.walk(|directory| ids.extend(fs::metadata(directory).map(|m| m.ino())));
        ids
    }

    /// Processes in the cgroup and below it.
    pub(super) fn processes(&self) -> Vec<u32> {
        let mut processes = Vec::new();
        self.walk(|directory| {
            // One that goes meanwhile has none.
            let listed = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
            processes.extend(listed.lines().filter_map(|line| line.parse::<u32>().ok()));
        });
        processes
    }

    /// Calls `each` for the directory and all below it.
    fn walk(&self, mut each: impl FnMut(&Path)) {
        let mut open = vec![self.path.clone()];
        while let Some(directory) = open.pop() {
            each(&directory);
            let Ok(entries) = fs::read_dir(&directory) else {
                continue;
            };
            let below = entries
                .flatten()
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            open.extend(below.map(|entry| entry.path()));
        }
    }
}
