//! Images from what `docker save`, `skopeo`, `podman save` and others write.

use std::io::Read;
use std::path::Path;

use super::compression::decompress;
use super::configuration::Image;
use super::layers::Pins;
use super::manifest::{self, Blob, Found};
use super::name::Name;
use super::source::{Source, check, missing};
use super::store::{Store, io_error};
use super::temporary::Temporary;
use super::{DiffId, ImageError, ImageId};

/// An image that was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    pub id: ImageId,
    /// Its names, each with the image that had it before.
    pub names: Vec<(Name, Option<ImageId>)>,
}

impl Store {
    /// Loads all images of an archive: a docker archive or an OCI layout, compressed or not.
    ///
    /// # Errors
    /// The archive cannot be read, something in it is refused or is not what was declared, or the disk
    /// is full. Then none of its images is there, and none of their layers; but for those that were recorded
    /// before the disk was full.
    pub fn load(&self, archive: impl Read) -> Result<Vec<Loaded>, ImageError> {
        let temporary = self.temporary();
        let directory =
            Temporary::make(&temporary).map_err(|source| io_error(&temporary, source))?;
        let archive = decompress(archive, "the archive")?;
        self.load_from(&Source::archive(archive, directory)?)
    }

    /// Loads all images of an OCI layout directory.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_layout(&self, directory: &Path) -> Result<Vec<Loaded>, ImageError> {
        self.load_from(&Source::layout(directory)?)
    }

    fn load_from(&self, source: &Source) -> Result<Vec<Loaded>, ImageError> {
        let mut pins = self.layers.pins();
        let loaded = self.load_with(source, &mut pins);
        drop(pins);
        if loaded.is_err() {
            self.collect_after_failure();
        }
        loaded
    }

    fn load_with(&self, source: &Source, pins: &mut Pins<'_>) -> Result<Vec<Loaded>, ImageError> {
        let mut images = Vec::new();
        for found in manifest::images(source)? {
            let image = Image::parse(&found.config)?;
            if image.layers().len() != found.layers.len() {
                return Err(ImageError::LayerCount {
                    declared: image.layers().len(),
                    found: found.layers.len(),
                });
            }
            for (index, (layer, blob)) in image.layers().iter().zip(&found.layers).enumerate() {
                self.unpack(source, index, *layer, blob, pins)?;
            }
            images.push((found, image));
        }
        self.sync()?;
        let mut loaded = Vec::new();
        for (found, image) in images {
            let Found { config, names, .. } = found;
            let id = image.id();
            let before = self.record(&config, image, &names, pins)?;
            loaded.push(Loaded {
                id,
                names: names.into_iter().zip(before).collect(),
            });
        }
        Ok(loaded)
    }

    fn unpack(
        &self,
        source: &Source,
        index: usize,
        layer: DiffId,
        blob: &Blob,
        pins: &mut Pins<'_>,
    ) -> Result<(), ImageError> {
        let Some(_unpacking) = pins.hold(layer) else {
            return Ok(());
        };
        let opened = source.open(&blob.member)?;
        let (file, size) = opened.ok_or_else(|| missing(&blob.member))?;
        if let Some(declared) = blob.declared.filter(|declared| declared.size != size) {
            return Err(ImageError::Size {
                what: blob.member.clone(),
                declared: declared.size,
                found: size,
            });
        }
        let staged = self.layers.stage(file.take(size), &blob.member)?;
        if let Some(declared) = blob.declared {
            let found = staged.archive;
            check(&blob.member, declared, found.digest, found.size)?;
        }
        if staged.layer.diff_id != layer {
            return Err(ImageError::DiffId {
                index,
                declared: layer,
                found: staged.layer.diff_id,
            });
        }
        self.layers.keep(&staged)
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
