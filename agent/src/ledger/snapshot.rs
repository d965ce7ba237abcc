//! An immutable view of everything at one instant: what metrics, the API and policies read.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::cgroup::{Placement, Reading};
use crate::identity::Identity;

/// The state at the end of one tick.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// Ticks since the agent started; 0 before the first.
    pub tick: u64,
    #[serde(with = "humantime_serde")]
    pub taken: SystemTime,
    pub host: HostReading,
    /// Every workload, the host itself (`/`) first, then by id. Dead ones stay until scraped.
    pub workloads: Vec<Arc<Workload>>,
    /// Workloads beyond the configured cap, folded into the one with id `other`.
    pub folded_workloads: u64,
    pub unattributed: Unattributed,
    /// Alive namespaces with at least one task or bind mount, by kind.
    pub namespaces: Vec<NamespaceCount>,
    pub agent: AgentReading,
}

/// One workload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Workload {
    pub identity: Arc<Identity>,
    pub placement: Arc<Placement>,
    pub life: Life,
    /// When the cgroup was made.
    #[serde(with = "humantime_serde")]
    pub created: SystemTime,
    pub reading: Reading,
    pub network: Network,
    pub tasks: TaskStates,
    /// OOM kills since the agent first saw this workload; survives the container's restart.
    pub oom_kills: u64,
    /// Times a task of it was switched in; `None` when the probe is not attached.
    pub switches: Option<u64>,
    pub execs: u64,
    pub exits: u64,
    /// Tasks of other workloads that entered a namespace of this one.
    pub foreign_namespace_enters: u64,
    /// CPU used over the last tick, in cores; for people, not for Prometheus.
    pub cpu_cores: f64,
}

impl Workload {
    /// One of which nothing has been read yet.
    #[must_use]
    pub fn new(identity: Arc<Identity>, placement: Arc<Placement>, created: SystemTime) -> Self {
        Self {
            identity,
            placement,
            life: Life::Alive,
            created,
            reading: Reading::default(),
            network: Network::default(),
            tasks: TaskStates::default(),
            oom_kills: 0,
            switches: None,
            execs: 0,
            exits: 0,
            foreign_namespace_enters: 0,
            cpu_cores: 0.0,
        }
    }
}

/// Is it there?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum Life {
    Alive,
    Frozen,
    /// Removed; the readings are the last ones.
    Dead {
        #[serde(with = "humantime_serde")]
        since: SystemTime,
    },
}

/// Network of one workload, descendants included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// What its sockets sent and received, by interface as named inside; `lo` among them.
    /// `None`: the probes are not attached, or the workload is in no cgroup v2 of its own.
    pub interfaces: Option<Vec<InterfaceTotals>>,
    /// Device counters of its own network namespace, `lo` left out; empty when it has the host's.
    pub netdev: Vec<NetdevTotals>,
}

/// Socket traffic over one interface: bytes from the IP header on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceTotals {
    pub interface: String,
    pub receive_bytes: u64,
    pub receive_packets: u64,
    pub transmit_bytes: u64,
    pub transmit_packets: u64,
}

/// Counters of one network device, as `/proc/PID/net/dev` has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetdevTotals {
    pub interface: String,
    pub receive_bytes: u64,
    pub receive_packets: u64,
    pub receive_errors: u64,
    pub receive_dropped: u64,
    pub transmit_bytes: u64,
    pub transmit_packets: u64,
    pub transmit_errors: u64,
    pub transmit_dropped: u64,
}

/// Tasks by state, descendants included; `None` fields' source is the task iterator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskStates {
    /// `None`: the iterator is not attached.
    pub counted: Option<TaskCounts>,
    /// Runnable and uninterruptible tasks, smoothed over 10 s.
    pub load_average_10s: Option<f64>,
    /// Uninterruptible tasks alone, smoothed over 10 s.
    pub load_d_average_10s: Option<f64>,
}

/// Counted tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCounts {
    pub processes: u64,
    pub threads: u64,
    pub running: u64,
    pub sleeping: u64,
    pub stopped: u64,
    pub uninterruptible: u64,
}

/// The machine as a whole.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HostReading {
    /// All CPUs' busy time: user, nice, system, irq, softirq, steal-free, from `/proc/stat`.
    pub cpu_busy_ns: u64,
    /// All CPUs' time, idle, waiting and stolen included, from `/proc/stat`.
    #[serde(default)]
    pub cpu_time_ns: u64,
    pub cpus: u32,
    pub memory_bytes: u64,
    pub memory_available_bytes: u64,
    pub swap_bytes: u64,
    /// OOM kills on the host since the agent started, whatever workload they were in.
    pub oom_kills: u64,
}

/// Conservation: host = Σ top-level workloads + unattributed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unattributed {
    /// The root cgroup's own tasks, and what removed cgroups used: the root's total less its alive children's.
    pub cpu_ns: u64,
}

/// Namespaces of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceCount {
    /// As in `/proc/PID/ns`: `pid`, `net`, …
    pub kind: String,
    pub alive: u64,
    /// Made since start, by any call.
    pub created: u64,
    /// Entered by setns since start.
    pub entered: u64,
}

/// The agent about itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AgentReading {
    #[serde(with = "humantime_serde")]
    pub started: Option<SystemTime>,
    pub probes: Vec<ProbeReading>,
    pub losses: Vec<LossCounter>,
    /// Events taken from the rings, by ring name.
    pub events: Vec<LossCounter>,
    /// Entries in use and room, by map name.
    pub maps: Vec<MapFill>,
    /// What one tick's readings took.
    pub reading_time: Histogram,
    #[serde(with = "humantime_serde")]
    pub last_reading_time: Duration,
    /// Cgroups whose files were read in the last tick; the others were idle.
    pub cgroups_read: u64,
    pub open_files: u64,
    /// Engines that did not answer, with the reason.
    pub engines: Vec<EngineState>,
}

/// How full a map or ring is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapFill {
    pub map: String,
    pub used: u64,
    pub capacity: u64,
}

/// An engine's connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineState {
    pub engine: String,
    pub up: bool,
    /// Why not, in one line.
    pub reason: Option<String>,
}

/// Something counted under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossCounter {
    pub name: String,
    pub count: u64,
}

/// One probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeReading {
    pub name: String,
    /// What it is attached to, in the kernel's words: `tp_btf/sched_switch`.
    pub hook: String,
    #[serde(flatten)]
    pub state: ProbeState,
    /// Kernel run-time statistics; 0 when they are off.
    pub run_count: u64,
    pub run_ns: u64,
    /// Instructions the verifier walked (5.16 and newer).
    pub verified_instructions: Option<u32>,
}

/// Health of a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "state", content = "reason")]
pub enum ProbeState {
    Attached,
    /// Works, with less than all of its data.
    Degraded(String),
    /// This kernel cannot have it.
    Unsupported(String),
    /// It should have worked.
    Failed(String),
    /// Switched off in the configuration.
    Disabled,
}

/// Cumulative counts by upper bound, Prometheus style.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Upper bounds in seconds, ascending; `counts` has one more slot, for +Inf.
    pub bounds_seconds: Vec<f64>,
    pub counts: Vec<u64>,
    pub sum_seconds: f64,
}

impl Snapshot {
    /// Before the first tick.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            tick: 0,
            taken: SystemTime::now(),
            host: HostReading::default(),
            workloads: Vec::new(),
            folded_workloads: 0,
            unattributed: Unattributed::default(),
            namespaces: Vec::new(),
            agent: AgentReading::default(),
        }
    }
}
