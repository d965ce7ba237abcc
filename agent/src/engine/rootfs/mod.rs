//! Root filesystems: overlays that are mounted for workloads, what changed in them, and files in and out.
//!
//! In: directories in overlay form (an image's layers, or one of the host's), archives. Out: a mounted
//! tree, lists of changes, archives. It knows nothing of images or containers. Whatever is in a tree is
//! a stranger's: names are resolved by the kernel below a directory descriptor.

pub(crate) mod archive;
mod assembled;
mod attributes;
mod changes;
mod error;
mod inside;
mod mounts;
mod overlay;
pub(crate) mod pack;
mod pax;
mod points;
pub(crate) mod tree;
pub(crate) mod unpack;
mod users;
mod whiteout;

pub use archive::ArchiveError;
pub use assembled::{Over, apart};
pub use error::RootfsError;
pub use inside::{Inside, PathStat, Writing, lexical};
pub use mounts::Mounts;
pub use overlay::{Overlay, unmount_at};
pub use points::make_points;
pub use users::UserRange;
