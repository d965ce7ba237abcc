//! The layer below all others: what every container has something mounted at, and what programs know Docker's
//! containers by. An image that lacks it need not have it made in each container, where the overlay takes longest, and
//! where it would look like a change of the container's.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::RootfsError;

const DIRECTORIES: [&str; 4] = ["dev", "etc", "proc", "sys"];
const FILES: [&str; 3] = ["etc/hostname", "etc/hosts", "etc/resolv.conf"];
/// Tells programs where they are.
const DOCKERENV: &str = ".dockerenv";
/// Where older programs look for mounts.
const MTAB: (&str, &str) = ("etc/mtab", "/proc/mounts");

/// Makes the layer, or what is missing of it.
///
/// # Errors
/// It cannot be made.
pub fn make_points(layer: &Path) -> Result<(), RootfsError> {
    make(layer, fs::create_dir(layer), 0o755)?;
    for name in DIRECTORIES {
        let path = layer.join(name);
        make(&path, fs::create_dir(&path), 0o755)?;
    }
    for name in FILES {
        let path = layer.join(name);
        make(&path, File::create_new(&path).map(drop), 0o644)?;
    }
    let path = layer.join(DOCKERENV);
    make(&path, File::create_new(&path).map(drop), 0o755)?;
    let path = layer.join(MTAB.0);
    made(&path, symlink(MTAB.1, &path))
}

/// Whatever the mask of this process is.
fn make(path: &Path, result: io::Result<()>, mode: u32) -> Result<(), RootfsError> {
    made(path, result)?;
    made(
        path,
        fs::set_permissions(path, Permissions::from_mode(mode)),
    )
}

/// By an earlier agent will do.
fn made(path: &Path, result: io::Result<()>) -> Result<(), RootfsError> {
    match result {
        Err(source) if source.kind() != ErrorKind::AlreadyExists => Err(RootfsError::Prepare {
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}
