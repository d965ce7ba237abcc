//! What can be set.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cgroup::DeviceNumber;

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
