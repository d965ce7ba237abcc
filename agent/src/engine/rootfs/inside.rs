//! Files in and out of a root filesystem, by the names that its processes know: what `docker cp` asks.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FileType, Mode, OFlags, Stat};
use serde::{Deserialize, Serialize};

use super::RootfsError;
use super::pack::{is_kernels, pack};
use super::tree::{self, Links, Tree};
use super::unpack::{Form, unpack};
use super::users::UserRange;

/// A root filesystem as the processes in it see it: links lead where they do for them.
#[derive(Debug)]
pub struct Inside {
    tree: Tree,
}

/// What is at a path; the header `X-Docker-Container-Path-Stat` has it as JSON in base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PathStat {
    pub name: String,
    /// Bytes.
    pub size: i64,
    /// As Go's `os.FileMode` has it: permissions in the low nine bits, kinds in the high ones.
    pub mode: u32,
    /// RFC 3339.
    pub mtime: String,
    /// Where a link leads in the end, from the root; empty for others.
    pub link_target: String,
}

/// How an archive is written into a root filesystem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Writing {
    /// `noOverwriteDirNonDir`: a directory is not replaced by something else, nor the other way round.
    pub keep_kinds: bool,
}

impl Inside {
    /// Of a mounted tree, or of the root directory of a process (`/proc/PID/root`), which has its
    /// volumes too.
    ///
    /// # Errors
    /// It is no directory.
    pub fn open(root: &Path) -> io::Result<Self> {
        let tree = Tree::open(root, Links::Follow)?;
        Ok(Self { tree })
    }

    /// Of a tree that is mounted nowhere.
    #[must_use]
    pub fn new(root: OwnedFd) -> Self {
        let tree = Tree::new(root, Links::Follow);
        Self { tree }
    }

    /// The same, seen by users of a container's own.
    #[must_use]
    pub fn of(self, users: Option<UserRange>) -> Self {
        let tree = self.tree.of(users);
        Self { tree }
    }

    pub(crate) const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// What is at `path`; a link is not followed unless the path ends with `/`.
    ///
    /// # Errors
    /// There is nothing, or it cannot be looked up. `container` is for the message.
    pub fn stat(&self, container: &str, path: &str) -> Result<PathStat, RootfsError> {
        let asked = Asked::new(path);
        let (_, _, stat) = self.find(container, path, &asked)?;
        let is_link = tree::kind(&stat) == FileType::Symlink;
        let mtime = Duration::new(
            u64::try_from(stat.st_mtime).unwrap_or(0),
            u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
        );
        let mtime = SystemTime::UNIX_EPOCH + mtime;
        Ok(PathStat {
            name: asked.base.to_string_lossy().into_owned(),
            size: stat.st_size,
            mode: go_mode(&stat),
            mtime: humantime::format_rfc3339_nanos(mtime).to_string(),
            link_target: if is_link {
                self.end_of_link(&asked.path)
            } else {
                String::new()
            },
        })
    }

    /// Where a path to a directory leads in the end, from the root.
    ///
    /// # Errors
    /// It is no directory.
    pub fn real(&self, container: &str, path: &str) -> Result<PathBuf, RootfsError> {
        let asked = Asked::new(path);
        let directory = self.directory(container, path, &asked)?;
        self.name_of(&directory)
            .map_err(|source| not_found(container, path, source))
    }

    /// Writes an archive of what is at `path`, named by its last name.
    ///
    /// # Errors
    /// There is nothing, or it cannot be read, or the archive cannot be written.
    pub fn read(
        &self,
        container: &str,
        path: &str,
        out: &mut dyn Write,
    ) -> Result<(), RootfsError> {
        let asked = Asked::new(path);
        let (directory, name, _) = self.find(container, path, &asked)?;
        let users = self.tree.users();
        pack(directory.as_fd(), &name, &asked.base, users, out).map_err(|source| {
            RootfsError::Read {
                path: path.to_owned(),
                source,
            }
        })
    }

    /// Unpacks an archive in the directory at `path`.
    ///
    /// # Errors
    /// It is no directory, or something in the archive is refused. What was unpacked before stays.
    pub fn write(
        &self,
        container: &str,
        path: &str,
        archive: impl Read,
        writing: Writing,
    ) -> Result<(), RootfsError> {
        let asked = Asked::new(path);
        self.directory(container, path, &asked)?;
        let form = Form::Files {
            keep_kinds: writing.keep_kinds,
            keep_base: true,
        };
        unpack(archive, &self.tree, &asked.path, form)?;
        Ok(())
    }

