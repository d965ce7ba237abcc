//! The layer below all others: what every container has something mounted at. An image that lacks it need not have it
//! made in each container, where the overlay takes longest, and where it would look like a change of the container's.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::RootfsError;

const DIRECTORIES: [&str; 4] = ["dev", "etc", "proc", "sys"];
const FILES: [&str; 3] = ["etc/hostname", "etc/hosts", "etc/resolv.conf"];

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
    Ok(())
}

/// Whatever the mask of this process is.
fn make(path: &Path, made: io::Result<()>, mode: u32) -> Result<(), RootfsError> {
    let made = match made {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => fs::set_permissions(path, Permissions::from_mode(mode)),
    };
    made.map_err(|source| RootfsError::Prepare {
        path: path.to_owned(),
        source,
    })
}
