//! The directory that root filesystems are mounted in, and what an agent before left mounted there.

use std::ffi::{CString, OsStr};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use procfs::ProcError;
use procfs::process::Process;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Statx, StatxAttributes, StatxFlags, openat, statx};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};

use super::RootfsError;
use super::overlay::{Overlay, unmount_at};
use super::users::{self, UserRange};

/// See [`Mounts::keep_apart`].
static KEEPING: Mutex<()> = Mutex::new(());

/// Where root filesystems are mounted, one directory each. Nobody else's mount namespace gets a copy of
/// what is mounted here later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounts {
    directory: PathBuf,
}

impl Mounts {
    /// Makes the directory.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(directory: &Path) -> Result<Self, RootfsError> {
        let failed = |source| RootfsError::Prepare {
            path: directory.to_owned(),
            source,
        };
        let mut builder = fs::DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(failed)?;
        let directory = directory.canonicalize().map_err(failed)?;
        Ok(Self { directory })
    }

    /// Makes the directory a private mount, unless it is one: not before something is mounted in it.
    fn keep_apart(&self) -> Result<(), RootfsError> {
        let failed = |error: rustix::io::Errno| RootfsError::Prepare {
            path: self.directory.clone(),
            source: error.into(),
        };
        // Two at once would each mount it: what is mounted between is hidden below the second.
        let _one_at_a_time = KEEPING.lock().unwrap_or_else(PoisonError::into_inner);
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        let found = statx(CWD, &self.directory, flags, StatxFlags::empty()).map_err(failed)?;
        if !is_mount(&found) {
            mount_bind(&self.directory, &self.directory).map_err(failed)?;
        }
        mount_change(&self.directory, MountPropagationFlags::PRIVATE).map_err(failed)
    }

    /// Where the root filesystem of this name is, or would be.
    #[must_use]
    pub fn target(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Mounts one, in place of what is mounted there; returns where. With `users` its owners are those
    /// users'.
    ///
    /// # Errors
    /// As [`Overlay::mount`] or [`Overlay::mount_for`].
    pub fn mount(
        &self,
        name: &str,
        overlay: &Overlay,
        users: Option<UserRange>,
    ) -> Result<PathBuf, RootfsError> {
        let target = self.make_room(name, true, users)?;
        match users {
            Some(users) => overlay.mount_for(users, &target)?,
            None => overlay.mount(&target)?,
        }
        Ok(target)
    }

    /// Mounts a directory or file of the host's, in place of what is mounted there; returns where. With `users` its
    /// owners are those users'.
    ///
    /// # Errors
    /// The kernel refuses, or the file system does not map owners.
    pub fn bind(
        &self,
        name: &str,
        source: &Path,
        users: Option<UserRange>,
    ) -> Result<PathBuf, RootfsError> {
        let target = self.make_room(name, source.is_dir(), users)?;
        users::bind(source, &target, users)?;
        Ok(target)
    }

    /// Mounts a file system in memory, which everybody may write to, in place of what is mounted there; returns where.
    /// With `users` it is their root's.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn mount_memory(
        &self,
        name: &str,
        bytes: i64,
        users: Option<UserRange>,
    ) -> Result<PathBuf, RootfsError> {
        let target = self.make_room(name, true, users)?;
        let (uid, gid) = users.map_or((0, 0), |users| (users.first_uid, users.first_gid));
        let options = format!("mode=1777,size={bytes},uid={uid},gid={gid}");
        let options = CString::new(options).unwrap_or_default();
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("shm", &target, "tmpfs", flags, options.as_c_str()).map_err(|error| {
            RootfsError::Prepare {
                path: target.clone(),
                source: error.into(),
            }
        })?;
        Ok(target)
    }

    /// What is mounted under this name, held open: it stays the same whatever is mounted there later.
    ///
    /// # Errors
    /// Nothing is.
    pub fn open_mounted(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = openat(CWD, self.target(name), flags, Mode::empty())?;
        let found = statx(&root, "", AtFlags::EMPTY_PATH, StatxFlags::empty())?;
        if is_mount(&found) {
            Ok(root.into())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    /// An empty directory, or file, with nothing mounted, to which these users get through.
    fn make_room(
        &self,
        name: &str,
        is_dir: bool,
        users: Option<UserRange>,
    ) -> Result<PathBuf, RootfsError> {
        self.keep_apart()?;
        if let Some(users) = users {
            users
                .let_through(&self.directory)
                .map_err(|source| RootfsError::Prepare {
                    path: self.directory.clone(),
                    source,
                })?;
        }
        let target = self.target(name);
        clear(&target)?;
        let failed = |source| RootfsError::Prepare {
            path: target.clone(),
            source,
        };
        let made = if is_dir {
            fs::DirBuilder::new().mode(0o700).create(&target)
        } else {
            File::create_new(&target).map(drop)
        };
        match made {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(error));
            }
            _ => {}
        }
        Ok(target)
    }

    /// Unmounts one and removes its directory; nothing there is fine.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn unmount(&self, name: &str) -> Result<(), RootfsError> {
        let target = self.target(name);
        clear(&target)?;
        let removed = match fs::remove_dir(&target) {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => fs::remove_file(&target),
            removed => removed,
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(RootfsError::Unmount {
                target,
                source: error,
            }),
            _ => Ok(()),
        }
    }

    /// The names of those that are mounted.
    ///
    /// # Errors
    /// The mount table cannot be read.
    pub fn mounted(&self) -> Result<Vec<String>, RootfsError> {
        let mut names: Vec<_> = mount_points()?
            .iter()
            .filter(|point| point.parent() == Some(&self.directory))
            .filter_map(|point| Some(point.file_name()?.to_str()?.to_owned()))
            .collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Unmounts what nobody needs any more, mounted or an empty directory; returns the names.
    ///
    /// # Errors
    /// The first that cannot be unmounted; the others were tried.
    pub fn reap(&self, keep: &dyn Fn(&str) -> bool) -> Result<Vec<String>, RootfsError> {
        let mut names = self.mounted()?;
        let entries = fs::read_dir(&self.directory).map_err(|source| RootfsError::Prepare {
            path: self.directory.clone(),
            source,
        })?;
        names.extend(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()));
        names.sort();
        names.dedup();
        names.retain(|name| !keep(name));
        let mut result = Ok(());
        for name in &names {
            if let Err(error) = self.unmount(name) {
                result = result.and(Err(error));
            }
        }
        result.map(|()| names)
    }
}

