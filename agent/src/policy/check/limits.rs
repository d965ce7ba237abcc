//! Limits that contradict each other, or would do harm together.

use std::time::Duration;

use crate::cgroup::{IoCaps, Knob, Setting, memory_for_writes};
use crate::kernel::TrafficRules;
use crate::policy::order::{Amount, Limit};
use crate::policy::settle::{bytes_of, exactly};
use crate::policy::traffic::{covers, shown_address, shown_ports};
use crate::policy::units::{ByteRate, ByteSize, TimeSpan};

/// Less no process lives in.
const LEAST_MEMORY: u64 = 1 << 20;

/// Two limits, or one, that should not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// Of the limit that is best changed, as a key path: `"memory.high"`, `net.burst`.
    pub key: String,
    pub what: String,
}

/// Lower, upper, and what it means when they are the wrong way round.
const IN_ORDER: [(Knob, Knob, &str); 6] = [
    (
        Knob::MemoryHigh,
        Knob::MemoryMax,
        "it would never be reached",
    ),
    (
        Knob::MemoryLow,
        Knob::MemoryMax,
        "it would protect more than there may be",
    ),
    (
        Knob::MemoryLow,
        Knob::MemoryHigh,
        "it would be slowed down for what it is promised",
    ),
    (
        Knob::MemoryMin,
        Knob::MemoryMax,
        "it would protect more than there may be",
    ),
    (
        Knob::MemoryMin,
        Knob::MemoryHigh,
        "it would be slowed down for what it is promised",
    ),
    (
        Knob::MemoryMin,
        Knob::MemoryLow,
        "`memory.low` would mean nothing",
    ),
];

/// All clashes among limits that are to hold together.
#[must_use]
pub fn clashes(limits: &[Limit]) -> Vec<Clash> {
    let mut clashes = Vec::new();
    let mut at = |key: &str, what: String| {
        let key = if key.contains('.') && !key.starts_with("net") {
            format!("{key:?}")
        } else {
            key.to_owned()
        };
        clashes.push(Clash { key, what });
    };
    memory(limits, &mut at);
    cpu(limits, &mut at);
    io(limits, &mut at);
    for limit in limits {
        if let Limit::Traffic(rules) = limit {
            traffic(rules, &mut at);
        }
    }
    clashes
}

type At<'a> = dyn FnMut(&str, String) + 'a;

fn memory(limits: &[Limit], at: &mut At<'_>) {
    for (lower, upper, meaning) in IN_ORDER {
        let (Some(low), Some(high)) = (bytes_of(limits, lower), bytes_of(limits, upper)) else {
            continue;
        };
        if low > high {
            let what = format!(
                "{} is above {} ({}): {meaning}",
                ByteSize(low),
                upper.name(),
                ByteSize(high)
            );
            at(lower.name(), what);
        }
    }
    for knob in [Knob::MemoryMax, Knob::MemoryHigh] {
        if let Some(bytes) = bytes_of(limits, knob).filter(|bytes| *bytes < LEAST_MEMORY) {
            let what = format!("{} is less than any process lives in", ByteSize(bytes));
            at(knob.name(), what);
        }
    }
    for limit in limits {
        let Limit::Cgroup(wanted) = limit else {
            continue;
        };
        let Amount::PercentOf { knob, percent } = wanted.amount else {
            continue;
        };
        share(limits, wanted.knob, knob, percent, at);
    }
}

/// A share that could not be worked out from the limits themselves.
fn share(limits: &[Limit], knob: Knob, of: Knob, percent: f64, at: &mut At<'_>) {
    let of_unlimited = limits.iter().filter_map(exactly).any(|s| s.knob() == of);
    let of_share = limits.iter().any(|limit| match limit {
        Limit::Cgroup(wanted) => {
            wanted.knob == of && matches!(wanted.amount, Amount::PercentOf { .. })
        }
        Limit::Io { .. } | Limit::Traffic(_) | Limit::Devices(_) => false,
    });
    let out_of_order = IN_ORDER
        .iter()
        .find(|(lower, upper, _)| (*lower, *upper) == (knob, of));
    if of_unlimited {
        at(
            knob.name(),
            format!("a share of {}, which is unlimited here", of.name()),
        );
    } else if of_share {
        let what = format!("a share of {}, which is a share itself", of.name());
        at(knob.name(), what);
    } else if let Some((_, _, meaning)) = out_of_order.filter(|_| percent > 100.0) {
        at(
            knob.name(),
            format!("{percent}% is above {}: {meaning}", of.name()),
        );
    }
}