    fn directory(
        &self,
        container: &str,
        path: &str,
        asked: &Asked,
    ) -> Result<OwnedFd, RootfsError> {
        let directory = self.tree.directory(&asked.path);
        directory.map_err(|source| match source.kind() {
            ErrorKind::NotADirectory => RootfsError::NotADirectory,
            _ => not_found(container, path, source),
        })
    }

    /// The directory that it is in, its name there, and what it is.
    fn find(
        &self,
        container: &str,
        path: &str,
        asked: &Asked,
    ) -> Result<(OwnedFd, OsString, Stat), RootfsError> {
        let found = (|| {
            let (directory, name) = if asked.is_directory {
                (self.tree.directory(&asked.path)?, OsStr::new("."))
            } else {
                let (parent, name) = tree::split(&asked.path);
                (self.tree.directory(parent)?, name)
            };
            let stat = tree::stat(directory.as_fd(), name)?;
            let stat = stat.ok_or(io::Error::from(ErrorKind::NotFound))?;
            // Of what is made as it is read nobody knows the length. For Docker, which looks below what is
            // mounted in a container, it is not there.
            let is_file = tree::kind(&stat) == FileType::RegularFile;
            if is_file && is_kernels(open(directory.as_fd(), name)?)? {
                return Err(ErrorKind::NotFound.into());
            }
            Ok((directory, name.to_owned(), stat))
        })();
        found.map_err(|source| not_found(container, path, source))
    }

    /// What an open file is called, from the root.
    fn name_of(&self, file: &OwnedFd) -> io::Result<PathBuf> {
        let of = |fd: i32| fs::read_link(format!("/proc/self/fd/{fd}"));
        let root = of(self.tree.root().as_raw_fd())?;
        let name = of(file.as_raw_fd())?;
        let inside = name.strip_prefix(root).map_err(io::Error::other)?;
        Ok(Path::new("/").join(inside))
    }

    /// What cannot be followed is told as the link has it.
    fn end_of_link(&self, path: &Path) -> String {
        let end = self.tree.at(path, OFlags::PATH);
        let end = end.and_then(|end| self.name_of(&end));
        let end = end.unwrap_or_else(|_| {
            let (parent, name) = tree::split(path);
            let directory = self.tree.directory(parent);
            let target = directory
                .and_then(|directory| Ok(rustix::fs::readlinkat(directory, name, Vec::new())?));
            let target = target
                .map(std::ffi::CString::into_bytes)
                .unwrap_or_default();
            let from = Path::new("/").join(parent);
            from.join(OsString::from_vec(target))
        });
        end.to_string_lossy().into_owned()
    }
}

/// To ask about, not to read.
fn open(directory: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(directory, name, flags, Mode::empty())?)
}

fn not_found(container: &str, path: &str, source: io::Error) -> RootfsError {
    match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => RootfsError::NoSuchFile {
            path: path.to_owned(),
            container: container.to_owned(),
        },
        _ => RootfsError::Resolve {
            path: path.to_owned(),
            source,
        },
    }
}

/// A path as a user writes it: from the root whether it says so or not, `..` by its letters.
struct Asked {
    /// From the root.
    path: PathBuf,
    /// What an archive of it calls it.
    base: OsString,
    /// It ends as only a directory does.
    is_directory: bool,
}

impl Asked {
    fn new(asked: &str) -> Self {
        let path = lexical(Path::new(asked));
        let is_dot = asked == "." || asked.ends_with("/.");
        let is_directory = is_dot || asked.ends_with('/') || path == Path::new("");
        let base = match path.file_name() {
            _ if is_dot => OsStr::new("."),
            Some(name) => name,
            None => OsStr::new("/"),
        };
        Self {
            base: base.to_owned(),
            is_directory,
            path,
        }
    }
}

/// From the root, `..` by its letters.
#[must_use]
pub fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    clean
}

/// Go's `os.FileMode` (src/io/fs/fs.go, 1.23).
fn go_mode(stat: &Stat) -> u32 {
    let kind = match tree::kind(stat) {
        FileType::Directory => 1 << 31,
        FileType::Symlink => 1 << 27,
        FileType::BlockDevice => 1 << 26,
        FileType::CharacterDevice => (1 << 26) | (1 << 21),
        FileType::Fifo => 1 << 25,
        FileType::Socket => 1 << 24,
        FileType::RegularFile | FileType::Unknown => 0,
    };
    let bits = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)];
    let special = bits.iter().filter(|(unix, _)| stat.st_mode & unix != 0);
    special.fold(kind | (stat.st_mode & 0o777), |mode, (_, go)| mode | go)
}

#[cfg(test)]
#[path = "inside_tests.rs"]
mod tests;
