//! One cgroup's directory in one hierarchy, and what is done with its files.
//!
//! Every access goes through a descriptor of the directory whose inode was compared first, so
//! nothing is ever written to another cgroup that got the same path.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, fstat};

use super::ControlError;
use crate::cgroup::{CgroupKey, Hierarchy, HierarchyId, Vanished};

/// A cgroup directory, pinned to the cgroup that was there when it was opened.
#[derive(Clone, Debug)]
pub(super) struct Site {
    hierarchy: HierarchyId,
    path: String,
    directory: PathBuf,
    /// Of the hierarchy: nothing above it is this hierarchy's.
    mount: PathBuf,
    /// `None`: was gone already.
    inode: Option<u64>,
}

impl Site {
    /// `None` when the path is outside what is mounted.
    pub(super) fn open(hierarchy: &Hierarchy, path: &str) -> Option<Self> {
        // A cgroup outside the agent's cgroup namespace is shown as `/../x`.
        if path.split('/').any(|part| part == "..") {
            return None;
        }
        let directory = hierarchy.directory(path)?;
        let inode = fs::metadata(&directory).ok().map(|metadata| metadata.ino());
        Some(Self {
            hierarchy: hierarchy.id,
            path: path.to_owned(),
            directory,
            mount: hierarchy.mount.clone(),
            inode,
        })
    }

    pub(super) fn is_unified(&self) -> bool {
        self.hierarchy == HierarchyId::V2
    }

    pub(super) fn hierarchy(&self) -> HierarchyId {
        self.hierarchy
    }

    pub(super) fn key(&self) -> Option<CgroupKey> {
        Some(CgroupKey {
            hierarchy: self.hierarchy,
            id: self.inode?,
        })
    }

    /// Absolute from the hierarchy's root, as `/proc/PID/cgroup` has it.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Directories of the cgroups above it, the parent first, as far as they are mounted.
    pub(super) fn above(&self) -> impl Iterator<Item = &Path> {
        self.directory
            .ancestors()
            .skip(1)
            .take_while(|above| above.starts_with(&self.mount))
    }

