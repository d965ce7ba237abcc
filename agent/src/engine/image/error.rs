//! What keeps an image from being loaded, found or removed. Where Docker has words for it, they are
//! Docker's.

use std::io;
use std::path::PathBuf;

use super::{DiffId, Digest, ImageId};
use crate::engine::rootfs::ArchiveError;

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error("No such image: {0}")]
    NotFound(String),
    #[error("{reason}")]
    InvalidName { name: String, reason: String },
    #[error("refusing to create a tag with a digest reference")]
    DigestAsName,
    #[error(
        "conflict: unable to remove repository reference {name:?} (must force) - container {container} \
         is using its referenced image {id}", id = id.short()
    )]
    NameInUse {
        name: String,
        container: String,
        id: ImageId,
    },
    #[error("conflict: unable to delete {id} (cannot be forced) - image is being used by running container {container}", id = id.short())]
    Running { id: ImageId, container: String },
    #[error("conflict: unable to delete {id} (must be forced) - image is being used by stopped container {container}", id = id.short())]
    Stopped { id: ImageId, container: String },
    #[error("conflict: unable to delete {id} (must be forced) - image is referenced in multiple repositories", id = id.short())]
    ManyNames { id: ImageId },
    #[error("cannot read or write {path}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("the image store {path} is in use by another process", path = path.display())]
    StoreInUse { path: PathBuf },
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("cannot read the archive")]
    Read { source: io::Error },
    #[error("cannot write the archive")]
    Write { source: io::Error },
    #[error("no image in it: neither manifest.json nor an OCI index.json is there")]
    NoImage,
    #[error("{what} is missing")]
    Missing { what: String },
    #[error("{what} cannot be understood")]
    Malformed {
        what: String,
        source: serde_json::Error,
    },
    #[error("{what} is larger than {most} bytes")]
    TooLarge { what: String, most: u64 },
    #[error("{what} has {found} bytes, not {declared} as declared")]
    Size {
        what: String,
        declared: u64,
        found: u64,
    },
    #[error("{what} has the digest {found}, not {declared} as declared")]
    Digest {
        what: String,
        declared: Digest,
        found: Digest,
    },
    #[error("invalid diffID for layer {index}: expected {declared:?}, got {found:?}", declared = declared.to_string(), found = found.to_string())]
    DiffId {
        index: usize,
        declared: DiffId,
        found: DiffId,
    },
    #[error("invalid manifest, layers length mismatch: expected {declared}, got {found}")]
    LayerCount { declared: usize, found: usize },
    #[error("cannot load {os} image on linux")]
    Platform { os: String },
    #[error("none of the platforms in it is linux/{architecture}: {found}")]
    NoPlatform {
        architecture: &'static str,
        found: String,
    },
    #[error("{what} is compressed with {with}, which is not supported")]
    Compression { what: String, with: &'static str },
    #[error("{0}")]
    Change(String),
    #[error("the layer {layer} of the image {image} is missing in the store")]
    LayerGone { image: ImageId, layer: DiffId },
}
