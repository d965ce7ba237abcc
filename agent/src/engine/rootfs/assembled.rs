//! A root filesystem with what is mounted over it, while no container runs that would have put it together.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use nix::libc::MOUNT_ATTR_RDONLY;
use nix::sched::{CloneFlags, unshare};
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountPropagationFlags, MoveMountFlags, mount_change, move_mount};

use super::tree::{Tree, relative, split};
use super::{Inside, RootfsError};
use crate::launch::mount;

/// What is mounted over a root filesystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// A directory or file of the host's.
    pub source: PathBuf,
    /// Where those inside have it.
    pub target: PathBuf,
    pub writable: bool,
    /// With what is mounted below it.
    pub recursive: bool,
}

/// Works in a mount namespace that is this work's alone: what it mounts is gone with it, however it ends.
///
/// # Errors
/// The namespace cannot be made.
pub fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, RootfsError> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS)?;
            let flags = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
            mount_change("/", flags)?;
            Ok(work())
        });
        let done = thread.join();
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
    .map_err(|source| RootfsError::Apart { source })
}

impl Inside {
    /// Mounts one more thing over it; its place is made where it is missing. To be done in a mount namespace
    /// [`apart`].
    ///
    /// # Errors
    /// Its place leads nowhere, or the kernel refuses.
    pub fn cover(&self, over: &Over) -> Result<(), RootfsError> {
        let covered = || {
            let copy = mount::copy(&over.source, over.recursive)?;
            if !over.writable {
                mount::set_attributes(copy.as_fd(), MOUNT_ATTR_RDONLY, None, over.recursive)?;
            }
            let place = place(self.tree(), over)?;
            let flags =
                MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
            Ok(move_mount(copy, "", place, "", flags)?)
        };
        covered().map_err(|source: io::Error| RootfsError::Cover {
            path: over.target.clone(),
            source,
        })
    }
}

/// What is mounted over.
fn place(tree: &Tree, over: &Over) -> io::Result<OwnedFd> {
    let target = over.target.as_os_str().as_encoded_bytes();
    let target = relative(target).map_err(io::Error::other)?;
    if over.source.is_dir() {
        return tree.make_directory(&target);
    }
    let (parent, name) = split(&target);
    let parent = tree.make_directory(parent)?;
    let flags = OFlags::CREATE | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o644);
    match rustix::fs::openat(&parent, name, flags | OFlags::EXCL, mode) {
        Ok(made) => drop(File::from(made)),
        Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    tree.at(&target, OFlags::PATH)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn what_is_covered_is_seen_by_the_work_alone() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let volume = tempfile::tempdir().unwrap();
        fs::write(volume.path().join("file"), "of the volume").unwrap();
        let over = |target: &str, source: &Path, writable| Over {
            source: source.to_owned(),
            target: target.into(),
            writable,
            recursive: true,
        };
        let archive = apart(|| {
            let inside = Inside::open(root.path()).unwrap();
            inside.cover(&over("/data", volume.path(), true)).unwrap();
            let file = volume.path().join("file");
            inside.cover(&over("/data/deep", &file, false)).unwrap();
            fs::write(root.path().join("data/new"), "").unwrap();
            fs::write(root.path().join("data/deep"), "").unwrap_err();
            let mut archive = Vec::new();
            inside.read("c", "/", &mut archive).unwrap();
            archive
        });
        let archive = archive.unwrap();
        let mut archive = tar::Archive::new(archive.as_slice());
        let names = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            entry.path().unwrap().display().to_string()
        });
        let names: Vec<_> = names.collect();
        assert!(names.contains(&"/data/file".to_owned()), "{names:?}");
        assert!(names.contains(&"/data/deep".to_owned()), "{names:?}");
        assert!(volume.path().join("new").exists());
        assert!(!root.path().join("data/file").exists());
    }
}
