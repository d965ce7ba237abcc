//! What keeps a volume from being made, found or removed, in Docker's words.

use std::io;
use std::path::PathBuf;

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    #[error(
        "create {0}: {0:?} includes invalid characters for a local volume name, only \
         \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use \
         absolute path"
    )]
    InvalidName(String),
    #[error(
        "create {0}: volume name is too short, names should be at least two alphanumeric characters"
    )]
    ShortName(String),
    #[error("get {0}: no such volume")]
    NotFound(String),
    #[error("remove {name}: volume is in use - [{users}]", users = users.join(", "))]
    InUse { name: String, users: Vec<String> },
    #[error(
        "create {name}: conflict: volume name must be unique: a volume named {name} has other labels \
         or options"
    )]
    Exists { name: String },
    #[error("error looking up volume plugin {0}: plugin {0:?} not found")]
    Driver(String),
    #[error("create {name}: invalid option: {option:?}: volumes with options are not supported")]
    Option { name: String, option: String },
    #[error("cannot read or write {path}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("cannot copy the image's files to the volume {name}")]
    Populate { name: String, source: io::Error },
}
