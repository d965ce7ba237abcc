//! Directories in which something is made before it is put in its place.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::rootfs::tree;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A directory that goes with it, unless it was moved away.
#[derive(Debug)]
pub(super) struct Temporary {
    parent: PathBuf,
    name: String,
}

impl Temporary {
    pub(super) fn make(parent: &Path) -> io::Result<Self> {
        let temporary = Self::reserve(parent);
        fs::DirBuilder::new().mode(0o700).create(temporary.path())?;
        Ok(temporary)
    }

    /// Only the name, for something that is moved here to be removed: that needs no space.
    pub(super) fn reserve(parent: &Path) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            parent: parent.to_owned(),
            name: format!("{}-{number}", std::process::id()),
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.parent.join(&self.name)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.parent, &self.name) {
            // The next agent tries again.
            tracing::warn!(path = %self.path().display(), %error, "cannot remove what is half made");
        }
    }
}

/// Removes a directory with all below it, however deep; nothing there is fine.
pub(super) fn remove(parent: &Path, name: &str) -> io::Result<()> {
    tree::remove_in(parent, name.as_ref())
}
