//! The store: images, their names, and the directory that all is in.
//!
//! ```text
//! lock            held by the agent
//! configs/HEX     configurations, by the digest of their bytes: an image is there when this is
//! names.json      names of images
//! layers/HEX/     layers, by the digest of their archives
//! tmp/            what is half made; cleared when the store is opened
//! ```

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::configuration::Image;
use super::layers::{Layers, Pins};
use super::name::{Asked, Name};
use super::{DiffId, Digest, ImageError, ImageId, record, temporary};

const LOCK: &str = "lock";
const CONFIGS: &str = "configs";
const NAMES: &str = "names.json";
const LAYERS: &str = "layers";
const TEMPORARY: &str = "tmp";
/// The shortest prefix of an id that is looked for.
const SHORTEST_PREFIX: usize = 1;

/// All images of a directory. Calls may come from several threads; those that read or write archives
/// hold nobody else up.
#[derive(Debug)]
pub struct Store {
    pub(super) directory: PathBuf,
    pub(super) layers: Layers,
    state: Mutex<State>,
    /// Held as long as the store is open.
    _lock: File,
}

/// What is on disk, in memory: written there first.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) images: BTreeMap<ImageId, Arc<Image>>,
    pub(super) names: BTreeMap<Name, ImageId>,
}

impl Store {
    /// Opens a directory, made if it is missing; removes what is half made and layers of no image.
    ///
    /// # Errors
    /// Another process has it, or it cannot be read.
    pub fn open(directory: &Path) -> Result<Self, ImageError> {
        for path in [directory, &directory.join(CONFIGS)] {
            let made = fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path);
            made.map_err(|source| io_error(path, source))?;
        }
        let lock = lock(&directory.join(LOCK))?;
        let temporary = directory.join(TEMPORARY);
        temporary::remove(directory, TEMPORARY)
            .and_then(|()| fs::DirBuilder::new().mode(0o700).create(&temporary))
            .map_err(|source| io_error(&temporary, source))?;
        let store = Self {
            layers: Layers::open(&directory.join(LAYERS), &temporary)?,
            directory: directory.to_owned(),
            state: Mutex::default(),
            _lock: lock,
        };
        store.read()?;
        Ok(store)
    }

    fn read(&self) -> Result<(), ImageError> {
        let mut state = self.state();
        let mut all_read = true;
        for (path, text) in self.configurations()? {
            let image = Image::parse(&text);
            let name = path.file_name().unwrap_or_default();
            match image {
                Ok(image) if *name == *image.id().hex() => {
                    state.images.insert(image.id(), Arc::new(image));
                }
                _ => {
                    all_read = false;
                    tracing::error!(path = %path.display(), "an image's configuration is damaged");
                }
            }
        }
        let path = self.directory.join(NAMES);
        let names = record::read::<BTreeMap<Name, ImageId>>(&path).or_else(|error| {
            tracing::error!(path = %path.display(), %error, "names of images not understood; set aside");
            fs::rename(&path, path.with_extension("damaged")).map(|()| None)
        });
        let names = names.map_err(|source| io_error(&path, source))?;
        let mut names = names.unwrap_or_default();
        names.retain(|_, id| state.images.contains_key(id));
        state.names = names;
        // Of a damaged one it is not known which layers it has.
        if all_read {
            self.layers.collect(&state.used())?;
        }
        Ok(())
    }

    fn configurations(&self) -> Result<Vec<(PathBuf, Vec<u8>)>, ImageError> {
        let directory = self.directory.join(CONFIGS);
        let failed = |source| io_error(&directory, source);
        let mut texts = Vec::new();
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let text = fs::read(&path).map_err(|source| io_error(&path, source))?;
            texts.push((path, text));
        }
        Ok(texts)
    }

    /// The image of this name, or whose id starts so.
    ///
    /// # Errors
    /// There is none, or several ids start so.
    pub fn resolve(&self, name_or_id: &str) -> Result<ImageId, ImageError> {
        self.state().resolve(name_or_id)
    }

    /// One image.
    ///
    /// # Errors
    /// It is not there any more.
    pub fn image(&self, id: &ImageId) -> Result<Arc<Image>, ImageError> {
        self.state().image(id)
    }

    /// The trees of its layers in overlay form, lowest first.
    ///
    /// # Errors
    /// The image or a layer is not there.
    pub fn layers(&self, id: &ImageId) -> Result<Vec<PathBuf>, ImageError> {
        let image = self.image(id)?;
        let trees = image.layers().iter().map(|layer| {
            let tree = self.layers.tree(layer);
            if tree.is_dir() {
                Ok(tree)
            } else {
                Err(ImageError::LayerGone {
                    image: *id,
                    layer: *layer,
                })
            }
        });
        trees.collect()
    }

    /// Gives an image one more name; whose it was before loses it.
    ///
    /// # Errors
    /// There is no such image, or the new name is none.
    pub fn tag(&self, name_or_id: &str, name: &str) -> Result<(), ImageError> {
        let name: Name = name.parse()?;
        let mut state = self.state();
        let id = state.resolve(name_or_id)?;
        let mut names = state.names.clone();
        names.insert(name, id);
        self.set_names(&mut state, names)
    }

    /// Records an image whose layers are there, with its names; returns whose those were before.
    pub(super) fn record(
        &self,
        text: &[u8],
        image: Image,
        names: &[Name],
        _layers_stay: &Pins<'_>,
    ) -> Result<Vec<Option<ImageId>>, ImageError> {
        let mut state = self.state();
        let id = image.id();
        if let Entry::Vacant(vacant) = state.images.entry(id) {
            let path = self.directory.join(CONFIGS).join(id.hex());
            record::replace(&path, text, &self.temporary())
                .map_err(|source| io_error(&path, source))?;
            vacant.insert(Arc::new(image));
        }
        let mut all = state.names.clone();
        let before = names
            .iter()
            .map(|name| all.insert(name.clone(), id).filter(|before| *before != id))
            .collect();
        if !names.is_empty() {
            self.set_names(&mut state, all)?;
        }
        Ok(before)
    }

    /// Takes an image away; its layers stay until [`collect`](Self::collect).
    pub(super) fn forget(&self, state: &mut State, id: &ImageId) -> Result<(), ImageError> {
        let directory = self.directory.join(CONFIGS);
        let path = directory.join(id.hex());
        fs::remove_file(&path)
            .and_then(|()| File::open(&directory)?.sync_all())
            .map_err(|source| io_error(&path, source))?;
        state.images.remove(id);
        Ok(())
    }

    /// Removes the layers of no image; returns them.
    pub(super) fn collect(&self, state: &State) -> Result<Vec<DiffId>, ImageError> {
        self.layers.collect(&state.used())
    }

    /// Removes what a failed load unpacked. Its error is told already; the next start tries again.
    pub(super) fn collect_after_failure(&self) {
        if let Err(error) = self.collect(&self.state()) {
            tracing::warn!(%error, "layers of a failed load stay for now");
        }
    }

    pub(super) fn set_names(
        &self,
        state: &mut State,
        names: BTreeMap<Name, ImageId>,
    ) -> Result<(), ImageError> {
        let path = self.directory.join(NAMES);
        serde_json::to_vec(&names)
            .map_err(io::Error::other)
            .and_then(|text| record::replace(&path, &text, &self.temporary()))
            .map_err(|source| io_error(&path, source))?;
        state.names = names;
        Ok(())
    }

    /// All that was written to the store's file system is on disk when it returns.
    pub(super) fn sync(&self) -> Result<(), ImageError> {
        File::open(&self.directory)
            .and_then(|directory| Ok(rustix::fs::syncfs(directory.as_fd())?))
            .map_err(|source| io_error(&self.directory, source))
    }

    /// The bytes of a configuration.
    pub(super) fn configuration(&self, id: &ImageId) -> Result<Vec<u8>, ImageError> {
        let path = self.directory.join(CONFIGS).join(id.hex());
        fs::read(&path).map_err(|source| io_error(&path, source))
    }

    pub(super) fn temporary(&self) -> PathBuf {
        self.directory.join(TEMPORARY)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Docker looks for a name first, then for an id.
    pub(super) fn resolve(&self, asked: &str) -> Result<ImageId, ImageError> {
        if let Ok(id) = asked
            .parse::<Digest>()
            .or_else(|_| format!("sha256:{asked}").parse())
        {
            let absent = || ImageError::NotFound(format!("sha256:{}", id.hex()));
            return self.images.get(&id).map(|_| id).ok_or_else(absent);
        }
        let name: Asked = asked.parse()?;
        if let Some(id) = self.names.get(&name.name).filter(|_| name.digest.is_none()) {
            return Ok(*id);
        }
        let prefix = asked.strip_prefix("sha256:").unwrap_or(asked);
        let mut found = self.images.keys().filter(|id| id.hex().starts_with(prefix));
        match (found.next(), found.next()) {
            (Some(id), None) if prefix.len() >= SHORTEST_PREFIX => Ok(*id),
            _ => Err(ImageError::NotFound(match &name.digest {
                Some(digest) => format!("{}@{digest}", name.name.familiar_repository()),
                None => name.name.to_string(),
            })),
        }
    }

    pub(super) fn image(&self, id: &ImageId) -> Result<Arc<Image>, ImageError> {
        let image = self.images.get(id).map(Arc::clone);
        image.ok_or_else(|| ImageError::NotFound(id.to_string()))
    }

    /// An image's names, in order.
    pub(super) fn names_of(&self, id: &ImageId) -> Vec<Name> {
        let names = self.names.iter().filter(|(_, of)| *of == id);
        names.map(|(name, _)| name.clone()).collect()
    }

    fn used(&self) -> BTreeSet<DiffId> {
        let layers = self.images.values().flat_map(|image| image.layers());
        layers.copied().collect()
    }
}

fn lock(path: &Path) -> Result<File, ImageError> {
    let file = File::options().create(true).append(true).open(path);
    let file = file.map_err(|source| io_error(path, source))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(ImageError::StoreInUse {
            path: path.parent().unwrap_or(path).to_owned(),
        }),
        Err(error) => Err(io_error(path, error.into())),
    }
}

pub(super) fn io_error(path: &Path, source: io::Error) -> ImageError {
    ImageError::Io {
        path: path.to_owned(),
        source,
    }
}
