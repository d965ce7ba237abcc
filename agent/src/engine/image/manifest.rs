//! Which images an archive or a layout has, and of what they are made.
//!
//! `manifest.json` is what `docker save` writes; since docker 25 the same archive is an OCI layout too.
//! OCI image specification 1.1: `image-layout.md`, `image-index.md`, `manifest.md`.

use std::cell::Cell;
use std::collections::BTreeSet;

use oci_spec::image::{Descriptor, ImageIndex, ImageManifest, MediaType};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::ImageError;
use super::name::Name;
use super::source::{Declared, Source, blob, missing};

/// How full names travel in OCI layouts: containerd's, docker's too.
pub(super) const NAME_ANNOTATION: &str = "io.containerd.image.name";
/// Only a tag, says the specification; podman and skopeo write names.
pub(super) const REF_ANNOTATION: &str = "org.opencontainers.image.ref.name";
/// An index in an index in an index.
const MOST_NESTED: usize = 4;

/// Bytes of all documents of an archive together, each as often as it is named: thousands of images'.
const MOST_DOCUMENTS: u64 = 32 << 20;
/// Platforms that are told of.
const MOST_TOLD: usize = 16;

/// One image to be loaded.
pub(super) struct Found {
    pub(super) config: Vec<u8>,
    pub(super) names: Vec<Name>,
    /// Lowest first.
    pub(super) layers: Vec<Blob>,
}

/// One layer's archive.
pub(super) struct Blob {
    pub(super) member: String,
    pub(super) declared: Option<Declared>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerManifest {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

/// A source's documents. What they name is a stranger's choice, and they are in memory together.
struct Documents<'a> {
    source: &'a Source,
    /// Bytes that may still be read.
    left: Cell<u64>,
}

impl Documents<'_> {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, ImageError> {
        let text = self.source.document(name)?;
        text.map(|text| self.spend(text)).transpose()
    }

    fn declared(&self, declared: Declared) -> Result<Vec<u8>, ImageError> {
        self.spend(self.source.declared(declared)?)
    }

    fn spend(&self, text: Vec<u8>) -> Result<Vec<u8>, ImageError> {
        let left = self.left.get().checked_sub(text.len() as u64);
        self.left.set(left.ok_or_else(|| ImageError::TooLarge {
            what: "what the archive says of its images".to_owned(),
            most: MOST_DOCUMENTS,
        })?);
        Ok(text)
    }
}

/// All images for this host in a source.
pub(super) fn images(source: &Source) -> Result<Vec<Found>, ImageError> {
    let source = &Documents {
        source,
        left: Cell::new(MOST_DOCUMENTS),
    };
    if let Some(text) = source.read("manifest.json")? {
        let manifests: Vec<DockerManifest> = parse("manifest.json", &text)?;
        return manifests
            .into_iter()
            .map(|manifest| of_docker(source, manifest))
            .collect();
    }
    let Some(text) = source.read("index.json")? else {
        return Err(ImageError::NoImage);
    };
    let index: ImageIndex = parse("index.json", &text)?;
    let mut found = Vec::new();
    let mut others = BTreeSet::new();
    for descriptor in index.manifests() {
        if let Some(manifest) = for_host(source, descriptor, 0, &mut others)? {
            found.push(of_oci(source, &manifest, names(descriptor))?);
        }
    }
    if found.is_empty() && !others.is_empty() {
        let told: Vec<_> = others.into_iter().take(MOST_TOLD).collect();
        return Err(ImageError::NoPlatform {
            architecture: architecture(),
            found: told.join(", "),
        });
    }
    Ok(found)
}

fn of_docker(source: &Documents<'_>, manifest: DockerManifest) -> Result<Found, ImageError> {
    let config = source
        .read(&manifest.config)?
        .ok_or_else(|| missing(&manifest.config))?;
    let names = manifest.repo_tags.into_iter().flatten();
    let layers = manifest.layers.into_iter().flatten();
    Ok(Found {
        config,
        names: names.map(|name| name.parse()).collect::<Result<_, _>>()?,
        layers: layers
            .map(|member| Blob {
                member,
                declared: None,
            })
            .collect(),
    })
}

fn of_oci(
    source: &Documents<'_>,
    manifest: &ImageManifest,
    names: Vec<Name>,
) -> Result<Found, ImageError> {
    let layers = manifest.layers().iter().map(|layer| {
        let declared = declared(layer)?;
        Ok(Blob {
            member: blob(declared.digest),
            declared: Some(declared),
        })
    });
    Ok(Found {
        config: source.declared(declared(manifest.config())?)?,
        names,
        layers: layers.collect::<Result<_, ImageError>>()?,
    })
}

/// The manifest that a descriptor leads to, directly or as one of several platforms; `None`: there is
/// none for this host. `others` collects what there is.
fn for_host(
    source: &Documents<'_>,
    descriptor: &Descriptor,
    nested: usize,
    others: &mut BTreeSet<String>,
) -> Result<Option<ImageManifest>, ImageError> {
    if let Some(platform) = descriptor.platform() {
        let (os, found) = (
            platform.os().to_string(),
            platform.architecture().to_string(),
        );
        // Attestations are of an unknown platform: nobody looks for them here.
        if (os.as_str(), found.as_str()) != ("linux", architecture()) {
            if os != "unknown" {
                others.insert(format!("{os}/{found}"));
            }
            return Ok(None);
        }
    }
    let declared = declared(descriptor)?;
    let name = blob(declared.digest);
    let is_index = match descriptor.media_type() {
        MediaType::ImageIndex => true,
        MediaType::Other(other) => other.ends_with(".manifest.list.v2+json"),
        _ => false,
    };
    let text = source.declared(declared)?;
    if !is_index {
        return parse(&name, &text).map(Some);
    }
    if nested == MOST_NESTED {
        return Err(ImageError::TooLarge {
            what: format!("the nesting of {name}"),
            most: MOST_NESTED as u64,
        });
    }
    let index: ImageIndex = parse(&name, &text)?;
    for descriptor in index.manifests() {
        if let Some(manifest) = for_host(source, descriptor, nested + 1, others)? {
            return Ok(Some(manifest));
        }
    }
    Ok(None)
}

/// A reference that is only a tag names no repository: the image stays without a name.
fn names(descriptor: &Descriptor) -> Vec<Name> {
    let annotation = |key: &str| descriptor.annotations().as_ref()?.get(key);
    let name = annotation(NAME_ANNOTATION)
        .or_else(|| annotation(REF_ANNOTATION).filter(|name| name.contains([':', '/'])));
    name.and_then(|name| name.parse().ok())
        .into_iter()
        .collect()
}

fn declared(descriptor: &Descriptor) -> Result<Declared, ImageError> {
    let digest: &str = descriptor.digest().as_ref();
    let digest = digest.parse().map_err(|_| ImageError::Missing {
        what: format!("a blob with a digest that is supported, not {digest},"),
    })?;
    Ok(Declared {
        digest,
        size: descriptor.size(),
    })
}

fn parse<T: DeserializeOwned>(what: &str, text: &[u8]) -> Result<T, ImageError> {
    serde_json::from_slice(text).map_err(|source| ImageError::Malformed {
        what: what.to_owned(),
        source,
    })
}

/// As Go calls it.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
