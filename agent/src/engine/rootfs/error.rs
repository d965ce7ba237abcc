//! What keeps a root filesystem from being mounted, read or written.

use std::io;
use std::path::PathBuf;

use super::archive::ArchiveError;

/// Why it was not done. Where Docker has words for it, they are Docker's.
#[derive(Debug, thiserror::Error)]
pub enum RootfsError {
    #[error("cannot mount an overlay of {layers} layers at {target}", target = target.display())]
    Mount {
        target: PathBuf,
        layers: usize,
        source: io::Error,
    },
    #[error("cannot make a mount namespace")]
    Apart { source: io::Error },
    #[error("cannot mount over {path} of the root filesystem", path = path.display())]
    Cover { path: PathBuf, source: io::Error },
    #[error("cannot make a user namespace for mounts")]
    Users { source: io::Error },
    #[error(
        "cannot give {path} owners of the container's own: that takes a file system with mapped mounts",
        path = path.display()
    )]
    Map { path: PathBuf, source: io::Error },
    #[error(
        "cannot make an overlay of layers with owners of the container's own: that takes Linux 5.19"
    )]
    MapLayers { source: io::Error },
    #[error("cannot unmount {target}", target = target.display())]
    Unmount { target: PathBuf, source: io::Error },
    #[error("cannot prepare {path}", path = path.display())]
    Prepare { path: PathBuf, source: io::Error },
    #[error("cannot read the mount table")]
    MountTable { source: io::Error },
    #[error("cannot compare {path} with the image", path = path.display())]
    Compare { path: PathBuf, source: io::Error },
    #[error("Could not find the file {path} in container {container}")]
    NoSuchFile { path: String, container: String },
    #[error("extraction point is not a directory")]
    NotADirectory,
    #[error("cannot look up {path:?} in the container")]
    Resolve { path: String, source: io::Error },
    #[error("cannot read {path:?} in the container")]
    Read { path: String, source: io::Error },
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}
