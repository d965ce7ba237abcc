//! Owner, mode, times and extended attributes of a file, as archives carry them.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::PathBuf;

use rustix::fs::{AtFlags, Gid, Mode, OFlags, RawMode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use super::archive::Attributes;

/// What overlayfs itself notes; from outside it would change what the layers mean.
pub(crate) const OVERLAY: [&str; 2] = ["trusted.overlay.", "user.overlay."];
/// Those that are taken along when a tree is read: what a program asked for, and what gives rights.
const COPIED: [&str; 3] = ["security.capability", "system.posix_acl_", "user."];

/// A file: its directory and its name there. A link is never followed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) directory: BorrowedFd<'a>,
    pub(crate) name: &'a OsStr,
}

impl Place<'_> {
    /// All of them, times last. A link has no mode.
    pub(crate) fn set(self, attributes: &Attributes, is_link: bool) -> io::Result<()> {
        // Held, so that nobody puts a link to the host in its place in between.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(self.directory, self.name, flags, Mode::empty())?;
        set_owner(file.as_fd(), attributes.uid, attributes.gid)?;
        // After the owner: chown(2) takes capabilities and set-id bits away.
        for (name, value) in &attributes.xattrs {
            self.set_xattr(name, value)?;
        }
        if !is_link {
            set_mode(file.as_fd(), attributes.mode)?;
        }
        set_mtime(file.as_fd(), attributes.mtime)
    }

    /// The time of access becomes the same, as engines do.
    pub(crate) fn set_mtime(self, mtime: Timespec) -> io::Result<()> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(self.directory, self.name, flags, Mode::empty())?;
        set_mtime(file.as_fd(), mtime)
    }

    /// One that the file system does not have is left out, unless it decides over rights.
    pub(crate) fn set_xattr(self, name: &str, value: &[u8]) -> io::Result<()> {
        match rustix::fs::lsetxattr(self.path(), name, value, XattrFlags::empty()) {
            Err(Errno::NOTSUP) if !name.starts_with("security.") => {
                tracing::warn!(name, file = %self.name.display(), "extended attribute left out");
                Ok(())
            }
            set => Ok(set?),
        }
    }

    /// Those that a copy keeps.
    pub(crate) fn xattrs(self) -> io::Result<Vec<(String, Vec<u8>)>> {
        let path = self.path();
        let mut names = vec![0; 4096];
        let size = loop {
            match rustix::fs::llistxattr(&path, &mut names[..]) {
                Ok(size) => break size,
                Err(Errno::RANGE) => names.resize(names.len() * 4, 0),
                Err(Errno::NOTSUP) => return Ok(Vec::new()),
                Err(error) => return Err(error.into()),
            }
        };
        let mut found = Vec::new();
        for name in names
            .get(..size)
            .unwrap_or_default()
            .split(|byte| *byte == 0)
        {
            let Ok(name) = std::str::from_utf8(name) else {
                continue;
            };
            let is_overlays = OVERLAY.iter().any(|prefix| name.starts_with(prefix));
            if is_overlays || !COPIED.iter().any(|prefix| name.starts_with(prefix)) {
                continue;
            }
            if let Some(value) = self.xattr(name)? {
                found.push((name.to_owned(), value));
            }
        }
        found.sort();
        Ok(found)
    }

    /// One value; `None`: it does not have it.
    pub(crate) fn xattr(self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let mut value = vec![0; 64 << 10];
        match rustix::fs::lgetxattr(self.path(), name, &mut value[..]) {
            Ok(size) => {
                value.truncate(size);
                Ok(Some(value))
            }
            Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// `lsetxattrat` came with Linux 6.13; a descriptor's link leads to the directory itself.
    pub(super) fn path(self) -> PathBuf {
        let mut path = PathBuf::from(format!("/proc/self/fd/{}", self.directory.as_raw_fd()));
        path.push(self.name);
        path
    }
}

/// Of what a descriptor holds, be it a link.
pub(crate) fn set_owner(file: BorrowedFd<'_>, uid: u32, gid: u32) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    let flags = AtFlags::EMPTY_PATH;
    Ok(rustix::fs::chownat(file, "", Some(uid), Some(gid), flags)?)
}

/// `fchmodat2` came with Linux 6.6; the descriptor's link leads to what it holds.
pub(crate) fn set_mode(file: BorrowedFd<'_>, mode: u32) -> io::Result<()> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let mode = Mode::from_raw_mode(mode as RawMode);
    Ok(rustix::fs::chmod(path, mode)?)
}

fn set_mtime(file: BorrowedFd<'_>, mtime: Timespec) -> io::Result<()> {
    let times = Timestamps {
        last_access: mtime,
        last_modification: mtime,
    };
    Ok(rustix::fs::utimensat(
        file,
        "",
        &times,
        AtFlags::EMPTY_PATH,
    )?)
}
