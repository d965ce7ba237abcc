//! From an archive to a tree of files: as a layer of an image, or as it is.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Timespec};

use super::archive::{self, ArchiveError, Entry, Kind};
use super::attributes::{OVERLAY, Place};
use super::tree::{self, Tree};
use super::whiteout::{self, Whiteout};

const CHUNK: usize = 128 << 10;

/// What the names in an archive mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A layer of an image: `.wh.` names are whiteouts, and become overlayfs's.
    Layer,
    /// Files for a tree that is there already.
    Files {
        /// A directory is not replaced by something else, nor something else by a directory.
        keep_kinds: bool,
        /// What the archive says of the directory itself that it goes to is left out.
        keep_base: bool,
    },
}

/// Unpacks below `base`, a directory of the tree; returns the bytes of all files, links by
/// the length of what they say, as Docker counts.
///
/// # Errors
/// The archive cannot be read, something in it is refused, or the file system says no. What was
/// unpacked before stays.
pub(crate) fn unpack(
    reader: impl Read,
    tree: &Tree,
    base: &Path,
    form: Form,
) -> Result<u64, ArchiveError> {
    let mut unpacker = Unpacker {
        tree,
        base,
        form,
        parent: None,
        directories: BTreeMap::new(),
        bytes: 0,
        chunk: vec![0; CHUNK],
    };
    archive::read(reader, |entry| unpacker.entry(entry))?;
    unpacker.finish()
}

struct Unpacker<'a> {
    tree: &'a Tree,
    base: &'a Path,
    form: Form,
    /// The directory of the entry before: most entries lie beside it.
    parent: Option<(PathBuf, OwnedFd)>,
    /// Their times are set at the end: what is made in them changes it.
    directories: BTreeMap<PathBuf, Timespec>,
    bytes: u64,
    chunk: Vec<u8>,
}

