//! CPU time: `cpu.max`, burst, weight and idle.

use std::fs;
use std::path::Path;

use cgroups_rs::fs::cpu::CpuController;
use nix::errno::Errno;

use super::site::{Site, explain};
use super::{ControlError, Knob, Quota, Setting, weight};

/// kernel/sched/core.c min_cfs_quota_period, max_cfs_quota_period, v6.12: for quota and period.
const LEAST_US: u64 = 1_000;
const LONGEST_PERIOD_US: u64 = 1_000_000;

const QUOTA: &str = "cpu.cfs_quota_us";
const PERIOD: &str = "cpu.cfs_period_us";

/// As the kernel would take it.
pub(super) fn valid(quota: Quota) -> Result<Quota, ControlError> {
    let refuse = |reason: &str| ControlError::Invalid {
        knob: Knob::CpuMax,
        value: Setting::CpuMax(quota).value(),
        reason: reason.to_owned(),
    };
    if quota.quota_us.is_some_and(|quota_us| quota_us < LEAST_US) {
        return Err(refuse("the kernel grants 1,000 us at least"));
    }
    if !(LEAST_US..=LONGEST_PERIOD_US).contains(&quota.period_us) {
        return Err(refuse("a period is 1,000 to 1,000,000 us"));
    }
    Ok(quota)
}

pub(super) fn read_max(site: &Site) -> Result<Quota, ControlError> {
    if site.is_unified() {
        let text = site.read("cpu.max")?;
        let parsed = text.split_once(' ').and_then(|(quota, period)| {
            let quota_us = match quota {
                "max" => None,
                number => Some(number.parse().ok()?),
            };
            let period_us = period.parse().ok()?;
            Some(Quota {
                quota_us,
                period_us,
            })
        });
        return parsed.ok_or_else(|| site.odd("cpu.max", &text));
    }
    let text = site.read(QUOTA)?;
    let quota: i64 = site.parse(QUOTA, &text)?;
    Ok(Quota {
        // -1 is unlimited.
        quota_us: u64::try_from(quota).ok(),
        period_us: site.number(PERIOD)?,
    })
}

pub(super) fn write_max(site: &Site, quota: Quota) -> Result<(), ControlError> {
    let now = read_max(site)?;
    // The burst may not exceed the quota.
    for burst in burst_above(site, quota)? {
        if let (Setting::CpuMaxBurst(_), Some(quota_us)) = (burst, quota.quota_us) {
            write_burst(site, quota_us)?;
        }
    }
    if site.is_unified() {
        return site.write("cpu.max", &Setting::CpuMax(quota).value());
    }
    let written = if now.period_us == quota.period_us {
        write_quota(site, quota.quota_us)
    } else {
        // Each write is checked against the cgroups above and below with the other value as it is;
        // only an unlimited quota is right with any period.
        write_quota(site, None)
            .and_then(|()| write_period(site, quota.period_us))
            .and_then(|()| write_quota(site, quota.quota_us))
    };
    written.map_err(|error| {
        // Between the writes it is unlimited; better as it was.
        if now.period_us != quota.period_us {
            let back =
                write_period(site, now.period_us).and_then(|()| write_quota(site, now.quota_us));
            if let Err(error) = back {
                tracing::warn!(%error, "quota not put back");
            }
        }
        explain(error, |errno| why_not(site, quota, errno))
    })
}

fn write_quota(site: &Site, quota_us: Option<u64>) -> Result<(), ControlError> {
    let quota = quota_us.map_or(-1, |us| i64::try_from(us).unwrap_or(i64::MAX));
    site.through(QUOTA, &quota.to_string(), |path| {
        CpuController::new(path.clone(), path, false).set_cfs_quota(quota)
    })
}

fn write_period(site: &Site, period_us: u64) -> Result<(), ControlError> {
    site.through(PERIOD, &period_us.to_string(), |path| {
        CpuController::new(path.clone(), path, false).set_cfs_period(period_us)
    })
}

