//! A tree of files that nobody trusts, changed through directory descriptors: no name leads out of it.
//!
//! The kernel resolves (`openat2`), at the moment of use: what a workload renames meanwhile changes
//! what is found, never where it can be.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RawMode, ResolveFlags, Stat};
use rustix::io::Errno;

use super::attributes::set_owner;
use super::users::UserRange;

/// `openat2` gives up when a rename comes between; it says so.
const ATTEMPTS: u32 = 64;

/// What a symbolic link on the way means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    /// It is refused.
    Refuse,
    /// It is followed as a process would whose root directory this tree is.
    Follow,
}

/// A directory, and how names below it are resolved.
#[derive(Debug)]
pub(crate) struct Tree {
    root: OwnedFd,
    links: Links,
    /// Whose the files are on the host: who looks from inside sees others.
    users: Option<UserRange>,
}

impl Tree {
    pub(crate) const fn new(root: OwnedFd, links: Links) -> Self {
        Self {
            root,
            links,
            users: None,
        }
    }

    /// The same, seen by users of a container's own.
    pub(crate) fn of(self, users: Option<UserRange>) -> Self {
        Self { users, ..self }
    }

    pub(crate) const fn users(&self) -> Option<UserRange> {
        self.users
    }

    /// The tree of a directory on the host.
    pub(crate) fn open(path: &Path, links: Links) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self::new(root, links))
    }

    pub(crate) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Opens what is at `path` below the root.
    pub(crate) fn at(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let resolve = match self.links {
            Links::Refuse => ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
            // Links of /proc lead out of every root.
            Links::Follow => ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
        };
        let mut attempt = 0;
        loop {
            let flags = flags | OFlags::CLOEXEC;
            match rustix::fs::openat2(&self.root, path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN) if attempt < ATTEMPTS => attempt += 1,
                opened => return opened.map_err(io::Error::from),
            }
        }
    }

    /// A directory, to make things in.
    pub(crate) fn directory(&self, path: &Path) -> io::Result<OwnedFd> {
        self.at(path, OFlags::PATH | OFlags::DIRECTORY)
    }

    /// As [`directory`](Self::directory); those that are missing are made, root's and open to all.
    pub(crate) fn make_directory(&self, path: &Path) -> io::Result<OwnedFd> {
        match self.directory(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && path != Path::new("") => {}
            found => return found,
        }
        let (parent, name) = split(path);
        let parent = self.make_directory(parent)?;
        match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => {
                let made = self.directory(path)?;
                if let Some(users) = self.users {
                    set_owner(made.as_fd(), users.first_uid, users.first_gid)?;
                }
                Ok(made)
            }
            Err(Errno::EXIST) => self.directory(path),
            Err(error) => Err(error.into()),
        }
    }
}

/// The name below the root that an archive or a user means; a leading `/` is the tree's root.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn relative(path: &[u8]) -> Result<PathBuf, &'static str> {
    let mut relative = PathBuf::new();
    for component in Path::new(OsStr::from_bytes(path)).components() {
        match component {
            Component::Normal(name) => relative.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return Err("has .. in its name"),
        }
    }
    if path.contains(&0) {
        return Err("has a zero byte in its name");
    }
    Ok(relative)
}

/// The directory that something is in, and its name there; for the root itself `.`.
pub(crate) fn split(path: &Path) -> (&Path, &OsStr) {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => (parent, name),
        _ => (Path::new(""), OsStr::new(".")),
    }
}

/// What is at a name, without following it; `None`: nothing.
pub(crate) fn stat(directory: BorrowedFd<'_>, name: &OsStr) -> io::Result<Option<Stat>> {
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Of what kind it is.
pub(crate) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode as RawMode)
}

/// A character device 0:0: how overlayfs notes that a name of a lower layer is gone.
pub(crate) fn is_whiteout(stat: &Stat) -> bool {
    kind(stat) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// Removes what is at a name with all below it, on this file system; nothing is fine too.
///
/// A workload nests directories deeper than stacks, paths and tables of descriptors go: one is open at a
/// time, and the way back up is the directory's own `..`.
pub(crate) fn remove(directory: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut current = rustix::io::fcntl_dupfd_cloexec(directory, 0)?;
    let mut way = vec![Emptied {
        identity: identity(current.as_fd())?,
        left: vec![name.to_owned()],
    }];
    while let Some(emptied) = way.last_mut() {
        let Some(name) = emptied.left.last() else {
            way.pop();
            if let Some(above) = way.last() {
                current = parent(current.as_fd(), above.identity)?;
            }
            continue;
        };
        match rustix::fs::unlinkat(&current, name.as_os_str(), AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => {
                emptied.left.pop();
            }
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                current = enter(current.as_fd(), name)?;
                way.push(Emptied::of_files(current.as_fd())?);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// [`remove`] of what is in a directory of the host's.
pub(crate) fn remove_in(directory: &Path, name: &OsStr) -> io::Result<()> {
    remove(Tree::open(directory, Links::Refuse)?.root(), name)
}

/// A directory on the way down that [`remove`] is taking.
struct Emptied {
    /// Device and inode.
    identity: (u64, u64),
    /// Directories in it that are still there.
    left: Vec<OsString>,
}

impl Emptied {
    /// Removes all that is no directory.
    fn of_files(directory: BorrowedFd<'_>) -> io::Result<Self> {
        let mut left = Vec::new();
        for name in names(directory)? {
            match rustix::fs::unlinkat(directory, name.as_os_str(), AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::ISDIR) => left.push(name),
                Err(error) => return Err(error.into()),
            }
        }
        let identity = identity(directory)?;
        Ok(Self { identity, left })
    }
}

fn identity(directory: BorrowedFd<'_>) -> io::Result<(u64, u64)> {
    let stat = rustix::fs::fstat(directory)?;
    Ok((stat.st_dev, stat.st_ino))
}

/// A directory by its name alone, not through a link and not what is mounted over it.
fn enter(directory: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    match rustix::fs::openat2(directory, name, flags, Mode::empty(), resolve) {
        Err(Errno::XDEV) => Err(Errno::BUSY.into()),
        entered => Ok(entered?),
    }
}

/// The directory above, if that is still the one that it was entered from: a workload may move it.
fn parent(directory: BorrowedFd<'_>, expected: (u64, u64)) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let parent = rustix::fs::openat(directory, "..", flags, Mode::empty())?;
    if identity(parent.as_fd())? != expected {
        return Err(io::Error::other("it was moved while it was removed"));
    }
    Ok(parent)
}

/// What is in a directory, in order.
pub(crate) fn names(directory: BorrowedFd<'_>) -> io::Result<Vec<OsString>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(directory, ".", flags, Mode::empty())?;
    let mut names = Vec::new();
    for entry in Dir::new(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Opens a regular file for reading; never waits for the other end of what turns out to be a pipe.
pub(crate) fn open_file(directory: BorrowedFd<'_>, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    Ok(File::from(file))
}

#[cfg(test)]
#[path = "tree_tests.rs"]
pub(crate) mod tests;
