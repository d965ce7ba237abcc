//! What agent and shim say to each other over the link.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cgroup::{CgroupKey, HierarchyId};
use crate::launch::{Exit, Id, Process, Warning};

/// From the agent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// Before [`Request::Create`], or nothing comes of it.
    Prepare(PrepareRequest),
    Create(CreateRequest),
    Join(JoinRequest),
    Start,
}

/// What can be made of a workload before its bundle is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrepareRequest {
    pub id: Id,
    /// Directory of all state directories.
    pub root: PathBuf,
    /// As the specification will have it.
    pub cgroup: String,
}

/// A workload to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateRequest {
    pub id: Id,
    /// Directory of all state directories.
    pub root: PathBuf,
    pub bundle: PathBuf,
    pub stdio: Stdio,
    /// The root is moved instead of exchanged: for hosts that run from an initial ramdisk.
    pub no_pivot: bool,
}

/// A process to join a workload that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    pub id: Id,
    pub root: PathBuf,
    /// Names the process's directory in the workload's `exec`.
    pub exec: Id,
    /// File with the process in the form of the OCI specification.
    pub process: PathBuf,
    pub stdio: Stdio,
    /// Into a frozen workload too.
    pub ignore_paused: bool,
    /// A client comes for its output, which waits for it (for a while).
    pub expects_client: bool,
}

/// What standard input, output and error are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mode")]
pub enum Stdio {
    /// Nothing.
    Null,
    /// Three descriptors that come with the request; the shim has no part in them.
    Inherit,
    /// Pipes to the shim, which writes a log and serves clients.
    Pipes {
        /// Standard input is for clients; else it is empty.
        input: bool,
        log: Option<LogFile>,
    },
    /// A terminal whose master the shim has. The specification has to ask for it.
    Terminal { log: Option<LogFile> },
}

/// A log in the form of Docker's `json-file`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFile {
    pub path: PathBuf,
    /// Rotated before it gets longer; 0: never.
    pub max_bytes: u64,
    /// Kept, the current one counted; 1 at least.
    pub max_files: u32,
    /// Of entries that wait to be written.
    pub buffer_bytes: u64,
    pub patience: Patience,
}

/// How long a workload's output is held up when its log does not keep pace. What is not waited for is lost,
/// counted, and the log says how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Patience {
    /// Not at all.
    None,
    /// Half a second, once until the log has caught up.
    #[default]
    Briefly,
    /// As long as it takes.
    Ever,
}

/// From the shim.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Report {
    /// With the process's pidfd.
    Made(Made),
    Started,
    Exited(Exit),
    /// Nothing is left of what ended but its state.
    Cleared,
    Failed {
        text: String,
    },
}

/// A process that waits to be started, or that joined and runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    pub process: Process,
    /// The workload's cgroup as the kernel calls it.
    pub cgroups: BTreeMap<HierarchyId, CgroupKey>,
    /// What had to give.
    pub warnings: Vec<Warning>,
}
