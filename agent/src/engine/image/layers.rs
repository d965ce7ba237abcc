//! The layers of all images, each once: unpacked in overlay form, with its archive beside it.
//!
//! `layers/HEX/` has `fs/`, the archive compressed (for `save`) and `layer.json`. It appears whole. A
//! layer that no image has is removed, unless somebody is at work with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::compression::{decoder, decompress, sniff};
use super::digest::Hashing;
use super::kept::Kept;
use super::source::Declared;
use super::temporary::Temporary;
use super::{DiffId, ImageError, record};
use crate::engine::rootfs::archive::drain;
use crate::engine::rootfs::tree::{Links, Tree};
use crate::engine::rootfs::unpack::{Form, unpack};

const TREE: &str = "fs";
const ARCHIVE: &str = "archive";
const RECORD: &str = "layer.json";

/// What is known of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Layer {
    pub(super) diff_id: DiffId,
    /// Bytes of all its files.
    pub(super) size: u64,
    /// Bytes of its archive, uncompressed.
    pub(super) archive_size: u64,
}

#[derive(Debug)]
pub(super) struct Layers {
    directory: PathBuf,
    temporary: PathBuf,
    work: Mutex<Work>,
    unpacked: Condvar,
}

#[derive(Debug, Default)]
struct Work {
    /// How many loads need it, before an image says so on disk.
    pinned: BTreeMap<DiffId, usize>,
    unpacking: BTreeSet<DiffId>,
}

/// A layer that is not in its place yet.
pub(super) struct Staged {
    directory: Temporary,
    pub(super) layer: Layer,
    /// Of the archive as it came, with its size.
    pub(super) archive: Declared,
}

impl Layers {
    pub(super) fn open(directory: &Path, temporary: &Path) -> Result<Self, ImageError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|source| io_error(directory, source))?;
        Ok(Self {
            directory: directory.to_owned(),
            temporary: temporary.to_owned(),
            work: Mutex::default(),
            unpacked: Condvar::new(),
        })
    }

    /// The tree of a layer.
    pub(super) fn tree(&self, layer: &DiffId) -> PathBuf {
        self.path(layer).join(TREE)
    }

    /// `None`: it is not there.
    pub(super) fn layer(&self, layer: &DiffId) -> Result<Option<Layer>, ImageError> {
        let path = self.path(layer).join(RECORD);
        record::read(&path).map_err(|source| io_error(&path, source))
    }

    /// Its archive, uncompressed.
    pub(super) fn archive(&self, layer: &DiffId) -> Result<Box<dyn Read>, ImageError> {
        let path = self.path(layer).join(ARCHIVE);
        let file = File::open(&path).map_err(|source| io_error(&path, source))?;
        let what = format!("the archive of {layer}");
        decompress(file, &what)
    }

    /// Keeps what a load needs until it is told by an image, or the load is over.
    pub(super) fn pins(&self) -> Pins<'_> {
        Pins {
            layers: self,
            held: Vec::new(),
        }
    }

    /// Unpacks an archive beside its place. `what` is for errors.
    pub(super) fn stage(&self, archive: impl Read, what: &str) -> Result<Staged, ImageError> {
        let directory =
            Temporary::make(&self.temporary).map_err(|source| io_error(&self.temporary, source))?;
        let path = directory.path().join(TREE);
        let tree = fs::DirBuilder::new()
            .mode(0o755)
            .create(&path)
            .and_then(|()| Tree::open(&path, Links::Refuse))
            .map_err(|source| io_error(&path, source))?;
        let mut whole = Hashing::new(archive);
        let (compression, start) = sniff(&mut whole, what)?;
        let kept = Kept::create(&directory.path().join(ARCHIVE), compression)?;
        let (unpacked, plain) = {
            let mut compressed = kept.of_compressed(start);
            let inner = decoder(compression, &mut compressed)?;
            let mut plain = Hashing::new(kept.of_plain(inner));
            let unpacked = unpack(&mut plain, &tree, Path::new(""), Form::Layer)
                .map_err(ImageError::from)
                // What follows the last entry is part of what the digests are of.
                .and_then(|size| rest(&mut plain).map(|()| size));
            let plain = plain.finish();
            let unpacked = unpacked.and_then(|size| rest(&mut compressed).map(|()| size));
            (unpacked, plain)
        };
        let size = kept.finish(unpacked)?;
        let (diff_id, archive_size) = plain;
        let layer = Layer {
            diff_id,
            size,
            archive_size,
        };
        let path = directory.path().join(RECORD);
        record::write_new(&path, &layer).map_err(|source| io_error(&path, source))?;
        let (digest, size) = whole.finish();
        Ok(Staged {
            directory,
            layer,
            archive: Declared { digest, size },
        })
    }

    /// Puts a layer in its place, unless one is there.
    pub(super) fn keep(&self, staged: &Staged) -> Result<(), ImageError> {
        let path = self.path(&staged.layer.diff_id);
        match fs::rename(staged.directory.path(), &path) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists
                ) =>
            {
                Ok(())
            }
            kept => kept.map_err(|source| io_error(&path, source)),
        }
    }

    /// Removes those that are neither used nor pinned; returns them.
    pub(super) fn collect(&self, used: &BTreeSet<DiffId>) -> Result<Vec<DiffId>, ImageError> {
        let mut removed = Vec::new();
        let mut gone = Vec::new();
        {
            let work = self.work();
            for layer in self.all()? {
                if used.contains(&layer) || work.pinned.contains_key(&layer) {
                    continue;
                }
                // Out of sight at once; a load that needs it unpacks it anew.
                let path = self.path(&layer);
                let temporary = Temporary::reserve(&self.temporary);
                fs::rename(&path, temporary.path()).map_err(|source| io_error(&path, source))?;
                gone.push(temporary);
                removed.push(layer);
            }
        }
        Ok(removed)
    }

    fn all(&self) -> Result<Vec<DiffId>, ImageError> {
        let failed = |source| io_error(&self.directory, source);
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let digest = format!("sha256:{}", name.to_string_lossy());
            all.extend(digest.parse::<DiffId>());
        }
        Ok(all)
    }

    fn path(&self, layer: &DiffId) -> PathBuf {
        self.directory.join(layer.hex())
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Layers that a load needs; given up when it is over.
pub(super) struct Pins<'a> {
    layers: &'a Layers,
    held: Vec<DiffId>,
}

