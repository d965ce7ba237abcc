//! How much is in a container's root filesystem.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Parts, Root};
use crate::engine::container::model::{ContainerDir, Settings};

impl Parts {
    /// Bytes in files that the container wrote.
    pub(in crate::engine::container) fn written_bytes(
        &self,
        settings: &Settings,
        dir: &ContainerDir,
    ) -> u64 {
        match self.root(settings, dir.path()) {
            Ok(Root::Layers(overlay)) => bytes(&overlay.upper),
            Ok(Root::Direct(_)) | Err(_) => 0,
        }
    }

    /// With those of its image.
    pub(in crate::engine::container) fn all_bytes(
        &self,
        settings: &Settings,
        dir: &ContainerDir,
    ) -> u64 {
        match self.root(settings, dir.path()) {
            Ok(Root::Layers(overlay)) => {
                let lower = overlay.lower.iter().map(|layer| bytes(layer));
                bytes(&overlay.upper) + lower.sum::<u64>()
            }
            Ok(Root::Direct(path)) => bytes(&path),
            Err(_) => 0,
        }
    }
}

/// Of all files below a directory, on its file system, by their sizes. What vanishes meanwhile does not count.
fn bytes(directory: &Path) -> u64 {
    let Ok(device) = fs::symlink_metadata(directory).map(|metadata| metadata.dev()) else {
        return 0;
    };
    let mut left: Vec<PathBuf> = vec![directory.to_owned()];
    let mut sum = 0;
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if metadata.is_dir() && metadata.dev() == device {
                left.push(entry.path());
            } else if metadata.is_file() {
                sum += metadata.len();
            }
        }
    }
    sum
}
