//! What can be held, and its values.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use crate::cgroup::{CgroupKey, Knob, Setting};
use crate::kernel::{DeviceRule, TrafficRules};

/// What a claim is about: one thing of a cgroup that has one value at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Thing {
    Knob(Knob),
    Traffic,
    Devices,
}

/// A thing of one cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Slot {
    /// In the hierarchy that carries the thing.
    pub(crate) cgroup: CgroupKey,
    pub(crate) thing: Thing,
}

/// A thing's value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Value {
    Setting(Setting),
    /// The default: no rules.
    Traffic(TrafficRules),
    /// Empty: no rules.
    Devices(Vec<DeviceRule>),
}

impl Thing {
    /// May a write of this take the other one along?
    #[must_use]
    pub(crate) fn carries(self, other: Self) -> bool {
        use Knob::{CpuIdle, CpuMax, CpuMaxBurst, CpuWeight, MemoryHigh, MemoryMax, MemorySwapMax};
        let (Self::Knob(this), Self::Knob(other)) = (self, other) else {
            return false;
        };
        matches!(
            (this, other),
            (CpuMax, CpuMaxBurst) | (CpuIdle, CpuWeight) | (MemoryMax, MemoryHigh | MemorySwapMax)
        )
    }
}

impl Value {
    /// What comes nearest to `wanted` and fits beside this.
    #[must_use]
    pub(crate) fn nearest(&self, wanted: &Self) -> Option<Self> {
        match (self, wanted) {
            (Self::Setting(Setting::CpuMax(quota)), Self::Setting(Setting::CpuMaxBurst(burst))) => {
                let burst = quota.quota_us.map_or(*burst, |quota| quota.min(*burst));
                Some(Self::Setting(Setting::CpuMaxBurst(burst)))
            }
            _ => None,
        }
    }

    /// What it is a value of.
    #[must_use]
    pub(crate) fn thing(&self) -> Thing {
        match self {
            Self::Setting(setting) => Thing::Knob(setting.knob()),
            Self::Traffic(_) => Thing::Traffic,
            Self::Devices(_) => Thing::Devices,
        }
    }
}

/// `memory.max`, `net`, `devices`.
impl Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Knob(knob) => knob.fmt(f),
            Self::Traffic => f.write_str("net"),
            Self::Devices => f.write_str("devices"),
        }
    }
}

/// With its name, in the kernel's words: `cpu.max 150000 100000`.
impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting(setting) => setting.fmt(f),
            Self::Traffic(rules) => write_traffic(rules, f),
            Self::Devices(rules) if rules.is_empty() => f.write_str("devices any"),
            Self::Devices(rules) => write!(f, "devices {} rules", rules.len()),
        }
    }
}

fn write_traffic(rules: &TrafficRules, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if *rules == TrafficRules::default() {
        return f.write_str("net any");
    }
    let rate = |bits: Option<u64>| bits.map_or_else(|| "max".to_owned(), |bits| bits.to_string());
    write!(
        f,
        "net egress={} ingress={} bit/s, {} rules",
        rate(rules.egress_bits_per_second),
        rate(rules.ingress_bits_per_second),
        rules.connect_allow.len()
            + rules.connect_deny.len()
            + rules.bind_allow.len()
            + rules.bind_deny.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_told_in_short() {
        let rules = TrafficRules {
            egress_bits_per_second: Some(5),
            ..TrafficRules::default()
        };
        assert_eq!(
            Value::Traffic(rules).to_string(),
            "net egress=5 ingress=max bit/s, 0 rules"
        );
        assert_eq!(Value::Devices(Vec::new()).to_string(), "devices any");
    }
}