impl Unpacker<'_> {
    fn entry(&mut self, entry: &mut Entry<'_>) -> Result<(), ArchiveError> {
        let path = tree::relative(&entry.path).map_err(|reason| entry.refused(reason))?;
        if let Form::Files {
            keep_base: true, ..
        } = self.form
            && path == Path::new("")
            && entry.kind == Kind::Directory
        {
            return Ok(());
        }
        let name = entry.name();
        let failed = |source: io::Error| match source.raw_os_error() {
            // RESOLVE_NO_SYMLINKS says ELOOP, RESOLVE_BENEATH EXDEV.
            Some(code) if is_through_a_link(code) => ArchiveError::Refused {
                name: name.clone(),
                reason: "leads through a symbolic link",
            },
            _ => ArchiveError::Unpack {
                name: name.clone(),
                source,
            },
        };
        let is_overlays =
            |(name, _): &(String, Vec<u8>)| OVERLAY.iter().any(|prefix| name.starts_with(prefix));
        let has_overlays = entry.attributes.xattrs.iter().any(is_overlays);
        if has_overlays {
            return Err(entry.refused("carries an attribute that is overlayfs's own"));
        }
        if let Some(users) = self.tree.users() {
            let attributes = &mut entry.attributes;
            let Some(owners) = users.outside(attributes.uid, attributes.gid) else {
                return Err(entry.refused("belongs to one who is no user of the container's"));
            };
            (attributes.uid, attributes.gid) = owners;
        }
        let whole = self.base.join(path);
        let (directory, last) = tree::split(&whole);
        let parent = self.parent(directory).map_err(failed)?;
        let last_name = last.to_owned();
        let made = match whiteout::meaning(self.form, last) {
            Ok(None) => self.make(entry, parent.as_fd(), &last_name, &whole, &failed),
            Ok(Some(whiteout)) => self.whiteout(&parent, &whiteout).map_err(failed),
            Err(reason) => Err(entry.refused(reason)),
        };
        self.parent = Some((directory.to_owned(), parent));
        made
    }

    fn parent(&mut self, directory: &Path) -> io::Result<OwnedFd> {
        match self.parent.take() {
            Some((path, parent)) if path == directory => Ok(parent),
            _ => match self.tree.make_directory(directory) {
                Err(error)
                    if error.kind() == ErrorKind::NotADirectory && self.form == Form::Layer =>
                {
                    self.replace_whiteouts(directory)?;
                    self.tree.make_directory(directory)
                }
                made => made,
            },
        }
    }

    /// Something is made in what this layer hides of lower ones, without an entry of its own.
    fn replace_whiteouts(&self, directory: &Path) -> io::Result<()> {
        let mut ancestors: Vec<_> = directory.ancestors().collect();
        ancestors.reverse();
        for path in ancestors {
            let (parent, name) = tree::split(path);
            let parent = self.tree.directory(parent)?;
            let Some(stat) = tree::stat(parent.as_fd(), name)? else {
                return Ok(());
            };
            if tree::is_whiteout(&stat) {
                tree::remove(parent.as_fd(), name)?;
                rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755))?;
                return whiteout::make_opaque(Place {
                    directory: parent.as_fd(),
                    name,
                });
            }
        }
        Ok(())
    }

    fn whiteout(&self, parent: &OwnedFd, whiteout: &Whiteout<'_>) -> io::Result<()> {
        match whiteout {
            Whiteout::Ignored => Ok(()),
            Whiteout::Opaque => whiteout::make_opaque(Place {
                directory: parent.as_fd(),
                name: OsStr::new("."),
            }),
            Whiteout::Of(name) => whiteout::make(Place {
                directory: parent.as_fd(),
                name,
            }),
        }
    }

    fn make(
        &mut self,
        entry: &mut Entry<'_>,
        parent: BorrowedFd<'_>,
        name: &OsStr,
        path: &Path,
        failed: &dyn Fn(io::Error) -> ArchiveError,
    ) -> Result<(), ArchiveError> {
        let place = Place {
            directory: parent,
            name,
        };
        let stays = self.clear(entry, place, failed)?;
        match entry.kind {
            Kind::Directory => {
                if let Stays::No { was_whiteout } = stays {
                    let mode = Mode::from_raw_mode(0o700);
                    rustix::fs::mkdirat(parent, name, mode).map_err(|e| failed(e.into()))?;
                    if was_whiteout {
                        whiteout::make_opaque(place).map_err(failed)?;
                    }
                }
                self.directories
                    .insert(path.to_owned(), entry.attributes.mtime);
            }
            Kind::File | Kind::Sparse => self.file(entry, place, failed)?,
            Kind::Symlink => {
                let target = OsStr::from_bytes(&entry.link);
                rustix::fs::symlinkat(target, parent, name).map_err(|e| failed(e.into()))?;
                self.bytes = self.bytes.saturating_add(entry.link.len() as u64);
            }
            // It shares the attributes of what it is linked to.
            Kind::Hardlink => return self.hardlink(entry, place, failed),
            Kind::Fifo => node(place, FileType::Fifo, 0).map_err(failed)?,
            Kind::Char { major, minor } => {
                if (major, minor) == (0, 0) {
                    return Err(entry.refused("is the device 0:0, which hides files"));
                }
                let device = rustix::fs::makedev(major, minor);
                node(place, FileType::CharacterDevice, device).map_err(failed)?;
            }
            Kind::Block { major, minor } => {
                let device = rustix::fs::makedev(major, minor);
                node(place, FileType::BlockDevice, device).map_err(failed)?;
            }
        }
        let is_link = entry.kind == Kind::Symlink;
        place.set(&entry.attributes, is_link).map_err(failed)
    }

    /// Makes room for an entry.
    fn clear(
        &mut self,
        entry: &Entry<'_>,
        place: Place<'_>,
        failed: &dyn Fn(io::Error) -> ArchiveError,
    ) -> Result<Stays, ArchiveError> {
        let Some(old) = tree::stat(place.directory, place.name).map_err(failed)? else {
            return Ok(Stays::No {
                was_whiteout: false,
            });
        };
        let was_directory = tree::kind(&old) == FileType::Directory;
        let is_directory = entry.kind == Kind::Directory;
        if was_directory && is_directory {
            return Ok(Stays::Yes);
        }
        if place.name == "." {
            return Err(entry.refused("is the root, and no directory"));
        }
        if let Form::Files {
            keep_kinds: true, ..
        } = self.form
            && was_directory != is_directory
        {
            return Err(entry.refused(if was_directory {
                "would overwrite a directory with a non-directory"
            } else {
                "would overwrite a non-directory with a directory"
            }));
        }
        tree::remove(place.directory, place.name).map_err(failed)?;
        Ok(Stays::No {
            was_whiteout: self.form == Form::Layer && tree::is_whiteout(&old),
        })
    }

    fn file(
        &mut self,
        entry: &mut Entry<'_>,
        place: Place<'_>,
        failed: &dyn Fn(io::Error) -> ArchiveError,
    ) -> Result<(), ArchiveError> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o600);
        let file = rustix::fs::openat(place.directory, place.name, flags, mode);
        let mut file = File::from(file.map_err(|error| failed(error.into()))?);
        let holes = entry.kind == Kind::Sparse;
        if holes {
            file.set_len(entry.size).map_err(failed)?;
        }
        let mut left = entry.size;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let chunk = self.chunk.get_mut(..most).unwrap_or_default();
            let read = match entry.content.read(chunk) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(source) => return Err(ArchiveError::Read { source }),
            };
            let data = chunk.get(..read).unwrap_or_default();
            if data.is_empty() {
                return Err(entry.refused("is shorter than it says"));
            }
            if holes && data.iter().all(|byte| *byte == 0) {
                let ahead = i64::try_from(read).unwrap_or(0);
                file.seek(SeekFrom::Current(ahead)).map_err(failed)?;
            } else {
                file.write_all(data).map_err(failed)?;
            }
            left -= read as u64;
        }
        self.bytes = self.bytes.saturating_add(entry.size);
        Ok(())
    }

    fn hardlink(
        &self,
        entry: &Entry<'_>,
        place: Place<'_>,
        failed: &dyn Fn(io::Error) -> ArchiveError,
    ) -> Result<(), ArchiveError> {
        let outside = "is a link to something outside of the archive";
        let target = tree::relative(&entry.link).map_err(|_| entry.refused(outside))?;
        let whole = self.base.join(target);
        let (directory, last) = tree::split(&whole);
        let missing = |error: io::Error| match error.kind() {
            ErrorKind::NotFound => entry.refused(outside),
            _ => failed(error),
        };
        let directory = self.tree.directory(directory).map_err(missing)?;
        let target = tree::stat(directory.as_fd(), last).map_err(missing)?;
        let target = target.filter(|target| !tree::is_whiteout(target));
        let target = target.ok_or_else(|| entry.refused(outside))?;
        if tree::kind(&target) == FileType::Directory {
            return Err(entry.refused("is a hard link to a directory"));
        }
        // Without AT_SYMLINK_FOLLOW it is a link to the symbolic link itself.
        let none = AtFlags::empty();
        rustix::fs::linkat(&directory, last, place.directory, place.name, none)
            .map_err(|error| failed(error.into()))
    }

    fn finish(self) -> Result<u64, ArchiveError> {
        for (path, mtime) in self.directories.iter().rev() {
            let (parent, name) = tree::split(path);
            let set = self.tree.directory(parent).and_then(|parent| {
                let place = Place {
                    directory: parent.as_fd(),
                    name,
                };
                place.set_mtime(*mtime)
            });
            match set {
                // A later entry took its place.
                Err(error) if is_gone(&error) => {}
                set => set.map_err(|source| ArchiveError::Unpack {
                    name: path.display().to_string(),
                    source,
                })?,
            }
        }
        Ok(self.bytes)
    }
}

/// What was at an entry's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stays {
    /// A directory stays one.
    Yes,
    No {
        was_whiteout: bool,
    },
}

fn node(place: Place<'_>, kind: FileType, device: rustix::fs::Dev) -> io::Result<()> {
    let mode = Mode::from_raw_mode(0o600);
    Ok(rustix::fs::mknodat(
        place.directory,
        place.name,
        kind,
        mode,
        device,
    )?)
}

fn is_through_a_link(code: i32) -> bool {
    let errno = rustix::io::Errno::from_raw_os_error(code);
    matches!(errno, rustix::io::Errno::LOOP | rustix::io::Errno::XDEV)
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
        || error.raw_os_error().is_some_and(is_through_a_link)
}

#[cfg(test)]
#[path = "unpack_tests.rs"]
mod tests;