impl Mounts {
    /// Leaves the directory as it was before the first mount, if nothing is mounted in it.
    ///
    /// # Errors
    /// The mount table cannot be read, or the kernel refuses.
    pub fn give_back(&self) -> Result<(), RootfsError> {
        let mut points = mount_points()?;
        points.retain(|point| point.starts_with(&self.directory));
        if points.iter().any(|point| *point != self.directory) {
            return Ok(());
        }
        points.iter().try_for_each(|point| unmount_at(point))
    }
}

/// Told since Linux 5.8 (fs/stat.c); workloads need a newer one.
fn is_mount(found: &Statx) -> bool {
    found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
}

/// Unmounts what is mounted there, also several over each other; nothing is fine.
fn clear(target: &Path) -> Result<(), RootfsError> {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    while statx(CWD, target, flags, StatxFlags::empty()).is_ok_and(|found| is_mount(&found)) {
        unmount_at(target)?;
    }
    Ok(())
}

/// All mount points of the agent's mount namespace.
fn mount_points() -> Result<Vec<PathBuf>, RootfsError> {
    let failed = |error: ProcError| RootfsError::MountTable {
        source: io::Error::other(error),
    };
    let table = Process::myself().and_then(|me| me.mountinfo());
    let mounts = table.map_err(failed)?.0;
    Ok(mounts
        .into_iter()
        .map(|mount| unescaped(&mount.mount_point))
        .collect())
}

/// The table has blanks, line feeds and backslashes in octal (fs/proc_namespace.c, v6.12).
fn unescaped(path: &Path) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = path.as_os_str().as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let octal = after.get(..3).and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        match octal {
            Some(escaped) if *byte == b'\\' => {
                bytes.push(escaped);
                rest = after.get(3..).unwrap_or_default();
            }
            _ => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    PathBuf::from(OsStr::from_bytes(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_the_mount_table_are_read() {
        let read = |text: &str| unescaped(Path::new(text)).display().to_string();
        assert_eq!(read(r"/a\040b\134\011"), "/a b\\\t");
        assert_eq!(read(r"/a\"), r"/a\");
        assert_eq!(read(r"/plain"), "/plain");
    }
}
