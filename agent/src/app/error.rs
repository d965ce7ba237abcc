//! Why the agent cannot start, or could not go on.

use std::io;
use std::net::SocketAddr;

use crate::api::BindError;
use crate::cgroup::LayoutError;
use crate::kernel::LoadError;
use crate::policy::PolicyErrors;

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
    #[error(
        "cannot listen on {address}; `metrics.listen` in the configuration sets another address"
    )]
    Listen {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("cannot load the probes")]
    Load(#[source] LoadError),
    #[error(transparent)]
    Policy(PolicyErrors),
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
