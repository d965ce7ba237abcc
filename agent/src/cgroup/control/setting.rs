//! What it can be set to.

use serde::{Deserialize, Serialize};

use super::Knob;
use crate::cgroup::DeviceNumber;

/// A knob and its value. `None` in a limit is the kernel's `max`: unlimited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "knob", content = "value")]
pub enum Setting {
    CpuMax(Quota),
    /// Microseconds of quota that may be saved up; at most the quota.
    CpuMaxBurst(u64),
    /// 1 to 10000; 100 is the default.
    CpuWeight(u64),
    CpuIdle(bool),
    /// The kernel's list form: `0-3,7`; empty is "as the parent".
    CpusetCpus(String),
    CpusetMems(String),
    MemoryMax(Option<u64>),
    MemoryHigh(Option<u64>),
    MemoryLow(Option<u64>),
    MemoryMin(Option<u64>),
    MemorySwapMax(Option<u64>),
    MemoryOomGroup(bool),
    PidsMax(Option<u64>),
    IoMax(DeviceNumber, IoCaps),
    /// 1 to 10000; 100 is the default.
    IoWeight(u64),
    Freeze(bool),
}

/// CPU time in each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Microseconds, 1,000 at least; `None`: unlimited.
    pub quota_us: Option<u64>,
    /// Microseconds, 1,000 to 1,000,000.
    pub period_us: u64,
}

/// Caps of one disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoCaps {
    /// Bytes read a second.
    pub rbps: Option<u64>,
    pub wbps: Option<u64>,
    /// Read operations a second.
    pub riops: Option<u64>,
    pub wiops: Option<u64>,
}

impl Setting {
    /// What it sets.
    #[must_use]
    pub const fn knob(&self) -> Knob {
        match self {
            Self::CpuMax(_) => Knob::CpuMax,
            Self::CpuMaxBurst(_) => Knob::CpuMaxBurst,
            Self::CpuWeight(_) => Knob::CpuWeight,
            Self::CpuIdle(_) => Knob::CpuIdle,
            Self::CpusetCpus(_) => Knob::CpusetCpus,
            Self::CpusetMems(_) => Knob::CpusetMems,
            Self::MemoryMax(_) => Knob::MemoryMax,
            Self::MemoryHigh(_) => Knob::MemoryHigh,
            Self::MemoryLow(_) => Knob::MemoryLow,
            Self::MemoryMin(_) => Knob::MemoryMin,
            Self::MemorySwapMax(_) => Knob::MemorySwapMax,
            Self::MemoryOomGroup(_) => Knob::MemoryOomGroup,
            Self::PidsMax(_) => Knob::PidsMax,
            Self::IoMax(device, _) => Knob::IoMax(*device),
            Self::IoWeight(_) => Knob::IoWeight,
            Self::Freeze(_) => Knob::Freeze,
        }
    }
}
