//! The keys. Doc comments here become `docs/config.md`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub agent: AgentConfig,
    pub log: LogConfig,
    pub metrics: MetricsConfig,
    pub containers: ContainersConfig,
    pub probes: ProbesConfig,
    pub attribution: AttributionConfig,
    pub policy: PolicyConfig,
    pub enforce: EnforceConfig,
    pub audit: AuditConfig,
    pub engine: EngineConfig,
}

/// The agent itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AgentConfig {
    /// Unix socket that the command line asks; mode 0600.
    pub socket: PathBuf,
    /// How often readings are taken: `100ms` to `60s`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub tick: Duration,
    /// How often a workload is read of which no task ran since the last reading. At least `tick`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub idle_refresh: Duration,
    /// Events kept for `plimsoll events`: 0 to 1000000.
    pub event_history: usize,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            socket: PathBuf::from("/run/plimsoll/plimsoll.sock"),
            tick: Duration::from_secs(1),
            idle_refresh: Duration::from_secs(10),
            event_history: 10_000,
        }
    }
}

/// What the agent logs, to standard error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Least severe level that is logged.
    pub level: LogLevel,
    /// Form of a log line: `text` for people, `json` for collectors.
    pub format: LogFormat,
    /// What the BPF programs log (`aya-log`). Anything but `off` makes them slower.
    pub bpf: LogLevel,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: LogLevel::Info,
            format: LogFormat::Text,
            bpf: LogLevel::Off,
        }
    }
}

/// Least severe level that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// The Prometheus endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// Address of `/metrics`, `/healthz` and `/readyz`.
    pub listen: SocketAddr,
    /// Put the time of the reading on every sample, as cAdvisor does. Prometheus then keeps a dead
    /// workload's series for five minutes.
    pub timestamps: bool,
    /// How long the series of a dead workload wait for a scrape. They go after the first scrape that
    /// had them.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub retain_dead: Duration,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9470)),
            timestamps: false,
            retain_dead: Duration::from_secs(300),
        }
    }
}

/// Which workloads and labels are exported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ContainersConfig {
    /// Export every container label, as `container_label_<name>`.
    pub store_container_labels: bool,
    /// Names of the labels to export when `store_container_labels` is false.
    pub whitelisted_container_labels: Vec<String>,
    /// Most workloads with series of their own; the rest is summed into one with `id="other"`.
    pub max_workloads: usize,
}

impl Default for ContainersConfig {
    fn default() -> Self {
        Self {
            store_container_labels: false,
            whitelisted_container_labels: Vec::new(),
            max_workloads: 2_000,
        }
    }
}

/// Which probes are attached. What is off is neither measured nor exported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProbesConfig {
    /// Bytes and packets per cgroup. Off: those of the devices in a container's network namespace.
    pub network: bool,
    /// I/O per cgroup and disk, on hosts whose io controller is on cgroup v1; on v2 the kernel counts
    /// it itself.
    pub io: bool,
    /// Context switches per cgroup. They also tell which workloads are idle, to be read less often.
    pub scheduler: bool,
    /// Exec and exit of processes: events and counts.
    pub process: bool,
    /// Namespaces that are made or entered: events and counts. Its system-call tracepoints cost every system call of the host
    /// some tens of nanoseconds.
    pub namespace: bool,
    /// OOM kills: events, and `container_oom_events_total`.
    pub oom: bool,
    /// Tasks by state, load, and alive namespaces, by one pass over all tasks a tick.
    pub tasks: bool,
    /// Let the kernel time every BPF program of the host (`kernel.bpf_stats_enabled`), for the
    /// metrics about probes. It reads the clock twice a run: some 20 ns on bare metal, 100 ns where a
    /// virtual machine's clock is slow, which is more than the probes take.
    pub run_time_stats: bool,
}

