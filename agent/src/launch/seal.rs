//! The executable, out of reach of whoever runs in a workload (CVE-2019-5736).
//!
//! `/proc/PID/exe` of a process that enters a workload leads back to our file on the host, and being
//! root in the workload is enough to overwrite it. So such a process only ever runs from a file that
//! nobody can write: the same one seen through a read-only overlay that is mounted nowhere and has no
//! layer to write to (0.1 ms, no copy, page cache shared), else a sealed copy in memory.

use std::ffi::{CString, OsStr};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstatfs, fstatvfs,
    memfd_create, openat,
};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount,
    fsopen,
};

use super::state_dir::private_dirs;

const OWN_EXECUTABLE: &str = "/proc/self/exe";
/// An overlay takes two layers to be read-only; this one has nothing in it.
const EMPTY_LAYER: &str = "/run/plimsoll/empty";
/// include/uapi/linux/magic.h
const OVERLAYFS_SUPER_MAGIC: i64 = 0x794c_7630;

/// This executable, as a file that cannot be written.
#[derive(Debug)]
pub struct Sealed {
    file: OwnedFd,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("cannot make a copy of the executable that cannot be written")]
    Copy(#[source] io::Error),
    #[error("cannot start the sealed executable")]
    Exec(#[source] io::Error),
}

impl Sealed {
    /// Seals this process's own executable.
    ///
    /// # Errors
    /// Out of memory; no `/proc`.
    pub fn own() -> Result<Self, SealError> {
        Self::of(Path::new(OWN_EXECUTABLE))
    }

    /// Seals an executable.
    ///
    /// # Errors
    /// Out of memory; it cannot be read.
    pub fn of(executable: &Path) -> Result<Self, SealError> {
        let file = match overlay(executable) {
            Ok(file) => file,
            Err(error) => {
                tracing::debug!(%error, "executable is sealed in memory");
                copy(executable).map_err(SealError::Copy)?
            }
        };
        Ok(Self { file })
    }

    /// A path that this process can start it by, as long as it keeps the value.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }
}

/// Goes on in a sealed executable: returns at once when this is one, else starts anew with the same
/// arguments. To be called before anything else is done.
///
/// # Errors
/// It cannot be sealed or started.
pub fn ensure_sealed() -> Result<(), SealError> {
    let own = File::open(OWN_EXECUTABLE).map_err(SealError::Copy)?;
    if is_sealed(&own) {
        return Ok(());
    }
    drop(own);
    let sealed = Sealed::own()?;
    let text = |text: &OsStr| CString::new(text.as_bytes());
    let arguments: Result<Vec<_>, _> = std::env::args_os().map(|one| text(&one)).collect();
    let environment: Result<Vec<_>, _> = std::env::vars_os()
        .map(|(name, value)| text(&[name.as_os_str(), value.as_os_str()].join(OsStr::new("="))))
        .collect();
    let (Ok(arguments), Ok(environment)) = (arguments, environment) else {
        // The kernel hands over texts that end at a zero byte.
        return Err(SealError::Exec(io::ErrorKind::InvalidInput.into()));
    };
    let error = nix::unistd::fexecve(&sealed.file, &arguments, &environment);
    Err(SealError::Exec(
        error
            .err()
            .map_or_else(io::Error::last_os_error, io::Error::from),
    ))
}

fn is_sealed(file: &File) -> bool {
    let in_overlay = fstatfs(file).is_ok_and(|fs| fs.f_type == OVERLAYFS_SUPER_MAGIC);
    let read_only =
        fstatvfs(file).is_ok_and(|fs| fs.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
    let in_memory = fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SealFlags::WRITE));
    (in_overlay && read_only) || in_memory
}

/// Not writable even for CAP_SYS_ADMIN: without an upper layer overlayfs refuses to become writable
/// (fs/overlayfs/params.c `ovl_reconfigure()`, v6.12).
fn overlay(executable: &Path) -> io::Result<OwnedFd> {
    let path = executable.canonicalize()?;
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    private_dirs(Path::new(EMPTY_LAYER))?;
    let folder = File::open(folder)?;
    let empty = File::open(EMPTY_LAYER)?;
    let overlay = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    // By descriptor, because a path could have colons in it.
    let layer = |folder: &File| format!("/proc/self/fd/{}", folder.as_raw_fd());
    let layers = format!("{}:{}", layer(&folder), layer(&empty));
    fsconfig_set_string(overlay.as_fd(), "lowerdir", &layers)?;
    fsconfig_create(overlay.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV;
    let mount = fsmount(overlay.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = File::from(openat(&mount, name, flags, Mode::empty())?);
    // An upgrade may have put another one in its place.
    let (own, seen) = (fs::metadata(executable)?, file.metadata()?);
    let is_own = own.len() == seen.len() && own.ino() == seen.ino() && own.mtime() == seen.mtime();
    if !is_own || !is_sealed(&file) {
        return Err(io::Error::other("the overlay shows another file"));
    }
    Ok(file.into())
}

fn copy(executable: &Path) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut copy = File::from(memfd_create("plimsoll", flags)?);
    io::copy(&mut File::open(executable)?, &mut copy)?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    fcntl_add_seals(&copy, seals)?;
    // The one that is still open for writing could not be started ("text file busy").
    let read_only = File::open(format!("/proc/self/fd/{}", copy.as_raw_fd()))?;
    Ok(read_only.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn reopened_for_writing(file: &OwnedFd) -> io::Result<()> {
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let mut file = File::options().write(true).open(path)?;
        io::Write::write_all(&mut file, b"overwritten")
    }

    #[test]
    fn a_copy_in_memory_cannot_be_written() {
        let file = copy(Path::new(OWN_EXECUTABLE)).unwrap();
        assert!(is_sealed(&File::from(file.try_clone().unwrap())));
        assert!(reopened_for_writing(&file).is_err());
        let own = fs::read(OWN_EXECUTABLE).unwrap();
        let sealed = Sealed { file };
        assert_eq!(fs::read(sealed.path()).unwrap(), own);
    }

    #[test]
    fn a_plain_file_is_not_sealed() {
        assert!(!is_sealed(&tempfile::tempfile().unwrap()));
    }
}
