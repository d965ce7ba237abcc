//! Why no specification is made of a configuration.

use std::io;
use std::path::PathBuf;

use libcontainer::oci_spec::OciSpecError;

/// What is wrong with a configuration, or with what it names.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// Docker refuses it too; in Docker's words where it has some.
    #[error("{0}")]
    Refused(String),
    #[error("{what} is not supported: {reason}")]
    Unsupported { what: String, reason: String },
    #[error("no command specified")]
    NoCommand,
    #[error("unable to find user {0}: no matching entries in passwd file")]
    NoSuchUser(String),
    #[error("unable to find group {0}: no matching entries in group file")]
    NoSuchGroup(String),
    #[error(
        "error gathering device information while adding custom device {path:?}: {reason}",
        path = path.display()
    )]
    Device { path: PathBuf, reason: String },
    #[error("cannot read {path}", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot make the working directory {path}", path = path.display())]
    WorkingDirectory { path: PathBuf, source: io::Error },
    #[error("decoding seccomp profile failed: {0}")]
    SeccompProfile(String),
    #[error("the specification cannot be put together")]
    Form(#[from] OciSpecError),
}

impl SpecError {
    /// Is the configuration at fault, rather than this host or the root filesystem?
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        match self {
            Self::Refused(_)
            | Self::Unsupported { .. }
            | Self::NoCommand
            | Self::SeccompProfile(_) => true,
            Self::NoSuchUser(_)
            | Self::NoSuchGroup(_)
            | Self::Device { .. }
            | Self::Read { .. }
            | Self::WorkingDirectory { .. }
            | Self::Form(_) => false,
        }
    }
}

pub(super) fn refuse<T>(words: impl Into<String>) -> Result<T, SpecError> {
    Err(SpecError::Refused(words.into()))
}

pub(super) fn unsupported<T>(
    what: impl Into<String>,
    reason: impl Into<String>,
) -> Result<T, SpecError> {
    Err(SpecError::Unsupported {
        what: what.into(),
        reason: reason.into(),
    })
}
