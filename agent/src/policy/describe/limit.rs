//! Limits in words.

use std::fmt;
use std::time::Duration;

use crate::cgroup::{IoCaps, Setting};
use crate::kernel::{AddressRange, PortRange, TrafficRules};
use crate::policy::device::shown_device_rule;
use crate::policy::metric::Unit;
use crate::policy::order::{Amount, Change, Limit, Wanted};
use crate::policy::traffic::{shown_address, shown_ports};
use crate::policy::units::{
    BitRate, ByteRate, ByteSize, Cores, CpuLimit, OperationRate, Percent, TimeSpan,
};

/// `cpu.max 1.5 cores`, `net egress 100Mbit`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cgroup(wanted) => wanted.fmt(f),
            Self::Io { path, caps } => {
                write!(f, "io.max of {}: {}", path.display(), shown_caps(caps))
            }
            Self::Traffic(rules) => write!(f, "net {}", shown_traffic(rules)),
            Self::Devices(rules) => {
                let rules: Vec<String> = rules.iter().map(shown_device_rule).collect();
                write!(f, "devices: {}", rules.join(", "))
            }
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.knob, self.amount)?;
        if let Some(ceiling) = &self.ceiling {
            write!(f, ", at most {ceiling}")?;
        }
        if let Some(floor) = &self.floor {
            write!(f, ", at least {floor}")?;
        }
        Ok(())
    }
}

/// As it is written in the file.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(setting) => f.write_str(&setting_value(setting)),
            Self::PercentOf { knob, percent } => write!(f, "{} of {knob}", Percent(*percent)),
            Self::Change(change) => change.fmt(f),
        }
    }
}

/// `+25%`, `-20%`, `3x`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfCurrent(factor) => {
                // 1.2 - 1 is not 0.2 to a computer.
                let percent = ((factor - 1.0) * 100.0 * 1e6).round() / 1e6;
                let sign = if percent < 0.0 { '-' } else { '+' };
                write!(f, "{sign}{}", Percent(percent.abs()))
            }
            Self::OfOriginal(factor) => write!(f, "{factor}x"),
        }
    }
}

/// The value of a setting as it is written in the file, without its name: `512MiB`, `max`.
#[must_use]
pub fn setting_value(setting: &Setting) -> String {
    let bytes = |bytes: &Option<u64>| match bytes {
        Some(bytes) => format!("{:#}", ByteSize(*bytes)),
        None => "max".to_owned(),
    };
    match setting {
        Setting::CpuShares(_) | Setting::IoBfqWeight(_) => {
            setting_value(&setting.clone().in_v2_unit())
        }
        Setting::CpuMax(quota) => CpuLimit(*quota).to_string(),
        Setting::CpuMaxBurst(us) => TimeSpan(Duration::from_micros(*us)).to_string(),
        Setting::CpuWeight(weight) | Setting::IoWeight(weight) => weight.to_string(),
        Setting::CpuIdle(on) | Setting::MemoryOomGroup(on) | Setting::Freeze(on) => on.to_string(),
        Setting::CpusetCpus(list) | Setting::CpusetMems(list) => list.clone(),
        Setting::MemoryMax(limit)
        | Setting::MemoryHigh(limit)
        | Setting::MemoryLow(limit)
        | Setting::MemoryMin(limit)
        | Setting::MemorySwapMax(limit) => bytes(limit),
        Setting::PidsMax(limit) => limit.map_or("max".to_owned(), |limit| limit.to_string()),
        Setting::IoMax(_, caps) => shown_caps(caps),
    }
}

/// A value in the unit of what is compared with it, as it is written in the file.
#[must_use]
pub fn threshold_value(value: f64, unit: Unit) -> String {
    // What is written in the file is a whole number, and not negative; readings are rounded.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = value.round() as u64;
    match unit {
        Unit::Bytes => format!("{:#}", ByteSize(whole)),
        Unit::Cores => Cores(value).to_string(),
        Unit::Percent => Percent(value).to_string(),
        Unit::Count => whole.to_string(),
        Unit::BytesPerSecond => ByteRate(whole).to_string(),
        Unit::OperationsPerSecond => OperationRate(whole).to_string(),
        Unit::BitsPerSecond => BitRate(whole).to_string(),
    }
}

fn shown_caps(caps: &IoCaps) -> String {
    let IoCaps {
        rbps,
        wbps,
        riops,
        wiops,
    } = caps;
    let bytes = [("rbps", rbps), ("wbps", wbps)];
    let bytes = bytes.map(|(name, cap)| cap.map(|cap| format!("{name} {}", ByteRate(cap))));
    let operations = [("riops", riops), ("wiops", wiops)];
    let operations =
        operations.map(|(name, cap)| cap.map(|cap| format!("{name} {}", OperationRate(cap))));
    let shown: Vec<String> = bytes.into_iter().chain(operations).flatten().collect();
    if shown.is_empty() {
        return "max".to_owned();
    }
    shown.join(", ")
}

fn shown_traffic(rules: &TrafficRules) -> String {
    let TrafficRules {
        egress_bits_per_second,
        ingress_bits_per_second,
        burst_bytes,
        connect_allow,
        connect_deny,
        bind_allow,
        bind_deny,
    } = rules;
    let rate = |name, rate: &Option<u64>| rate.map(|rate| format!("{name} {}", BitRate(rate)));
    let addresses = |words, list: &[AddressRange]| {
        let shown: Vec<String> = list.iter().map(shown_address).collect();
        (!shown.is_empty()).then(|| format!("{words} {}", shown.join(" ")))
    };
    let ports = |words, list: &[PortRange]| {
        let shown: Vec<String> = list.iter().map(shown_ports).collect();
        (!shown.is_empty()).then(|| format!("{words} {}", shown.join(" ")))
    };
    let shown: Vec<String> = [
        rate("egress", egress_bits_per_second),
        rate("ingress", ingress_bits_per_second),
        burst_bytes.map(|bytes| format!("burst {:#}", ByteSize(bytes))),
        addresses("connect only to", connect_allow),
        addresses("connect not to", connect_deny),
        ports("bind only", bind_allow),
        ports("bind not", bind_deny),
    ]
    .into_iter()
    .flatten()
    .collect();
    shown.join(", ")
}
