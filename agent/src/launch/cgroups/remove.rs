//! Removing it, and the parents that were made for it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::make::is_made_by_us;
use super::processes::below;
use super::{CgroupError, Cgroups};

/// A process that is being reaped keeps its cgroup busy for a moment.
const PATIENCE: Duration = Duration::from_secs(2);
const WAIT: Duration = Duration::from_micros(500);

impl Cgroups {
    /// Removes it in every hierarchy, with what is below it, and those parents that Plimsoll made
    /// and that are empty now. Its processes have to be gone.
    ///
    /// # Errors
    /// There are processes in it. All hierarchies are tried; the first error is told.
    pub fn remove(&self) -> Result<(), CgroupError> {
        let mut result = Ok(());
        for (id, directory) in self.directories() {
            let deadline = Instant::now() + PATIENCE;
            match remove_tree(&directory, deadline) {
                Ok(()) => {
                    let mount = self.layout.hierarchy(id).map(|hierarchy| &hierarchy.mount);
                    remove_parents(&directory, mount.map(std::path::PathBuf::as_path));
                }
                Err(source) => {
                    let path = directory;
                    result = result.and(Err(CgroupError::Remove { path, source }));
                }
            }
        }
        result
    }
}

fn remove_tree(directory: &Path, deadline: Instant) -> io::Result<()> {
    loop {
        let error = match fs::remove_dir(directory) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => error,
        };
        if error.raw_os_error() != Some(Errno::BUSY.raw_os_error()) || Instant::now() > deadline {
            return Err(error);
        }
        let below = below(directory);
        if below.is_empty() {
            sleep(WAIT);
        }
        for directory in below {
            remove_tree(&directory, deadline)?;
        }
    }
}

fn remove_parents(directory: &Path, mount: Option<&Path>) {
    let mut parents = directory.ancestors().skip(1);
    while let Some(parent) = parents.next()
        && Some(parent) != mount
        && is_made_by_us(parent)
    {
        // Others are in it: they or the last of them remove it.
        if fs::remove_dir(parent).is_err() {
            break;
        }
    }
}
