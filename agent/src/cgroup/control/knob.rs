//! What can be set.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::site::Site;
use super::{ControlError, cpuset, io, pids};
use crate::cgroup::{Controller, DeviceNumber};

/// One thing that can be set on a cgroup, by its cgroup v2 name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Knob {
    CpuMax,
    CpuMaxBurst,
    CpuWeight,
    CpuIdle,
    CpusetCpus,
    CpusetMems,
    MemoryMax,
    MemoryHigh,
    MemoryLow,
    MemoryMin,
    MemorySwapMax,
    MemoryOomGroup,
    PidsMax,
    /// Caps of one whole disk.
    IoMax(DeviceNumber),
    IoWeight,
    Freeze,
}

impl Knob {
    /// Those that take one value: all but `io.max`, which takes caps for each disk, and freezing.
    pub const SINGLE: [Self; 14] = [
        Self::CpuMax,
        Self::CpuMaxBurst,
        Self::CpuWeight,
        Self::CpuIdle,
        Self::CpusetCpus,
        Self::CpusetMems,
        Self::MemoryMax,
        Self::MemoryHigh,
        Self::MemoryLow,
        Self::MemoryMin,
        Self::MemorySwapMax,
        Self::MemoryOomGroup,
        Self::PidsMax,
        Self::IoWeight,
    ];

    /// The kernel's name of it on v2.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CpuMax => "cpu.max",
            Self::CpuMaxBurst => "cpu.max.burst",
            Self::CpuWeight => "cpu.weight",
            Self::CpuIdle => "cpu.idle",
            Self::CpusetCpus => "cpuset.cpus",
            Self::CpusetMems => "cpuset.mems",
            Self::MemoryMax => "memory.max",
            Self::MemoryHigh => "memory.high",
            Self::MemoryLow => "memory.low",
            Self::MemoryMin => "memory.min",
            Self::MemorySwapMax => "memory.swap.max",
            Self::MemoryOomGroup => "memory.oom.group",
            Self::PidsMax => "pids.max",
            Self::IoMax(_) => "io.max",
            Self::IoWeight => "io.weight",
            Self::Freeze => "cgroup.freeze",
        }
    }

    /// The controller that carries it.
    pub(super) const fn controller(self) -> Controller {
        match self {
            Self::CpuMax | Self::CpuMaxBurst | Self::CpuWeight | Self::CpuIdle => Controller::Cpu,
            Self::CpusetCpus | Self::CpusetMems => Controller::Cpuset,
            Self::MemoryMax
            | Self::MemoryHigh
            | Self::MemoryLow
            | Self::MemoryMin
            | Self::MemorySwapMax
            | Self::MemoryOomGroup => Controller::Memory,
            Self::PidsMax => Controller::Pids,
            Self::IoMax(_) | Self::IoWeight => Controller::Io,
            Self::Freeze => Controller::Freezer,
        }
    }

    /// Why v1 cannot do it at all.
    pub(super) const fn never_on_v1(self) -> Option<&'static str> {
        match self {
            Self::MemoryHigh => Some(
                "cgroup v1 has no memory.high; its soft limit acts only when the whole host is short",
            ),
            Self::MemoryLow | Self::MemoryMin => Some("cgroup v1 protects no memory from reclaim"),
            Self::MemoryOomGroup => Some("cgroup v1 kills one process at a time"),
            _ => None,
        }
    }

    /// The files that hold it in this cgroup's hierarchy.
    pub(super) fn file_names(self, site: &Site) -> Result<Vec<&'static str>, ControlError> {
        Ok(match (self, site.is_unified()) {
            (Self::CpuMax, false) => vec!["cpu.cfs_quota_us", "cpu.cfs_period_us"],
            (Self::CpuMaxBurst, false) => vec!["cpu.cfs_burst_us"],
            (Self::CpuWeight, false) => vec!["cpu.shares"],
            (Self::CpusetCpus, _) => vec![cpuset::CPUS],
            (Self::CpusetMems, _) => vec![cpuset::MEMS],
            (Self::MemoryMax, false) => vec!["memory.limit_in_bytes"],
            (Self::MemorySwapMax, false) => {
                vec!["memory.memsw.limit_in_bytes", "memory.limit_in_bytes"]
            }
            (Self::PidsMax, _) => vec![pids::MAX],
            (Self::IoMax(_), false) => io::V1_MAX.to_vec(),
            (Self::IoWeight, _) => vec![io::weight_file(site)?],
            (Self::Freeze, false) => vec!["freezer.state"],
            _ => vec![self.name()],
        })
    }

    /// Why a v2 cgroup with the controller has no such file.
    pub(super) fn why_v2_lacks(self, file: &str) -> String {
        match self {
            Self::CpuMaxBurst => "cpu.max.burst came with Linux 5.14".to_owned(),
            Self::CpuIdle => "cpu.idle came with Linux 5.15".to_owned(),
            Self::MemorySwapMax => "this kernel does not account swap".to_owned(),
            Self::Freeze => "cgroup.freeze came with Linux 5.2".to_owned(),
            _ => format!("this kernel or cgroup has no {file}"),
        }
    }
}

/// The name, with the disk where there is one: `io.max 8:0`.
impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        if let Self::IoMax(device) = self {
            write!(f, " {}:{}", device.major, device.minor)?;
        }
        Ok(())
    }
}
