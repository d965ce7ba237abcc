//! What travels over the socket. Times are RFC 3339 in UTC, durations as `1s 500ms`.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

pub use crate::identity::{Identity, Kind, Runtime};
pub use crate::ledger::{
    EngineState, Event, EventKind, HostReading, Life, LossCounter, NamespaceChange, Network,
    ProbeReading, ProbeState, Snapshot, TaskStates, Workload,
};

/// `GET /v1/workloads`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkloadList {
    /// Of the snapshot; grows by one with each round of readings.
    pub tick: u64,
    #[serde(with = "humantime_serde")]
    pub taken: SystemTime,
    pub host: HostReading,
    /// Workloads beyond the configured cap, summed into the one with id `other`.
    pub folded_workloads: u64,
    pub workloads: Vec<Arc<Workload>>,
}

/// `GET /v1/workloads/{name-or-id}`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkloadDetail {
    pub tick: u64,
    #[serde(with = "humantime_serde")]
    pub taken: SystemTime,
    pub host: HostReading,
    pub workload: Arc<Workload>,
}

/// `GET /v1/probes`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProbeList {
    #[serde(with = "humantime_serde")]
    pub taken: SystemTime,
    pub probes: Vec<ProbeReading>,
    /// Records the kernel could not hand over, by ring or map.
    pub losses: Vec<LossCounter>,
    /// Records taken, by ring.
    pub events: Vec<LossCounter>,
    /// Engines that are asked for names.
    pub engines: Vec<EngineState>,
}

/// `GET /v1/version`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub version: String,
    /// Version of this interface, as in the paths.
    pub api: String,
    pub pid: u32,
    /// Kernel release (`uname -r`).
    pub kernel: String,
    /// `None` before the first tick.
    #[serde(with = "humantime_serde")]
    pub started: Option<SystemTime>,
}

/// The body of every answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    pub error: String,
}