impl<'a> Pins<'a> {
    /// Whether a layer is there already. If it is not, nobody else unpacks it as long as the answer is
    /// held; who would has waited.
    pub(super) fn hold(&mut self, layer: DiffId) -> Option<Unpacking<'a>> {
        let layers = self.layers;
        let mut work = layers.work();
        *work.pinned.entry(layer).or_default() += 1;
        self.held.push(layer);
        while work.unpacking.contains(&layer) {
            work = layers
                .unpacked
                .wait(work)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if layers.path(&layer).is_dir() {
            return None;
        }
        work.unpacking.insert(layer);
        Some(Unpacking { layers, layer })
    }

    /// A layer that is known only now.
    pub(super) fn keep(&mut self, staged: &Staged) -> Result<(), ImageError> {
        let layer = staged.layer.diff_id;
        *self.layers.work().pinned.entry(layer).or_default() += 1;
        self.held.push(layer);
        self.layers.keep(staged)
    }
}

impl Drop for Pins<'_> {
    fn drop(&mut self) {
        let mut work = self.layers.work();
        for layer in &self.held {
            if let Some(count) = work.pinned.get_mut(layer) {
                *count -= 1;
                if *count == 0 {
                    work.pinned.remove(layer);
                }
            }
        }
    }
}

/// The right to unpack a layer.
pub(super) struct Unpacking<'a> {
    layers: &'a Layers,
    layer: DiffId,
}

impl Drop for Unpacking<'_> {
    fn drop(&mut self) {
        self.layers.work().unpacking.remove(&self.layer);
        self.layers.unpacked.notify_all();
    }
}

fn rest(reader: &mut dyn Read) -> Result<(), ImageError> {
    drain(reader).map_err(|source| ImageError::Read { source })
}

fn io_error(path: &Path, source: io::Error) -> ImageError {
    ImageError::Io {
        path: path.to_owned(),
        source,
    }
}
