//! What a workload changed: its upper directory against the layers below.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use bollard::models::{ChangeType, FilesystemChange};
use rustix::fs::{AtFlags, FileType, OFlags, Stat};

use super::RootfsError;
use super::attributes::Place;
use super::overlay::Overlay;
use super::tree::{self, Links, Tree};
use super::whiteout::OPAQUE_XATTR;

const MODIFIED: ChangeType = ChangeType::_0;
const ADDED: ChangeType = ChangeType::_1;
const DELETED: ChangeType = ChangeType::_2;

impl Overlay {
    /// What is added, modified and deleted, with the directories that it is in, by path. An upper
    /// directory that is not there yet has no changes.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn changes(&self) -> Result<Vec<FilesystemChange>, RootfsError> {
        let failed = |source| RootfsError::Compare {
            path: self.upper.clone(),
            source,
        };
        if !self.upper.exists() {
            return Ok(Vec::new());
        }
        let open = |path: &PathBuf| Tree::open(path, Links::Refuse);
        let layers: io::Result<Vec<_>> = self.lower.iter().rev().map(open).collect();
        let mut comparison = Comparison {
            upper: open(&self.upper).map_err(failed)?,
            layers: layers.map_err(failed)?,
            changes: BTreeMap::new(),
        };
        comparison.run().map_err(failed)?;
        let changes = comparison.changes.into_iter();
        Ok(changes
            .map(|(path, kind)| FilesystemChange {
                path: format!("/{}", path.display()),
                kind,
            })
            .collect())
    }
}

struct Comparison {
    upper: Tree,
    /// Topmost first.
    layers: Vec<Tree>,
    changes: BTreeMap<PathBuf, ChangeType>,
}

/// A directory of the upper tree, with the layers that it is a directory in too.
struct Directory {
    path: PathBuf,
    layers: Vec<usize>,
    /// Nothing of the layers is seen in it.
    is_opaque: bool,
}

/// What the layers together have at a name.
struct Below {
    stat: Stat,
    /// Those that contribute to it, if it is a directory.
    layers: Vec<usize>,
}

impl Comparison {
    fn run(&mut self) -> io::Result<()> {
        let mut left = vec![Directory {
            path: PathBuf::new(),
            layers: (0..self.layers.len()).collect(),
            is_opaque: false,
        }];
        while let Some(directory) = left.pop() {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            let inside = match self.upper.at(&directory.path, flags) {
                // The workload removed it meanwhile.
                Err(error) if is_gone(&error) => continue,
                inside => inside?,
            };
            let names = tree::names(inside.as_fd())?;
            if directory.is_opaque {
                self.hidden(&directory, &names.iter().collect())?;
            }
            for name in names {
                let Some(stat) = tree::stat(inside.as_fd(), &name)? else {
                    continue;
                };
                let place = Place {
                    directory: inside.as_fd(),
                    name: &name,
                };
                let path = directory.path.join(&name);
                left.extend(self.compare(path, &stat, place, &directory)?);
            }
        }
        Ok(())
    }

    fn compare(
        &mut self,
        path: PathBuf,
        stat: &Stat,
        place: Place<'_>,
        directory: &Directory,
    ) -> io::Result<Option<Directory>> {
        let below = self.below(&path, &directory.layers)?;
        if tree::is_whiteout(stat) {
            if below.is_some() {
                self.change(path, DELETED);
            }
            return Ok(None);
        }
        let is_directory = tree::kind(stat) == FileType::Directory;
        let Some(below) = below else {
            self.change(path.clone(), ADDED);
            return Ok(is_directory.then_some(Directory {
                path,
                layers: Vec::new(),
                is_opaque: false,
            }));
        };
        if !is_directory {
            self.change(path, MODIFIED);
            return Ok(None);
        }
        if !is_same_directory(stat, &below.stat) {
            self.change(path.clone(), MODIFIED);
        }
        Ok(Some(Directory {
            is_opaque: place.xattr(OPAQUE_XATTR)?.as_deref() == Some(b"y"),
            path,
            layers: below.layers,
        }))
    }

    /// What the layers have in a directory and the upper tree took away, without a whiteout each.
    fn hidden(
        &mut self,
        directory: &Directory,
        kept: &BTreeSet<&std::ffi::OsString>,
    ) -> io::Result<()> {
        let mut names = BTreeSet::new();
        for layer in &directory.layers {
            let Some(layer) = self.layers.get(*layer) else {
                continue;
            };
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            let inside = layer.at(&directory.path, flags)?;
            names.extend(tree::names(inside.as_fd())?);
        }
        for name in names.iter().filter(|name| !kept.contains(name)) {
            let path = directory.path.join(name);
            if self.below(&path, &directory.layers)?.is_some() {
                self.change(path, DELETED);
            }
        }
        Ok(())
    }

    /// What the layers together have at a path, of whose directory these have a part.
    fn below(&self, path: &Path, layers: &[usize]) -> io::Result<Option<Below>> {
        let mut below: Option<Below> = None;
        for &index in layers {
            let Some(layer) = self.layers.get(index) else {
                continue;
            };
            let file = match layer.at(path, OFlags::PATH | OFlags::NOFOLLOW) {
                Err(error) if is_gone(&error) => continue,
                file => file?,
            };
            let stat = rustix::fs::statat(&file, "", AtFlags::EMPTY_PATH)?;
            let is_directory = tree::kind(&stat) == FileType::Directory;
            match &mut below {
                _ if tree::is_whiteout(&stat) => break,
                None => {
                    let layers = if is_directory {
                        vec![index]
                    } else {
                        Vec::new()
                    };
                    below = Some(Below { stat, layers });
                }
                Some(below) if is_directory => below.layers.push(index),
                Some(_) => break,
            }
            let place = Place {
                directory: file.as_fd(),
                name: OsStr::new("."),
            };
            if !is_directory || place.xattr(OPAQUE_XATTR)?.as_deref() == Some(b"y") {
                break;
            }
        }
        Ok(below)
    }

    /// Notes it; the directory of what came or went is modified by that.
    fn change(&mut self, path: PathBuf, kind: ChangeType) {
        if kind != MODIFIED
            && let Some(parent) = path.parent()
            && parent != Path::new("")
        {
            let parent = parent.to_owned();
            self.changes.entry(parent).or_insert(MODIFIED);
        }
        self.changes.insert(path, kind);
    }
}

/// Overlayfs copies a directory up for what is in it: that alone is no change of it.
fn is_same_directory(upper: &Stat, below: &Stat) -> bool {
    let of = |stat: &Stat| {
        (
            (stat.st_mode, stat.st_uid, stat.st_gid),
            (stat.st_mtime, stat.st_mtime_nsec),
        )
    };
    of(upper) == of(below)
}

/// Or deeper than a path leads, which no layer is.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::engine::rootfs::tree::tests::nest;

    #[test]
    fn what_is_deeper_than_a_path_leads_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let overlay = Overlay {
            lower: vec![dir.path().join("lower")],
            upper: dir.path().join("upper"),
            work: dir.path().join("work"),
            volatile: false,
        };
        std::fs::create_dir(&overlay.upper).unwrap();
        std::fs::create_dir(dir.path().join("lower")).unwrap();
        nest(&overlay.upper.join("deep"), 60);
        let changes = overlay.changes().unwrap();
        assert_eq!(changes[0].path, "/deep");
        assert!((30..60).contains(&changes.len()), "{}", changes.len());
        tree::remove_in(&overlay.upper, OsStr::new("deep")).unwrap();
    }
}