impl Default for ProbesConfig {
    fn default() -> Self {
        Self {
            network: true,
            io: true,
            scheduler: true,
            process: true,
            namespace: true,
            oom: true,
            tasks: true,
            run_time_stats: true,
        }
    }
}

/// Where names, images and labels come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AttributionConfig {
    /// Docker's API socket; an empty string turns it off.
    pub docker_socket: PathBuf,
    /// Podman's API socket; on-disk state is used when nobody listens. Empty: off.
    pub podman_socket: PathBuf,
    /// Podman's (and CRI-O's) container storage.
    pub containers_storage: PathBuf,
    /// containerd's state directory.
    pub containerd_state: PathBuf,
    /// Longest wait for one answer of an engine.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub timeout: Duration,
}

impl Default for AttributionConfig {
    fn default() -> Self {
        Self {
            docker_socket: PathBuf::from("/var/run/docker.sock"),
            podman_socket: PathBuf::from("/run/podman/podman.sock"),
            containers_storage: PathBuf::from("/var/lib/containers/storage"),
            containerd_state: PathBuf::from("/run/containerd"),
            timeout: Duration::from_secs(2),
        }
    }
}

/// The durable log of every decision and action: one JSON object a line, mode 0600. `plimsoll actions`
/// and `plimsoll why` read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// The file; its directory is made (0750). logrotate may move it away: a new one is begun.
    /// Empty: nothing is written, and only the last actions are known.
    pub path: PathBuf,
    /// Bytes after which a file is renamed to `.1`, that to `.2`, and so on: 65536 to 1073741824.
    pub max_bytes: u64,
    /// Files kept, the one that is written among them: 1 to 100.
    pub files: u32,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("/var/log/plimsoll/audit.jsonl"),
            max_bytes: 16 * 1024 * 1024,
            files: 4,
        }
    }
}

/// How limits are held and given back. Without a policy file, and until an operator limits something,
/// nothing is changed on the host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EnforceConfig {
    /// `monitor`: policies and operators are told what would be done, and nothing is changed.
    pub mode: EnforceMode,
    /// Directory of the journal of what was changed and what it was before; made with mode 0700 when
    /// the first limit is held. What it tells of does not outlive a boot, so it belongs on a file
    /// system that does not either.
    pub state_dir: PathBuf,
}

/// Whether anything is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EnforceMode {
    Enforce,
    Monitor,
}

impl Default for EnforceConfig {
    fn default() -> Self {
        Self {
            mode: EnforceMode::Enforce,
            state_dir: PathBuf::from("/run/plimsoll/enforce"),
        }
    }
}

/// What the agent does by itself: limits and rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    /// The policy file, see `docs/policy.md`; may be absent: no policy. An empty string turns policies
    /// off.
    pub file: PathBuf,
    /// How far back `plimsoll policy replay` can go; `0s` keeps nothing. At most 24 hours.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub history: Duration,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            file: PathBuf::from("/etc/plimsoll/policy.toml"),
            history: Duration::from_secs(600),
        }
    }
}

/// The containers that Plimsoll runs itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EngineConfig {
    /// Off: no container is started, adopted or removed; those that run go on.
    pub enable: bool,
    /// Directory of images, containers, networks and volumes.
    pub data_dir: PathBuf,
    /// Directory of what runs now; on a file system that does not outlive a boot.
    pub run_dir: PathBuf,
    /// Bytes after which a container's log is rotated, unless it has `max-size` of its own; 0: never.
    pub log_max_bytes: u64,
    /// Log files kept of a container, the one that is written among them: 1 to 1000.
    pub log_max_files: u32,
    /// How long a container that is stopped may take to end before it is killed.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub stop_timeout: Duration,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            enable: true,
            data_dir: PathBuf::from("/var/lib/plimsoll"),
            run_dir: PathBuf::from("/run/plimsoll/engine"),
            log_max_bytes: 20 * 1024 * 1024,
            log_max_files: 5,
            stop_timeout: Duration::from_secs(10),
        }
    }
}
