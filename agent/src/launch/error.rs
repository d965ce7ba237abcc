//! What keeps a workload from being launched, or a verb from being done.

use std::io;
use std::path::PathBuf;

use super::cgroups::CgroupError;
use super::filter::FilterError;
use super::seal::SealError;
use super::spec::SpecError;
use super::state::Status;
use super::{Id, InvalidId};

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error(transparent)]
    InvalidId(#[from] InvalidId),
    /// The words that engines look for in a runtime's answer.
    #[error("container {0} does not exist")]
    NotFound(Id),
    #[error("container with id {0} exists")]
    Exists(Id),
    #[error("cannot make the state directory {path}", path = path.display())]
    StateDir { path: PathBuf, source: io::Error },
    #[error("cannot read or write the state of {id}")]
    State { id: Id, source: io::Error },
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    #[error("refused: processes are in the cgroup {path} already")]
    CgroupInUse { path: String },
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("unable to start container process: {0}")]
    Runtime(String),
    #[error("cannot set the device rules of the cgroup")]
    Devices { source: io::Error },
    #[error("cannot mount what a workload sees of its cgroups")]
    View { source: io::Error },
    #[error("launching needs Linux 5.12 or newer: this kernel has no mount_setattr()")]
    OldKernel,
    #[error("the terminal did not come out of the workload")]
    Console { source: io::Error },
    #[error("the specification asks for a terminal, and nobody takes it: no console socket")]
    NoConsoleSocket,
    #[error("a console socket without a terminal in the specification")]
    NoTerminal,
    #[error("cannot {verb} a container that is {status}")]
    WrongStatus { verb: &'static str, status: Status },
    /// The words that engines look for when they kill.
    #[error("container not running")]
    NotRunning,
    #[error("{what}")]
    Process {
        what: &'static str,
        source: io::Error,
    },
    #[error("cannot write {path}", path = path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("limits cannot be set: {0}")]
    Update(String),
}

impl LaunchError {
    /// With its causes, on one line.
    #[must_use]
    pub fn with_causes(&self) -> String {
        with_causes(self)
    }
}

/// An error and what caused it; a cause that only repeats is left out.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
