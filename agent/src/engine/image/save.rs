//! Images to an archive that `docker load` and OCI tools read, as docker writes it since version 25: an
//! OCI layout with docker's `manifest.json`. Layers are uncompressed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Read, Write};
use std::sync::Arc;

use oci_spec::OciSpecError;
use oci_spec::image::{
    DescriptorBuilder, ImageIndexBuilder, ImageManifestBuilder, MediaType, OciLayoutBuilder,
};
use serde::Serialize;

use super::configuration::Image;
use super::digest::Hashing;
use super::manifest::{NAME_ANNOTATION, REF_ANNOTATION};
use super::name::{Asked, Name};
use super::source::{Declared, blob, check};
use super::store::Store;
use super::{Digest, ImageError, ImageId};

/// One entry of `manifest.json`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DockerManifest {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

type Wanted = BTreeMap<ImageId, (Arc<Image>, BTreeSet<Name>)>;

impl Store {
    /// Writes images to an archive: by name with that name, by a name without a tag with all tags of the
    /// repository, by id without names.
    ///
    /// # Errors
    /// There is no such image, it cannot be read, or the archive cannot be written.
    pub fn save(&self, asked: &[&str], out: impl Write) -> Result<(), ImageError> {
        let wanted = self.wanted(asked)?;
        // Nobody removes a layer that is being written.
        let mut pins = self.layers.pins();
        for (image, _) in wanted.values() {
            for layer in image.layers() {
                if pins.hold(*layer).is_some() {
                    return Err(ImageError::LayerGone {
                        image: image.id(),
                        layer: *layer,
                    });
                }
            }
        }
        let mut archive = Archive {
            builder: tar::Builder::new(out),
            written: BTreeSet::new(),
        };
        let mut index = Vec::new();
        let mut manifests = Vec::new();
        for (image, names) in wanted.values() {
            let (descriptor, manifest) = self.image_to(&mut archive, image, names)?;
            index.extend(descriptor);
            manifests.push(manifest);
        }
        let index = ImageIndexBuilder::default()
            .schema_version(2_u32)
            .media_type(MediaType::ImageIndex)
            .manifests(index)
            .build()
            .map_err(spec_error)?;
        archive.document("index.json", &json(&index)?)?;
        archive.document("manifest.json", &json(&manifests)?)?;
        let layout = OciLayoutBuilder::default()
            .image_layout_version("1.0.0")
            .build()
            .map_err(spec_error)?;
        archive.document("oci-layout", &json(&layout)?)?;
        archive.builder.finish().map_err(write_error)
    }

    /// The images that [`save`](Self::save) writes for a name or id.
    ///
    /// # Errors
    /// There is no such image.
    pub fn meant_to_be_saved(&self, asked: &str) -> Result<Vec<ImageId>, ImageError> {
        Ok(self.wanted(&[asked])?.into_keys().collect())
    }

    /// Images with the names that they are saved with, each once.
    fn wanted(&self, asked: &[&str]) -> Result<Wanted, ImageError> {
        let state = self.state();
        let mut wanted = BTreeMap::new();
        for text in asked {
            let named = text.parse::<Asked>().ok();
            let of_repository = state.names.iter().filter(|(name, _)| {
                named.as_ref().is_some_and(|asked| {
                    name.repository() == asked.name.repository()
                        && (!asked.has_tag || **name == asked.name)
                })
            });
            let mut found: Vec<_> = of_repository
                .map(|(name, id)| (*id, Some(name.clone())))
                .collect();
            if found.is_empty() {
                found.push((state.resolve(text)?, None));
            }
            for (id, name) in found {
                let image = state.image(&id)?;
                let (_, names) = wanted.entry(id).or_insert_with(|| (image, BTreeSet::new()));
                names.extend(name);
            }
        }
        Ok(wanted)
    }