    /// A descriptor of the directory, if it still is this cgroup's.
    pub(super) fn enter(&self) -> Result<OwnedFd, Vanished> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        open(&self.directory, flags, Mode::empty())
            .ok()
            .filter(|fd| fstat(fd).is_ok_and(|stat| Some(stat.st_ino) == self.inode))
            .ok_or_else(|| self.vanished())
    }

    /// Is there such a file?
    pub(super) fn has(&self, name: &str) -> Result<bool, ControlError> {
        let directory = self.enter()?;
        match openat(
            &directory,
            name,
            OFlag::O_PATH | OFlag::O_CLOEXEC,
            Mode::empty(),
        ) {
            Ok(_) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(self.unread(name, errno.into())),
        }
    }

    /// The whole text, without the newline at its end.
    pub(super) fn read(&self, name: &str) -> Result<String, ControlError> {
        let mut text = String::new();
        self.open_file(name, OFlag::O_RDONLY)
            .and_then(|mut file| file.read_to_string(&mut text))
            .map_err(|source| self.unread(name, source))?;
        text.truncate(text.trim_end_matches('\n').len());
        Ok(text)
    }

    /// The text; `None`: this cgroup has no such file.
    pub(super) fn read_if_there(&self, name: &str) -> Result<Option<String>, ControlError> {
        match self.read(name) {
            Ok(text) => Ok(Some(text)),
            Err(ControlError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// A file that is a number, or `max`, which is `None`.
    pub(super) fn limit(&self, name: &str) -> Result<Option<u64>, ControlError> {
        match self.read(name)?.as_str() {
            "max" => Ok(None),
            text => self.parse(name, text).map(Some),
        }
    }

    pub(super) fn number(&self, name: &str) -> Result<u64, ControlError> {
        self.parse(name, &self.read(name)?)
    }

    pub(super) fn parse<T: std::str::FromStr>(
        &self,
        name: &str,
        text: &str,
    ) -> Result<T, ControlError> {
        text.parse().map_err(|_| self.odd(name, text))
    }

    pub(super) fn odd(&self, name: &str, text: &str) -> ControlError {
        ControlError::Odd {
            path: self.file(name),
            text: text.to_owned(),
        }
    }

    /// Writes the text in one `write`, as the kernel wants it.
    pub(super) fn write(&self, name: &str, value: &str) -> Result<(), ControlError> {
        self.open_to_write(name)
            .and_then(|mut file| file.write_all(value.as_bytes()))
            .map_err(|source| self.unwritten(name, value, source))
    }

    /// Never waits for reclaim where the kernel heeds it (mm/memcontrol.c memory_high_write(),
    /// memory_max_write(), v6.16); older kernels ignore the flag.
    pub(super) fn open_to_write(&self, name: &str) -> io::Result<File> {
        self.open_file(name, OFlag::O_WRONLY | OFlag::O_TRUNC | OFlag::O_NONBLOCK)
    }

    /// Hands a path of the directory, which names this cgroup and no other while it is used.
    pub(super) fn through<T>(
        &self,
        name: &str,
        value: &str,
        write: impl FnOnce(PathBuf) -> Result<T, cgroups_rs::fs::error::Error>,
    ) -> Result<T, ControlError> {
        let directory = self.enter()?;
        write(path_of(&directory)).map_err(|error| self.unwritten(name, value, cause(&error)))
    }

    pub(super) fn open_file(&self, name: &str, flags: OFlag) -> io::Result<File> {
        let directory = self.enter().map_err(io::Error::other)?;
        let file = openat(&directory, name, flags | OFlag::O_CLOEXEC, Mode::empty())?;
        Ok(File::from(file))
    }

    /// Directories of all cgroups below, parents first. Those that vanish meanwhile are left out.
    pub(super) fn below(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut next = vec![self.directory.clone()];
        while let Some(directory) = next.pop() {
            let Ok(entries) = fs::read_dir(&directory) else {
                continue;
            };
            let directories = entries
                .filter_map(Result::ok)
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path());
            let from = found.len();
            found.extend(directories);
            next.extend(found.iter().skip(from).cloned());
        }
        found
    }

    pub(super) fn unread(&self, name: &str, source: io::Error) -> ControlError {
        match self.enter() {
            Err(vanished) => vanished.into(),
            Ok(_) => ControlError::Read {
                path: self.file(name),
                source,
            },
        }
    }

    pub(super) fn unwritten(&self, name: &str, value: &str, source: io::Error) -> ControlError {
        match self.enter() {
            Err(vanished) => vanished.into(),
            Ok(_) => ControlError::Write {
                path: self.file(name),
                value: value.to_owned(),
                why: None,
                source,
            },
        }
    }

    pub(super) fn vanished(&self) -> Vanished {
        Vanished {
            hierarchy: self.hierarchy,
            path: self.path.clone(),
        }
    }
}

/// A path of an open directory, whatever its own is now.
pub(super) fn path_of(directory: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()))
}

/// What the system said, from under the crate's own words.
pub(super) fn cause(error: &cgroups_rs::fs::error::Error) -> io::Error {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    match source.and_then(io::Error::raw_os_error) {
        Some(errno) => io::Error::from_raw_os_error(errno),
        None => io::Error::other(error.to_string()),
    }
}

/// Gives a refusal of the kernel the reason that is known here.
pub(super) fn explain(
    error: ControlError,
    reason: impl FnOnce(Errno) -> Option<String>,
) -> ControlError {
    match error {
        ControlError::Write {
            path,
            value,
            why: None,
            source,
        } => ControlError::Write {
            why: source
                .raw_os_error()
                .and_then(|errno| reason(Errno::from_raw(errno))),
            path,
            value,
            source,
        },
        other => other,
    }
}