/// On v1 no cgroup may have a larger share than one above it (kernel/sched/core.c
/// tg_cfs_schedulable_down(), v6.12). Names the one in the way.
fn why_not(site: &Site, wanted: Quota, errno: Errno) -> Option<String> {
    if errno != Errno::EINVAL {
        return None;
    }
    let share = |quota: &Quota| Some(quota.quota_us? as f64 / quota.period_us as f64);
    let wanted = share(&wanted);
    let tell = |(directory, found): (&Path, Quota)| {
        format!(
            "{} is {} of {} us in {}",
            QUOTA,
            found.quota_us.unwrap_or_default(),
            found.period_us,
            directory.display()
        )
    };
    let limited = |directory| Some((directory, quota_of(directory)?));
    let above = site
        .above()
        .filter_map(limited)
        .find(|(_, found)| share(found).is_some_and(|found| wanted.is_none_or(|w| w > found)));
    if let Some(above) = above {
        return Some(format!("a cgroup above has less: {}", tell(above)));
    }
    let below = site.below();
    let below = below
        .iter()
        .filter_map(|directory| limited(directory.as_path()))
        .find(|(_, found)| share(found).is_some_and(|found| wanted.is_some_and(|w| w < found)));
    below.map(|below| format!("a cgroup below has more: {}", tell(below)))
}

/// Of another cgroup, as far as it can be read.
fn quota_of(directory: &Path) -> Option<Quota> {
    let number = |name| fs::read_to_string(directory.join(name)).ok();
    Some(Quota {
        quota_us: number(QUOTA)?.trim().parse().ok(),
        period_us: number(PERIOD)?.trim().parse().ok()?,
    })
}

fn burst_file(site: &Site) -> &'static str {
    if site.is_unified() {
        "cpu.max.burst"
    } else {
        "cpu.cfs_burst_us"
    }
}

pub(super) fn read_burst(site: &Site) -> Result<u64, ControlError> {
    site.number(burst_file(site))
}

/// The burst in force, if this quota would be below it.
pub(super) fn burst_above(site: &Site, quota: Quota) -> Result<Vec<Setting>, ControlError> {
    let file = burst_file(site);
    let Some(text) = site.read_if_there(file)? else {
        return Ok(Vec::new());
    };
    let burst: u64 = site.parse(file, &text)?;
    let above = quota.quota_us.is_some_and(|quota| burst > quota);
    Ok(Vec::from_iter(above.then_some(Setting::CpuMaxBurst(burst))))
}

pub(super) fn write_burst(site: &Site, burst_us: u64) -> Result<(), ControlError> {
    site.write(burst_file(site), &burst_us.to_string())
        .map_err(|error| {
            explain(error, |errno| {
                let quota_us = read_max(site).ok()?.quota_us?;
                let over = errno == Errno::EINVAL && burst_us > quota_us;
                over.then(|| format!("the quota is only {quota_us} us"))
            })
        })
}

pub(super) fn read_weight(site: &Site) -> Result<Setting, ControlError> {
    Ok(if site.is_unified() {
        Setting::CpuWeight(site.number("cpu.weight")?)
    } else {
        Setting::CpuShares(site.number("cpu.shares")?)
    })
}

/// In this hierarchy's unit.
pub(super) fn native_weight(site: &Site, setting: &Setting) -> Result<Setting, ControlError> {
    let native = match (setting, site.is_unified()) {
        (Setting::CpuWeight(weight), false) => Setting::CpuShares(weight::to_shares(*weight)),
        (Setting::CpuShares(shares), true) => Setting::CpuWeight(weight::from_shares(*shares)),
        _ => setting.clone(),
    };
    let (right, range) = match setting {
        Setting::CpuShares(shares) => ((2..=262_144).contains(shares), "2 to 262144"),
        Setting::CpuWeight(weight) => ((1..=10_000).contains(weight), "1 to 10000"),
        _ => (true, ""),
    };
    if right || read_idle(site).unwrap_or_default() {
        return Ok(native);
    }
    Err(ControlError::Invalid {
        knob: Knob::CpuWeight,
        value: setting.value(),
        reason: format!("the kernel takes {range}"),
    })
}

pub(super) fn write_weight(site: &Site, weight: u64) -> Result<(), ControlError> {
    let file = if site.is_unified() {
        "cpu.weight"
    } else {
        "cpu.shares"
    };
    site.through(file, &weight.to_string(), |path| {
        CpuController::new(path.clone(), path, site.is_unified()).set_shares(weight)
    })
    .map_err(|error| {
        explain(error, |errno| {
            let idle = errno == Errno::EINVAL && read_idle(site).unwrap_or_default();
            idle.then(|| "cpu.idle is 1, which fixes the weight".to_owned())
        })
    })
}

pub(super) fn read_idle(site: &Site) -> Result<bool, ControlError> {
    Ok(site.number("cpu.idle")? != 0)
}

pub(super) fn write_idle(site: &Site, idle: bool) -> Result<(), ControlError> {
    site.write("cpu.idle", &u8::from(idle).to_string())
}