fn cpu(limits: &[Limit], at: &mut At<'_>) {
    let settings = || limits.iter().filter_map(exactly);
    let quota = settings().find_map(|setting| match setting {
        Setting::CpuMax(quota) => Some(*quota),
        _ => None,
    });
    let burst = settings().find_map(|setting| match setting {
        Setting::CpuMaxBurst(burst) => Some(*burst),
        _ => None,
    });
    if let (Some(quota), Some(burst)) = (quota, burst.filter(|burst| *burst > 0)) {
        let time = |us| TimeSpan(Duration::from_micros(us));
        match quota.quota_us {
            // tg_set_cfs_bandwidth() answers EINVAL, kernel/sched/core.c, v6.12.
            Some(quota_us) if burst > quota_us => {
                let what = format!(
                    "{} is more than the quota of cpu.max, {} of each {}: the kernel refuses it",
                    time(burst),
                    time(quota_us),
                    time(quota.period_us)
                );
                at("cpu.max.burst", what);
            }
            Some(_) => {}
            None => at(
                "cpu.max.burst",
                "cpu.max is unlimited: there is nothing to burst".into(),
            ),
        }
    }
    let idle = settings().any(|setting| *setting == Setting::CpuIdle(true));
    let weight = settings().any(|setting| setting.knob() == Knob::CpuWeight);
    if idle && weight {
        // cpu_weight_write_u64() and sched_group_set_idle(), kernel/sched, v6.12.
        let what = "cpu.idle locks the weight at the least there is: the kernel refuses it";
        at("cpu.weight", what.into());
    }
}

fn io(limits: &[Limit], at: &mut At<'_>) {
    let mut seen = Vec::new();
    for (disk, caps) in limits.iter().filter_map(disk) {
        if seen.contains(&disk) {
            at("io.max", format!("{disk} is there twice"));
        }
        seen.push(disk);
        let memory = bytes_of(limits, Knob::MemoryMax);
        if let (Some(memory), Some(rate)) = (memory, caps.wbps)
            && memory < memory_for_writes(rate)
        {
            let what = format!(
                "with writes capped at {}, memory.max has to be {} at the least, not {}: pages that wait \
                 to be written count as memory and cannot be reclaimed, and a program that writes files \
                 is killed",
                ByteRate(rate),
                ByteSize(memory_for_writes(rate)),
                ByteSize(memory)
            );
            at("io.max", what);
        }
    }
}

/// What a limit caps and to what, if it caps a disk.
fn disk(limit: &Limit) -> Option<(String, IoCaps)> {
    match limit {
        Limit::Io { path, caps } => Some((path.display().to_string(), *caps)),
        Limit::Cgroup(_) => match exactly(limit)? {
            Setting::IoMax(device, caps) => {
                Some((format!("{}:{}", device.major, device.minor), *caps))
            }
            _ => None,
        },
        Limit::Traffic(_) | Limit::Devices(_) => None,
    }
}

fn traffic(rules: &TrafficRules, at: &mut At<'_>) {
    let rates = [rules.egress_bits_per_second, rules.ingress_bits_per_second];
    if rules.burst_bytes.is_some() && rates.iter().all(Option::is_none) {
        at("net.burst", "there is no rate to burst over".into());
    }
    if rules.burst_bytes == Some(0) {
        at("net.burst", "lets nothing through".into());
    }
    for allowed in &rules.connect_allow {
        let denied = rules
            .connect_deny
            .iter()
            .find(|denied| covers(denied, allowed));
        if let Some(denied) = denied {
            let (allowed, denied) = (shown_address(allowed), shown_address(denied));
            let what = format!("{allowed} is in {denied}, which `connect_deny` denies");
            at("net.connect_allow", what);
        }
    }
    for allowed in &rules.bind_allow {
        let denied = rules
            .bind_deny
            .iter()
            .find(|denied| denied.first <= allowed.first && allowed.last <= denied.last);
        if let Some(denied) = denied {
            let (allowed, denied) = (shown_ports(allowed), shown_ports(denied));
            let what = format!("{allowed} is in {denied}, which `bind_deny` denies");
            at("net.bind_allow", what);
        }
    }
}
