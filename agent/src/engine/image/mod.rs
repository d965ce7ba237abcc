//! Images: loaded or imported, kept by content, named, saved and removed.
//!
//! In: archives as `docker save` and OCI tools write them. Out: an image's configuration and the
//! directories that an overlay is made of, and Docker's answers about them. It knows nothing of
//! containers: who uses an image, the caller says. Nothing of an archive is trusted: digests and sizes are
//! verified while it is read, and what fails leaves nothing behind.

mod changes;
mod compression;
mod configuration;
mod digest;
mod error;
mod history;
mod import;
mod inspect;
mod kept;
mod layers;
mod list;
mod load;
mod manifest;
mod name;
mod record;
mod remove;
mod save;
mod source;
mod store;
mod temporary;

pub(crate) use compression::decompress;
pub use configuration::Image;
pub use digest::{DiffId, Digest, ImageId, InvalidDigest};
pub use error::ImageError;
pub use load::Loaded;
pub use name::Name;
pub use remove::User;
pub use store::Store;
