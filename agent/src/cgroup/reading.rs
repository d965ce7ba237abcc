//! What the controllers' files say of one cgroup at one instant. Totals are the kernel's own and
//! include all descendants. `None`: this host, kernel or cgroup does not have the value.

use serde::{Deserialize, Serialize};

/// All readings of one workload.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    pub cpu: Option<CpuReading>,
    pub memory: Option<MemoryReading>,
    /// By device; `None` without an io/blkio controller, empty when nothing was read or written.
    pub io: Option<Vec<DeviceIo>>,
    pub pids: Option<PidsReading>,
    pub cpu_pressure: Option<PressureReading>,
    pub memory_pressure: Option<PressureReading>,
    pub io_pressure: Option<PressureReading>,
    pub limits: Limits,
}

/// CPU time. Source: v2 `cpu.stat`; v1 `cpuacct.usage`, `cpuacct.stat`, `cpu.stat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuReading {
    pub usage_ns: u64,
    /// v1: in steps of a clock tick (10 ms).
    pub user_ns: u64,
    pub system_ns: u64,
    /// Only with a cpu controller on this cgroup.
    pub throttling: Option<Throttling>,
}

/// CFS bandwidth control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttling {
    pub periods: u64,
    pub throttled_periods: u64,
    pub throttled_ns: u64,
    /// 0 on kernels before 5.14.
    pub burst_periods: u64,
    pub burst_ns: u64,
}

/// Memory, in bytes unless named otherwise.
/// Source: v2 `memory.{current,stat,peak,events,swap.current}`; v1 `memory.{usage_in_bytes,stat,…}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryReading {
    pub usage_bytes: u64,
    /// Usage less inactive file pages, as Kubernetes and cAdvisor define it.
    pub working_set_bytes: u64,
    /// Anonymous memory (v2 `anon`; v1 `total_rss`).
    pub rss_bytes: u64,
    /// v2 `file`; v1 `total_cache`.
    pub cache_bytes: u64,
    pub mapped_file_bytes: u64,
    pub swap_bytes: Option<u64>,
    /// v2 `memory.peak` (5.19 and newer); v1 `memory.max_usage_in_bytes`.
    pub peak_bytes: Option<u64>,
    /// v2 `kernel` (5.18 and newer, else the parts' sum is not made up: absent); v1 `memory.kmem.usage_in_bytes`.
    pub kernel_bytes: Option<u64>,
    pub active_file_bytes: u64,
    pub inactive_file_bytes: u64,
    pub file_dirty_bytes: Option<u64>,
    pub file_writeback_bytes: Option<u64>,
    /// Times a limit was hit: v1 `memory.failcnt`; v2 `max` of `memory.events`.
    pub failures: Option<u64>,
    pub page_faults: u64,
    pub major_page_faults: u64,
    pub pages_scanned: Option<u64>,
    pub pages_stolen: Option<u64>,
    pub workingset_refault_file: Option<u64>,
    pub workingset_refault_anon: Option<u64>,
    /// v2 `memory.events`.
    pub events_high: Option<u64>,
    pub events_max: Option<u64>,
    /// Processes the OOM killer took, as the controller counts them (v2 `memory.events`, v1 `memory.oom_control`).
    pub events_oom_kill: Option<u64>,
}

/// `major:minor` of a whole disk or partition.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct DeviceNumber {
    pub major: u32,
    pub minor: u32,
}

/// I/O of one device. Source: v2 `io.stat`; v1 `blkio.throttle.io_{service_bytes,serviced}_recursive`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceIo {
    pub device: DeviceNumber,
    pub read_bytes: u64,
    pub write_bytes: u64,
    pub reads: u64,
    pub writes: u64,
    pub discard_bytes: u64,
    pub discards: u64,
    /// v1 only: the Sync and Async split of the same operations; `None` on v2.
    pub sync_bytes: Option<u64>,
    pub async_bytes: Option<u64>,
}

/// Tasks. Source: `pids.current`, `pids.max`, same on v1 and v2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PidsReading {
    /// Tasks (threads), descendants included.
    pub current: u64,
    pub max: Option<u64>,
}

/// One line of a pressure file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pressure {
    /// Share of the last 10 s, in percent.
    pub avg10: f64,
    /// Total stall, microseconds.
    pub total_us: u64,
}

/// One pressure file. Source: `{cpu,memory,io}.pressure` of the v2 cgroup; no controller needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PressureReading {
    /// Some task waited.
    pub some: Pressure,
    /// All tasks waited. `None`: this kernel has no such line (cpu before 5.13).
    pub full: Option<Pressure>,
}

/// Limits in force on the cgroup itself. `None`: unlimited, or no such controller here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub cpu_quota_us: Option<u64>,
    pub cpu_period_us: Option<u64>,
    /// v1 `cpu.shares`; v2 `cpu.weight` turned back to shares as the OCI runtimes do.
    pub cpu_shares: Option<u64>,
    pub memory_max_bytes: Option<u64>,
    /// v2 `memory.swap.max`; v1 memory+swap limit less the memory limit.
    pub swap_max_bytes: Option<u64>,
    /// v2 `memory.high`.
    pub memory_high_bytes: Option<u64>,
    /// cAdvisor's "reservation": v2 `memory.high`; v1 `memory.soft_limit_in_bytes`.
    pub memory_reservation_bytes: Option<u64>,
}
