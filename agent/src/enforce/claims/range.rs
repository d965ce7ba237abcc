//! Arithmetic on settings: shares, factors, bounds.

use nix::unistd::{SysconfVar, sysconf};

use crate::cgroup::{IoCaps, Knob, Quota, Setting};

/// Least quota the kernel takes (`min_cfs_quota_period`, kernel/sched/core.c, v6.12), microseconds.
const LEAST_QUOTA_US: u64 = 1_000;
const WEIGHTS: (u64, u64) = (1, 10_000);
/// Limits of memory are kept in pages; the smallest that kernels have.
const PAGE: u64 = 4_096;

/// What a host has: what `max` comes to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) cpus: u64,
    pub(crate) memory_bytes: u64,
}

impl Machine {
    /// This one.
    #[must_use]
    pub(crate) fn of_host() -> Self {
        let number = |variable| {
            let value = sysconf(variable).ok().flatten();
            value
                .and_then(|value| u64::try_from(value).ok())
                .unwrap_or(1)
        };
        Self {
            cpus: number(SysconfVar::_NPROCESSORS_ONLN),
            memory_bytes: number(SysconfVar::_PHYS_PAGES) * number(SysconfVar::PAGE_SIZE),
        }
    }
}

/// A setting that is one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Bytes(Option<u64>),
    /// CPU time, microseconds in a period.
    Micros(Option<u64>),
    Count(Option<u64>),
}

/// The number it is; `None`: it is none, or several.
pub(super) fn number(setting: &Setting) -> Option<Number> {
    Some(match setting {
        Setting::CpuMax(quota) => Number::Micros(quota.quota_us),
        Setting::CpuMaxBurst(micros) => Number::Micros(Some(*micros)),
        Setting::MemoryMax(bytes)
        | Setting::MemoryHigh(bytes)
        | Setting::MemoryLow(bytes)
        | Setting::MemoryMin(bytes)
        | Setting::MemorySwapMax(bytes) => Number::Bytes(*bytes),
        Setting::PidsMax(count) => Number::Count(*count),
        Setting::CpuWeight(_)
        | Setting::CpuShares(_)
        | Setting::CpuIdle(_)
        | Setting::CpusetCpus(_)
        | Setting::CpusetMems(_)
        | Setting::MemoryOomGroup(_)
        | Setting::IoMax(..)
        | Setting::IoWeight(_)
        | Setting::IoBfqWeight(_)
        | Setting::Freeze(_) => return None,
    })
}

/// `knob` set to a number of its own kind; `like` gives the period. `None`: the kind is another.
pub(super) fn of_number(knob: Knob, number: Number, like: &Setting) -> Option<Setting> {
    let period_us = match like {
        Setting::CpuMax(quota) => quota.period_us,
        _ => 100_000,
    };
    Some(match (knob, number) {
        (Knob::CpuMax, Number::Micros(quota_us)) => Setting::CpuMax(Quota {
            quota_us,
            period_us,
        }),
        (Knob::CpuMaxBurst, Number::Micros(Some(micros))) => Setting::CpuMaxBurst(micros),
        (Knob::MemoryMax, Number::Bytes(bytes)) => Setting::MemoryMax(bytes),
        (Knob::MemoryHigh, Number::Bytes(bytes)) => Setting::MemoryHigh(bytes),
        (Knob::MemoryLow, Number::Bytes(bytes)) => Setting::MemoryLow(bytes),
        (Knob::MemoryMin, Number::Bytes(bytes)) => Setting::MemoryMin(bytes),
        (Knob::MemorySwapMax, Number::Bytes(bytes)) => Setting::MemorySwapMax(bytes),
        (Knob::PidsMax, Number::Count(count)) => Setting::PidsMax(count),
        _ => return None,
    })
}

/// The setting times `factor`. More of `max` is `max`; less of it is less of what the machine has.
/// `None`: it is no quantity, or there is nothing to take less of.
pub(super) fn scaled(setting: &Setting, factor: f64, machine: Machine) -> Option<Setting> {
    let times = |number: u64| times(number, factor);
    let limited = |limit: Option<u64>, all: Option<u64>| match (limit, all) {
        (Some(number), _) => Some(Some(times(number))),
        (None, _) if factor >= 1.0 => Some(None),
        (None, all) => all.map(|all| Some(times(all))),
    };
    let memory = |bytes: Option<u64>| limited(bytes, Some(machine.memory_bytes));
    let setting = match setting {
        Setting::CpuMax(quota) => Setting::CpuMax(Quota {
            quota_us: limited(quota.quota_us, Some(machine.cpus * quota.period_us))?,
            period_us: quota.period_us,
        }),
        Setting::CpuMaxBurst(micros) => Setting::CpuMaxBurst(times(*micros)),
        Setting::CpuWeight(weight) => Setting::CpuWeight(times(*weight)),
        Setting::IoWeight(weight) => Setting::IoWeight(times(*weight)),
        Setting::MemoryMax(bytes) => Setting::MemoryMax(memory(*bytes)?),
        Setting::MemoryHigh(bytes) => Setting::MemoryHigh(memory(*bytes)?),
        Setting::MemoryLow(bytes) => Setting::MemoryLow(memory(*bytes)?),
        Setting::MemoryMin(bytes) => Setting::MemoryMin(memory(*bytes)?),
        Setting::MemorySwapMax(bytes) => Setting::MemorySwapMax(limited(*bytes, None)?),
        Setting::PidsMax(count) => Setting::PidsMax(limited(*count, None)?),
        Setting::IoMax(disk, caps) => {
            if *caps == IoCaps::default() && factor < 1.0 {
                return None;
            }
            Setting::IoMax(
                *disk,
                IoCaps {
                    rbps: caps.rbps.map(times),
                    wbps: caps.wbps.map(times),
                    riops: caps.riops.map(times),
                    wiops: caps.wiops.map(times),
                },
            )
        }
        // Weights are in v2's unit here.
        Setting::CpuShares(_)
        | Setting::IoBfqWeight(_)
        | Setting::CpuIdle(_)
        | Setting::CpusetCpus(_)
        | Setting::CpusetMems(_)
        | Setting::MemoryOomGroup(_)
        | Setting::Freeze(_) => return None,
    };
    Some(setting)
}

