//! What can be held, and its values.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use crate::cgroup::{CgroupKey, IoCaps, Knob, Quota, Setting};
use crate::kernel::{DeviceRule, TrafficRules};

/// What a claim is about: one thing of a cgroup that has one value at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thing {
    Knob(Knob),
    Traffic,
    Devices,
}

/// A thing of one cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot {
    /// In the hierarchy that carries the thing.
    pub cgroup: CgroupKey,
    pub thing: Thing,
}

/// A thing's value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    Setting(Setting),
    /// The default: no rules.
    Traffic(TrafficRules),
    /// Empty: no rules.
    Devices(Vec<DeviceRule>),
}

impl Value {
    /// What it is a value of.
    #[must_use]
    pub fn thing(&self) -> Thing {
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

/// With its name, in the kernel's words: `memory.max 512MiB`, `cpu.max 150000 100000`.
impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.thing())?;
        match self {
            Self::Setting(setting) => write_setting(setting, f),
            Self::Traffic(rules) => write_traffic(rules, f),
            Self::Devices(rules) if rules.is_empty() => f.write_str("any"),
            Self::Devices(rules) => write!(f, "{} rules", rules.len()),
        }
    }
}

fn write_setting(setting: &Setting, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match setting {
        Setting::CpuMax(Quota {
            quota_us,
            period_us,
        }) => write!(f, "{} {period_us}", Limit(*quota_us)),
        Setting::CpuMaxBurst(number) | Setting::CpuWeight(number) | Setting::IoWeight(number) => {
            number.fmt(f)
        }
        Setting::CpuIdle(on) | Setting::MemoryOomGroup(on) | Setting::Freeze(on) => {
            u8::from(*on).fmt(f)
        }
        Setting::CpusetCpus(list) | Setting::CpusetMems(list) => write!(f, "{list:?}"),
        Setting::MemoryMax(bytes)
        | Setting::MemoryHigh(bytes)
        | Setting::MemoryLow(bytes)
        | Setting::MemoryMin(bytes)
        | Setting::MemorySwapMax(bytes) => write_bytes(*bytes, f),
        Setting::PidsMax(count) => Limit(*count).fmt(f),
        Setting::IoMax(_, caps) => {
            let IoCaps {
                rbps,
                wbps,
                riops,
                wiops,
            } = *caps;
            write!(
                f,
                "rbps={} wbps={} riops={} wiops={}",
                Limit(rbps),
                Limit(wbps),
                Limit(riops),
                Limit(wiops)
            )
        }
    }
}

fn write_traffic(rules: &TrafficRules, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if *rules == TrafficRules::default() {
        return f.write_str("any");
    }
    let rate = |bits: Option<u64>| bits.map_or_else(|| "max".to_owned(), |bits| bits.to_string());
    write!(
        f,
        "egress={} ingress={} bit/s, {} rules",
        rate(rules.egress_bits_per_second),
        rate(rules.ingress_bits_per_second),
        rules.connect_allow.len()
            + rules.connect_deny.len()
            + rules.bind_allow.len()
            + rules.bind_deny.len()
    )
}

fn write_bytes(bytes: Option<u64>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(bytes) = bytes else {
        return f.write_str("max");
    };
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let exact = |shift: u32| bytes > 0 && bytes.trailing_zeros() >= shift;
    match units.iter().find(|(_, shift)| exact(*shift)) {
        Some((unit, shift)) => write!(f, "{}{unit}", bytes >> shift),
        None => bytes.fmt(f),
    }
}

/// A number, or the kernel's `max`.
struct Limit(Option<u64>);

impl Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => number.fmt(f),
            None => f.write_str("max"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::DeviceNumber;

    #[test]
    fn values_are_in_the_kernels_words() {
        let say = |setting| Value::Setting(setting).to_string();
        let quota = Quota {
            quota_us: Some(150_000),
            period_us: 100_000,
        };
        assert_eq!(say(Setting::CpuMax(quota)), "cpu.max 150000 100000");
        assert_eq!(say(Setting::MemoryMax(Some(512 << 20))), "memory.max 512MiB");
        assert_eq!(say(Setting::MemoryMax(Some(12_288))), "memory.max 12KiB");
        assert_eq!(say(Setting::MemoryHigh(None)), "memory.high max");
        assert_eq!(say(Setting::Freeze(true)), "cgroup.freeze 1");
        let disk = DeviceNumber { major: 8, minor: 0 };
        let caps = IoCaps {
            wbps: Some(1),
            ..IoCaps::default()
        };
        assert_eq!(
            say(Setting::IoMax(disk, caps)),
            "io.max 8:0 rbps=max wbps=1 riops=max wiops=max"
        );
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
