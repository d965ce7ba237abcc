//! Names that a layer takes away: `.wh.` files in an archive, device 0:0 and an attribute on disk.
//!
//! A whiteout is of lower layers only (OCI image specification 1.1, "Representing Changes"), so the order
//! of entries does not matter: beside a directory of the same layer it makes that opaque.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{FileType, Mode};

use super::attributes::Place;
use super::tree;
use super::unpack::Form;

const PREFIX: &[u8] = b".wh.";
/// Nothing of the lower layers is seen in this directory.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// What aufs kept for itself.
const META: &[u8] = b".wh..wh.";
/// Documentation/filesystems/overlayfs.rst, v6.12, "whiteouts and opaque directories".
pub(crate) const OPAQUE_XATTR: &str = "trusted.overlay.opaque";

/// What a `.wh.` name in an archive says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whiteout<'a> {
    Of(&'a OsStr),
    Opaque,
    Ignored,
}

/// `None`: it is a file like others.
///
/// # Errors
/// What is wrong with it.
pub(super) fn meaning(form: Form, name: &OsStr) -> Result<Option<Whiteout<'_>>, &'static str> {
    let bytes = name.as_bytes();
    let Some(hidden) = bytes.strip_prefix(PREFIX) else {
        return Ok(None);
    };
    Ok(match form {
        Form::Files { .. } => None,
        Form::Layer if bytes == OPAQUE => Some(Whiteout::Opaque),
        Form::Layer if bytes.starts_with(META) => Some(Whiteout::Ignored),
        Form::Layer if matches!(hidden, b"" | b"." | b"..") => {
            return Err("is a whiteout of a directory itself");
        }
        Form::Layer => Some(Whiteout::Of(OsStr::from_bytes(hidden))),
    })
}

/// Hides what lower layers have at a name.
pub(super) fn make(place: Place<'_>) -> io::Result<()> {
    match tree::stat(place.directory, place.name)? {
        Some(old) if tree::kind(&old) == FileType::Directory => make_opaque(place),
        // It hides them by being there.
        Some(_) => Ok(()),
        None => Ok(rustix::fs::mknodat(
            place.directory,
            place.name,
            FileType::CharacterDevice,
            Mode::empty(),
            0,
        )?),
    }
}

/// Hides what lower layers have in a directory.
pub(super) fn make_opaque(place: Place<'_>) -> io::Result<()> {
    let (name, value) = (OPAQUE_XATTR, b"y");
    let flags = rustix::fs::XattrFlags::empty();
    Ok(rustix::fs::lsetxattr(place.path(), name, value, flags)?)
}