/// The lower of two of one knob; where they are no quantities, the first.
pub(super) fn lower(a: &Setting, b: &Setting) -> Setting {
    let least = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    };
    pick(a, b, least, u64::min, Pick::Lower)
}

/// The higher of two of one knob; where they are no quantities, the first.
pub(super) fn higher(a: &Setting, b: &Setting) -> Setting {
    let most = |a: Option<u64>, b: Option<u64>| a.zip(b).map(|(a, b)| a.max(b));
    pick(a, b, most, u64::max, Pick::Higher)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pick {
    Lower,
    Higher,
}

fn pick(
    a: &Setting,
    b: &Setting,
    limit: impl Fn(Option<u64>, Option<u64>) -> Option<u64>,
    plain: impl Fn(u64, u64) -> u64,
    which: Pick,
) -> Setting {
    match (a, b) {
        (Setting::CpuMax(x), Setting::CpuMax(y)) => {
            let b_is_lower = share(*y) < share(*x);
            let take_b = b_is_lower == (which == Pick::Lower) && share(*x) != share(*y);
            if take_b { b.clone() } else { a.clone() }
        }
        (Setting::CpuMaxBurst(x), Setting::CpuMaxBurst(y)) => Setting::CpuMaxBurst(plain(*x, *y)),
        (Setting::CpuWeight(x), Setting::CpuWeight(y)) => Setting::CpuWeight(plain(*x, *y)),
        (Setting::IoWeight(x), Setting::IoWeight(y)) => Setting::IoWeight(plain(*x, *y)),
        (Setting::IoMax(disk, x), Setting::IoMax(other, y)) if disk == other => Setting::IoMax(
            *disk,
            IoCaps {
                rbps: limit(x.rbps, y.rbps),
                wbps: limit(x.wbps, y.wbps),
                riops: limit(x.riops, y.riops),
                wiops: limit(x.wiops, y.wiops),
            },
        ),
        _ => {
            let picked = match (number(a), number(b)) {
                (Some(Number::Bytes(x)), Some(Number::Bytes(y))) => Number::Bytes(limit(x, y)),
                (Some(Number::Count(x)), Some(Number::Count(y))) => Number::Count(limit(x, y)),
                _ => return a.clone(),
            };
            of_number(a.knob(), picked, a).unwrap_or_else(|| a.clone())
        }
    }
}

/// Cores; `max` is more than any.
fn share(quota: Quota) -> f64 {
    quota
        .quota_us
        .map_or(f64::INFINITY, |us| us as f64 / quota.period_us as f64)
}

/// As the kernel will take it: not below what it allows, whole pages.
pub(super) fn allowed(setting: Setting) -> Setting {
    let pages = |bytes: Option<u64>| bytes.map(|bytes| bytes - bytes % PAGE);
    let weight = |weight: u64| weight.clamp(WEIGHTS.0, WEIGHTS.1);
    match setting {
        Setting::CpuMax(Quota {
            quota_us: Some(us),
            period_us,
        }) => Setting::CpuMax(Quota {
            quota_us: Some(us.max(LEAST_QUOTA_US)),
            period_us,
        }),
        Setting::CpuWeight(number) => Setting::CpuWeight(weight(number)),
        Setting::IoWeight(number) => Setting::IoWeight(weight(number)),
        Setting::MemoryMax(bytes) => Setting::MemoryMax(pages(bytes)),
        Setting::MemoryHigh(bytes) => Setting::MemoryHigh(pages(bytes)),
        Setting::MemoryLow(bytes) => Setting::MemoryLow(pages(bytes)),
        Setting::MemoryMin(bytes) => Setting::MemoryMin(pages(bytes)),
        Setting::MemorySwapMax(bytes) => Setting::MemorySwapMax(pages(bytes)),
        Setting::IoMax(disk, caps) => {
            // The kernel has no 0 (`blk_throttle` takes it for an error); 1 is its least.
            let some = |cap: Option<u64>| cap.map(|cap| cap.max(1));
            Setting::IoMax(
                disk,
                IoCaps {
                    rbps: some(caps.rbps),
                    wbps: some(caps.wbps),
                    riops: some(caps.riops),
                    wiops: some(caps.wiops),
                },
            )
        }
        Setting::CpuMax(_)
        | Setting::CpuMaxBurst(_)
        | Setting::CpuShares(_)
        | Setting::IoBfqWeight(_)
        | Setting::CpuIdle(_)
        | Setting::CpusetCpus(_)
        | Setting::CpusetMems(_)
        | Setting::MemoryOomGroup(_)
        | Setting::PidsMax(_)
        | Setting::Freeze(_) => setting,
    }
}

/// Saturates; a float holds a count of bytes exactly up to 2^53.
pub(super) fn times(number: u64, factor: f64) -> u64 {
    (number as f64 * factor).round() as u64
}
