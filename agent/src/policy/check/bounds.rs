//! Amounts that can be compared without knowing the workload.

use crate::cgroup::Setting;
use crate::policy::order::{Amount, Change};

/// Whether `one` is certainly more than `other`. `None`: not known before it is applied.
pub(super) fn is_above(one: &Amount, other: &Amount) -> Option<bool> {
    match (one, other) {
        (Amount::Exactly(one), Amount::Exactly(other)) => Some(magnitude(one)? > magnitude(other)?),
        (
            Amount::PercentOf {
                knob: of_one,
                percent: one,
            },
            Amount::PercentOf {
                knob: of_other,
                percent: other,
            },
        ) => (of_one == of_other).then_some(one > other),
        (Amount::Change(Change::OfOriginal(one)), Amount::Change(Change::OfOriginal(other))) => {
            Some(one > other)
        }
        _ => None,
    }
}

/// How much it is, compared with others of its knob; unlimited is more than anything.
#[allow(clippy::cast_precision_loss)]
fn magnitude(setting: &Setting) -> Option<f64> {
    let number = |number: &Option<u64>| number.map_or(f64::INFINITY, |number| number as f64);
    match setting {
        // Units that are only read, never written in a file.
        Setting::CpuShares(_) | Setting::IoBfqWeight(_) => None,
        Setting::CpuMax(quota) => Some(number(&quota.quota_us) / quota.period_us as f64),
        Setting::CpuMaxBurst(n) | Setting::CpuWeight(n) | Setting::IoWeight(n) => Some(*n as f64),
        Setting::MemoryMax(n)
        | Setting::MemoryHigh(n)
        | Setting::MemoryLow(n)
        | Setting::MemoryMin(n)
        | Setting::MemorySwapMax(n)
        | Setting::PidsMax(n) => Some(number(n)),
        Setting::CpuIdle(_)
        | Setting::CpusetCpus(_)
        | Setting::CpusetMems(_)
        | Setting::MemoryOomGroup(_)
        | Setting::IoMax(..)
        | Setting::Freeze(_) => None,
    }
}
