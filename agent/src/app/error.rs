//! Why the agent cannot start, or could not go on.

use std::io;
use std::net::SocketAddr;

use crate::api::BindError;
use crate::cgroup::LayoutError;
use crate::kernel::{LayoutError as KernelLayoutError, LoadError};

/// A reason to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the agent must run as root (it runs as uid {uid}); try `sudo plimsoll agent`")]
    NotRoot { uid: u32 },
    #[error("the agent lacks {missing}; run it as root, or in a container with these capabilities")]
    MissingCapability { missing: String },
    #[error("cannot find the cgroup hierarchies")]
    Layout(#[source] LayoutError),
    #[error(transparent)]
    Socket(BindError),
    #[error("cannot listen on {address} (metrics.listen)")]
    Listen {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("cannot load the probes")]
    Load(#[source] LoadError),
    #[error("cannot set up the agent")]
    Runtime(#[source] io::Error),
    #[error("the {0} ended by itself")]
    Ended(&'static str),
    #[error("the {part} failed")]
    Failed {
        part: &'static str,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// The process's exit status: 3 when this host or user cannot run it, 4 when an address or
    /// socket is in use, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotRoot { .. } | Self::MissingCapability { .. } | Self::Layout(_) => 3,
            Self::Load(LoadError::Layout(KernelLayoutError::NoBtf)) => 3,
            Self::Socket(BindError::InUse { .. }) => 4,
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => 4,
            Self::Socket(_)
            | Self::Listen { .. }
            | Self::Load(_)
            | Self::Runtime(_)
            | Self::Ended(_)
            | Self::Failed { .. } => 1,
        }
    }
}
