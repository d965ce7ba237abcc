//! What images are loaded from: an archive that was put aside, or a directory, as named members.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, OFlags};

use super::temporary::Temporary;
use super::{Digest, ImageError};
use crate::engine::rootfs::ArchiveError;
use crate::engine::rootfs::archive::{self, Entry, Kind};
use crate::engine::rootfs::tree::{self, Links, Tree};

/// Engines refuse larger manifests; configurations are smaller still.
const MOST_DOCUMENT: u64 = 8 << 20;
/// One of a thousand layers has some thousands.
const MOST_MEMBERS: usize = 1 << 16;
/// Links from one member to another.
const MOST_LINKS: usize = 8;

/// Where members are read from.
pub(super) enum Source {
    Archive {
        members: HashMap<PathBuf, Member>,
        /// They are in it, by number.
        directory: Temporary,
    },
    Layout(Tree),
}

/// One of an archive.
pub(super) enum Member {
    File(usize),
    Link(PathBuf),
}

/// A descriptor's promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) digest: Digest,
    pub(super) size: u64,
}

impl Source {
    /// Puts an archive aside: its members come in any order, and are needed in another.
    pub(super) fn archive(reader: impl Read, directory: Temporary) -> Result<Self, ImageError> {
        let mut members = HashMap::new();
        let path = directory.path();
        archive::read(reader, |entry| {
            let name = tree::relative(&entry.path).map_err(|reason| entry.refused(reason))?;
            let member = match entry.kind {
                Kind::Directory => return Ok(()),
                Kind::File => {
                    let number = members.len();
                    copy(entry, &path.join(number.to_string()))?;
                    Member::File(number)
                }
                // docker before 25 writes a layer that is there twice once.
                Kind::Symlink => Member::Link(target(&name, entry)?),
                Kind::Hardlink => {
                    Member::Link(tree::relative(&entry.link).map_err(|_| entry.refused(LEADS_OUT))?)
                }
                Kind::Sparse | Kind::Fifo | Kind::Char { .. } | Kind::Block { .. } => {
                    return Err(entry.refused("is nothing that images are made of").into());
                }
            };
            if members.len() == MOST_MEMBERS {
                return Err(entry.refused("is one of too many files").into());
            }
            members.insert(name, member);
            Ok::<_, ImageError>(())
        })?;
        Ok(Self::Archive { members, directory })
    }

    /// An OCI layout.
    pub(super) fn layout(path: &Path) -> Result<Self, ImageError> {
        Tree::open(path, Links::Refuse)
            .map(Self::Layout)
            .map_err(|source| ImageError::Io {
                path: path.to_owned(),
                source,
            })
    }

    /// A member's content and its size; `None`: there is none.
    pub(super) fn open(&self, name: &str) -> Result<Option<(File, u64)>, ImageError> {
        let failed = |source| ImageError::Io {
            path: name.into(),
            source,
        };
        let file = match self {
            Self::Archive { members, directory } => {
                let Some(number) = find(members, Path::new(name)) else {
                    return Ok(None);
                };
                let path = directory.path().join(number.to_string());
                File::open(&path).map_err(|source| ImageError::Io { path, source })?
            }
            Self::Layout(tree) => {
                let path =
                    tree::relative(name.as_bytes()).map_err(|reason| ArchiveError::Refused {
                        name: name.to_owned(),
                        reason,
                    })?;
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW;
                match tree.at(&path, flags) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    file => File::from(file.map_err(failed)?),
                }
            }
        };
        let stat = rustix::fs::fstat(file.as_fd()).map_err(|error| failed(error.into()))?;
        if tree::kind(&stat) != FileType::RegularFile {
            return Ok(None);
        }
        Ok(Some((file, u64::try_from(stat.st_size).unwrap_or(0))))
    }

    /// A document, whole; `None`: there is none.
    pub(super) fn document(&self, name: &str) -> Result<Option<Vec<u8>>, ImageError> {
        let Some((file, size)) = self.open(name)? else {
            return Ok(None);
        };
        if size > MOST_DOCUMENT {
            return Err(ImageError::TooLarge {
                what: name.to_owned(),
                most: MOST_DOCUMENT,
            });
        }
        let mut text = Vec::new();
        file.take(MOST_DOCUMENT)
            .read_to_end(&mut text)
            .map_err(|source| ImageError::Io {
                path: name.into(),
                source,
            })?;
        Ok(Some(text))
    }

    /// A document that was promised.
    pub(super) fn declared(&self, declared: Declared) -> Result<Vec<u8>, ImageError> {
        let name = blob(declared.digest);
        let text = self.document(&name)?.ok_or_else(|| missing(&name))?;
        check(&name, declared, Digest::of(&text), text.len() as u64)?;
        Ok(text)
    }
}

const LEADS_OUT: &str = "is a link that leads out of the archive";

/// Where a blob of an OCI layout is.
pub(super) fn blob(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

pub(super) fn missing(name: &str) -> ImageError {
    ImageError::Missing {
        what: name.to_owned(),
    }
}

/// Whether it is what was promised.
pub(super) fn check(
    name: &str,
    declared: Declared,
    digest: Digest,
    size: u64,
) -> Result<(), ImageError> {
    if size != declared.size {
        return Err(ImageError::Size {
            what: name.to_owned(),
            declared: declared.size,
            found: size,
        });
    }
    if digest != declared.digest {
        return Err(ImageError::Digest {
            what: name.to_owned(),
            declared: declared.digest,
            found: digest,
        });
    }
    Ok(())
}

fn find(members: &HashMap<PathBuf, Member>, name: &Path) -> Option<usize> {
    let mut name = tree::relative(name.as_os_str().as_encoded_bytes()).ok()?;
    for _ in 0..MOST_LINKS {
        match members.get(&name)? {
            Member::File(number) => return Some(*number),
            Member::Link(target) => name.clone_from(target),
        }
    }
    None
}

/// Where a symbolic link in an archive leads, by its letters.
fn target(name: &Path, entry: &Entry<'_>) -> Result<PathBuf, ArchiveError> {
    let link = String::from_utf8_lossy(&entry.link);
    let mut path = name.parent().map(Path::to_owned).unwrap_or_default();
    for component in Path::new(link.as_ref()).components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir if path.pop() => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(entry.refused(LEADS_OUT));
            }
        }
    }
    Ok(path)
}

fn copy(entry: &mut Entry<'_>, to: &Path) -> Result<(), ImageError> {
    let failed = |source| ImageError::Io {
        path: to.to_owned(),
        source,
    };
    let mut file = File::create_new(to).map_err(failed)?;
    let mut chunk = vec![0; 128 << 10];
    let mut left = entry.size;
    while left > 0 {
        let read = match entry.content.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(|source| ImageError::Read { source })?,
        };
        let data = chunk.get(..read).unwrap_or_default();
        if data.is_empty() {
            return Err(entry.refused("is shorter than it says").into());
        }
        io::Write::write_all(&mut file, data).map_err(failed)?;
        left -= read as u64;
    }
    Ok(())
}
