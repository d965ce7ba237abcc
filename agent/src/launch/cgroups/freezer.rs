//! Stopping all its processes where they are, and letting them go on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{CgroupError, Cgroups, write};
use crate::cgroup::{Controller, HierarchyId};

const V1: &str = "freezer.state";
const V2: &str = "cgroup.freeze";
const PATIENCE: Duration = Duration::from_secs(2);
const WAIT: Duration = Duration::from_millis(1);
/// v1: a cgroup that forks while it freezes may stay `FREEZING` until it is told again.
const TELL_AGAIN: Duration = Duration::from_millis(20);

enum Freezer {
    V1(PathBuf),
    V2(PathBuf),
}

impl Cgroups {
    /// Freezes all its processes, and returns when they are frozen.
    ///
    /// # Errors
    /// No freezer, or a process that cannot be frozen in two seconds; it is thawed again then.
    pub fn freeze(&self) -> Result<(), CgroupError> {
        let freezer = self.freezer()?;
        let start = Instant::now();
        let mut told = None::<Instant>;
        while start.elapsed() < PATIENCE {
            if told.is_none_or(|told| told.elapsed() > TELL_AGAIN) {
                freezer.tell(true)?;
                told = Some(Instant::now());
            }
            if freezer.is_frozen() {
                return Ok(());
            }
            sleep(WAIT);
        }
        freezer.tell(false)?;
        Err(CgroupError::NotFrozen {
            path: freezer.directory().to_owned(),
        })
    }

    /// Lets them go on. When it is gone there is nobody left who stands still: on v2 the frozen can be killed.
    ///
    /// # Errors
    /// No freezer.
    pub fn thaw(&self) -> Result<(), CgroupError> {
        match self.freezer()?.tell(false) {
            Err(CgroupError::Write { source, .. }) if is_gone(&source) => Ok(()),
            told => told,
        }
    }

    /// Are they frozen?
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.freezer().is_ok_and(|freezer| freezer.is_frozen())
    }

    pub(super) fn thaw_v1(&self) {
        if let Ok(freezer @ Freezer::V1(_)) = self.freezer() {
            // Without it the kill that follows takes the others, and says who is left.
            let _ = freezer.tell(false);
        }
    }

    fn freezer(&self) -> Result<Freezer, CgroupError> {
        let hierarchy = self.layout.controller(Controller::Freezer);
        let directory = hierarchy.and_then(|hierarchy| self.directory(hierarchy.id));
        match (hierarchy, directory) {
            (Some(hierarchy), Some(directory)) if hierarchy.id == HierarchyId::V2 => {
                Ok(Freezer::V2(directory))
            }
            (Some(_), Some(directory)) => Ok(Freezer::V1(directory)),
            _ => Err(CgroupError::NoFreezer),
        }
    }
}

/// Before its file is opened, or after (fs/kernfs/file.c `kernfs_fop_write_iter()`, v6.12).
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(nix::libc::ENODEV)
}

impl Freezer {
    fn directory(&self) -> &Path {
        match self {
            Self::V1(directory) | Self::V2(directory) => directory,
        }
    }

    fn tell(&self, frozen: bool) -> Result<(), CgroupError> {
        match self {
            Self::V1(directory) => {
                write(directory.join(V1), if frozen { "FROZEN" } else { "THAWED" })
            }
            Self::V2(directory) => write(directory.join(V2), if frozen { "1" } else { "0" }),
        }
    }

    fn is_frozen(&self) -> bool {
        let (file, frozen) = match self {
            Self::V1(directory) => (directory.join(V1), "FROZEN"),
            Self::V2(directory) => (directory.join("cgroup.events"), "frozen 1"),
        };
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().any(|line| line == frozen)
    }
}
