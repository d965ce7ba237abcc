//! What keeps an engine's verb from being done, in Docker's words: clients know them.

use std::io;
use std::path::{Path, PathBuf};

use super::model::ContainerDir;
use crate::launch::shim::ShimError;
use crate::launch::{Id, LaunchError};

/// What an error is to whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// 404.
    NotFound,
    /// 409: not in the state that it is in.
    Conflict,
    /// 400.
    BadParameter,
    /// 304: it is so already.
    NotModified,
    /// 500.
    System,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("No such container: {0}")]
    NoSuchContainer(String),
    #[error("No such exec instance: {0}")]
    NoSuchExec(String),
    #[error("Multiple IDs found with provided prefix: {0}")]
    Ambiguous(String),
    #[error(
        "Conflict. The container name \"/{name}\" is already in use by container \"{holder}\". You have to remove (or rename) that container to be able to reuse that name."
    )]
    NameInUse { name: String, holder: Id },
    #[error("Invalid container name ({0}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")]
    InvalidName(String),
    #[error("container {0} is already started")]
    AlreadyStarted(Id),
    #[error("container {0} is already stopped")]
    AlreadyStopped(Id),
    #[error("Container {0} is not running")]
    NotRunning(Id),
    #[error("Container {0} is already paused")]
    AlreadyPaused(Id),
    #[error("Container {0} is not paused")]
    NotPaused(Id),
    #[error("Container {0} is paused, unpause the container before exec")]
    Paused(Id),
    #[error("cannot start a paused container, try unpause instead")]
    StartPaused,
    #[error("Container {0} is restarting, wait until the container is running")]
    Restarting(Id),
    #[error("container is marked for removal and cannot be started")]
    MarkedForRemoval,
    #[error(
        "cannot remove container \"/{name}\": You cannot remove a {state} container {id}. {advice}"
    )]
    CannotRemove {
        name: String,
        state: &'static str,
        id: Id,
        advice: &'static str,
    },
    #[error("Exec command {0} is already running")]
    ExecRunning(String),
    #[error("{0}")]
    Invalid(String),
    /// The workload was not made; the text says why, as runtimes do.
    #[error("failed to create task for container: OCI runtime create failed: {0}")]
    Runtime(String),
    #[error("OCI runtime exec failed: exec failed: {0}")]
    Exec(String),
    #[error("the container cannot be held to what was asked for: {0}")]
    NotHeld(String),
    /// Of images, networks, volumes and the like, in their own words.
    #[error("{text}")]
    Part { kind: ErrorKind, text: String },
    #[error("cannot {what} {path}", path = path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error("{path} is used by another agent", path = .0.display())]
    InUse(PathBuf),
    #[error("the cgroup {cgroup} has containers of another agent, with `engine.data_dir` {owner}", owner = .owner.display())]
    CgroupInUse { cgroup: String, owner: PathBuf },
    #[error("the engine is being shut down")]
    ShuttingDown,
}

impl EngineError {
    /// What it is to whoever asked.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuchContainer(_) | Self::NoSuchExec(_) => ErrorKind::NotFound,
            Self::NameInUse { .. }
            | Self::NotRunning(_)
            | Self::AlreadyPaused(_)
            | Self::NotPaused(_)
            | Self::Paused(_)
            | Self::StartPaused
            | Self::Restarting(_)
            | Self::MarkedForRemoval
            | Self::CannotRemove { .. }
            | Self::ExecRunning(_) => ErrorKind::Conflict,
            Self::Ambiguous(_) | Self::InvalidName(_) | Self::Invalid(_) => ErrorKind::BadParameter,
            Self::AlreadyStarted(_) | Self::AlreadyStopped(_) => ErrorKind::NotModified,
            Self::Runtime(text) | Self::Exec(text) => match exit_code(text) {
                COULD_NOT_START => ErrorKind::System,
                _ => ErrorKind::BadParameter,
            },
            Self::Part { kind, .. } => *kind,
            Self::NotHeld(_)
            | Self::Io { .. }
            | Self::Launch(_)
            | Self::InUse(_)
            | Self::CgroupInUse { .. }
            | Self::ShuttingDown => ErrorKind::System,
        }
    }

    /// The exit code of a container or process that could not be started because of it, as Docker's
    /// command line has it: 127 not found, 126 not to be executed, 128 anything else.
    #[must_use]
    pub fn exit_code(&self) -> i64 {
        exit_code(&self.to_string())
    }

    /// With its causes, on one line.
    #[must_use]
    pub fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let more = error.to_string();
            if !text.ends_with(&more) {
                text = format!("{text}: {more}");
            }
            cause = error.source();
        }
        text
    }

    /// When something else is not there than what is to be made or changed: to clients "not found" would be the
    /// image, which they then fetch.
    pub(super) fn of_a_wish(self) -> Self {
        match self.kind() {
            ErrorKind::NotFound => Self::Invalid(self.to_string()),
            _ => self,
        }
    }

    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    pub(super) fn record(dir: &ContainerDir) -> impl FnOnce(io::Error) -> Self {
        Self::io("read or write", dir.path())
    }

    pub(super) fn shim(error: &ShimError) -> Self {
        Self::Runtime(chain(error))
    }

    pub(super) fn join(error: &ShimError) -> Self {
        Self::Exec(chain(error))
    }
}

const COULD_NOT_START: i64 = 128;

fn exit_code(text: &str) -> i64 {
    if ["executable file not found", "no such file or directory"]
        .iter()
        .any(|words| text.contains(words))
    {
        127
    } else if ["permission denied", "not a directory", "is a directory"]
        .iter()
        .any(|words| text.contains(words))
    {
        126
    } else {
        COULD_NOT_START
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