    fn image_to(
        &self,
        archive: &mut Archive<impl Write>,
        image: &Image,
        names: &BTreeSet<Name>,
    ) -> Result<(Vec<oci_spec::image::Descriptor>, DockerManifest), ImageError> {
        let config = self.configuration(&image.id())?;
        archive.document(&blob(image.id()), &config)?;
        let mut layers = Vec::new();
        for layer in image.layers() {
            let gone = || ImageError::LayerGone {
                image: image.id(),
                layer: *layer,
            };
            let size = self.layers.layer(layer)?.ok_or_else(gone)?.archive_size;
            let declared = Declared {
                digest: *layer,
                size,
            };
            archive.blob(declared, || self.layers.archive(layer))?;
            layers.push(descriptor(MediaType::ImageLayer, declared, HashMap::new())?);
        }
        let of_config = Declared {
            digest: image.id(),
            size: config.len() as u64,
        };
        let manifest = ImageManifestBuilder::default()
            .schema_version(2_u32)
            .media_type(MediaType::ImageManifest)
            .config(descriptor(
                MediaType::ImageConfig,
                of_config,
                HashMap::new(),
            )?)
            .layers(layers)
            .build()
            .map_err(spec_error)?;
        let manifest = json(&manifest)?;
        let declared = Declared {
            digest: Digest::of(&manifest),
            size: manifest.len() as u64,
        };
        archive.document(&blob(declared.digest), &manifest)?;
        let mut descriptors = Vec::new();
        for name in names {
            let annotations = HashMap::from([
                (NAME_ANNOTATION.to_owned(), name.full()),
                (REF_ANNOTATION.to_owned(), name.tag().to_owned()),
            ]);
            descriptors.push(descriptor(MediaType::ImageManifest, declared, annotations)?);
        }
        if names.is_empty() {
            descriptors.push(descriptor(
                MediaType::ImageManifest,
                declared,
                HashMap::new(),
            )?);
        }
        let names: Vec<_> = names.iter().map(Name::to_string).collect();
        let docker = DockerManifest {
            config: blob(image.id()),
            repo_tags: (!names.is_empty()).then_some(names),
            layers: image.layers().iter().map(|layer| blob(*layer)).collect(),
        };
        Ok((descriptors, docker))
    }
}

struct Archive<W: Write> {
    builder: tar::Builder<W>,
    /// Blobs of several images are written once.
    written: BTreeSet<String>,
}

impl<W: Write> Archive<W> {
    fn document(&mut self, name: &str, text: &[u8]) -> Result<(), ImageError> {
        if !self.written.insert(name.to_owned()) {
            return Ok(());
        }
        let mut header = header(text.len() as u64);
        self.builder
            .append_data(&mut header, name, text)
            .map_err(write_error)
    }

    /// What is on disk may have been changed: it is verified on its way.
    fn blob(
        &mut self,
        declared: Declared,
        open: impl FnOnce() -> Result<Box<dyn Read>, ImageError>,
    ) -> Result<(), ImageError> {
        let name = blob(declared.digest);
        if !self.written.insert(name.clone()) {
            return Ok(());
        }
        let mut hashing = Hashing::new(open()?);
        let mut header = header(declared.size);
        self.builder
            .append_data(&mut header, &name, hashing.by_ref().take(declared.size))
            .map_err(write_error)?;
        let (digest, size) = hashing.finish();
        check(&name, declared, digest, size)
    }
}

fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(0);
    header
}

fn descriptor(
    media_type: MediaType,
    declared: Declared,
    annotations: HashMap<String, String>,
) -> Result<oci_spec::image::Descriptor, ImageError> {
    let digest: oci_spec::image::Digest =
        declared.digest.to_string().parse().map_err(spec_error)?;
    let mut builder = DescriptorBuilder::default()
        .media_type(media_type)
        .digest(digest)
        .size(declared.size);
    if !annotations.is_empty() {
        builder = builder.annotations(annotations);
    }
    builder.build().map_err(spec_error)
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, ImageError> {
    serde_json::to_vec(value).map_err(|error| write_error(error.into()))
}

fn spec_error(error: OciSpecError) -> ImageError {
    write_error(io::Error::other(error))
}

fn write_error(source: io::Error) -> ImageError {
    ImageError::Write { source }
}
