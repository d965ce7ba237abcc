//! What it can be set to.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Knob, weight};
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
    /// The same knob in v1's finer unit, as it is read there: 2 to 262144; 1024 is the default.
    CpuShares(u64),
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
    /// The same knob where the BFQ scheduler carries it, as it is read there: 1 to 1000; 100 is the
    /// default.
    IoBfqWeight(u64),
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
            Self::CpuWeight(_) | Self::CpuShares(_) => Knob::CpuWeight,
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
            Self::IoWeight(_) | Self::IoBfqWeight(_) => Knob::IoWeight,
            Self::Freeze(_) => Knob::Freeze,
        }
    }
    /// The same in v2's unit, rounded, for those that reckon with it; what is written back as an
    /// original must be the setting that was read.
    #[must_use]
    pub fn in_v2_unit(self) -> Self {
        match self {
            Self::CpuShares(shares) => Self::CpuWeight(weight::from_shares(shares)),
            Self::IoBfqWeight(bfq) => Self::IoWeight(weight::from_bfq(bfq)),
            other => other,
        }
    }
}

/// The file's name and what it says, as v2 writes it: `cpu.max 50000 100000`.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CpuShares(shares) => write!(f, "cpu.shares {shares}"),
            Self::IoBfqWeight(weight) => write!(f, "io.bfq.weight {weight}"),
            // The knob's name already has the device.
            Self::IoMax(_, caps) => write!(f, "{} {caps}", self.knob()),
            _ => write!(f, "{} {}", self.knob(), self.value()),
        }
    }
}

impl Setting {
    /// The value alone, as the kernel writes it.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::CpuMax(quota) => format!("{} {}", limit(quota.quota_us), quota.period_us),
            Self::CpuMaxBurst(number)
            | Self::CpuWeight(number)
            | Self::CpuShares(number)
            | Self::IoWeight(number)
            | Self::IoBfqWeight(number) => number.to_string(),
            Self::CpuIdle(on) | Self::MemoryOomGroup(on) | Self::Freeze(on) => {
                u8::from(*on).to_string()
            }
            Self::CpusetCpus(list) | Self::CpusetMems(list) => list.clone(),
            Self::MemoryMax(number)
            | Self::MemoryHigh(number)
            | Self::MemoryLow(number)
            | Self::MemoryMin(number)
            | Self::MemorySwapMax(number)
            | Self::PidsMax(number) => limit(*number),
            Self::IoMax(_, caps) => caps.to_string(),
        }
    }
}

/// `rbps=1048576 wbps=max riops=max wiops=max`.
impl fmt::Display for IoCaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rbps, wbps, riops, wiops] = [self.rbps, self.wbps, self.riops, self.wiops].map(limit);
        write!(f, "rbps={rbps} wbps={wbps} riops={riops} wiops={wiops}")
    }
}

fn limit(number: Option<u64>) -> String {
    number.map_or_else(|| "max".to_owned(), |number| number.to_string())
}
