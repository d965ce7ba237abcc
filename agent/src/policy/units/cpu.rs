//! CPU time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::quantity::{UnitError, decimal};
use super::{Percent, TimeSpan};
use crate::cgroup::Quota;

/// The kernel's default, `default_cfs_period()` in `kernel/sched/core.c`, v6.12.
const USUAL_PERIOD_US: u64 = 100_000;
/// `max_cfs_quota_period`, the same file.
const LONGEST_PERIOD_US: u64 = 1_000_000;
/// `min_cfs_quota_period` there: holds for quota and period.
const SHORTEST_US: u64 = 1_000;
/// More than any machine has; keeps the quota below the kernel's bound.
const MOST_CORES: f64 = 65_536.0;

const WHAT: &str = "an amount of CPU time";
const EXAMPLE: &str = "1.5 cores";

/// CPUs' worth of time: `1.5 cores`, `150%`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Cores(pub f64);

/// A value of `cpu.max`: `1.5 cores`, `150%`, `75ms/50ms` (quota and period), `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuLimit(pub Quota);

impl CpuLimit {
    /// No limit.
    pub const MAX: Self = Self(Quota {
        quota_us: None,
        period_us: USUAL_PERIOD_US,
    });

    /// The quota for so many cores in the usual period of 100 ms; where that would be less than the
    /// kernel takes (1 ms), in the longest one of 1 s.
    ///
    /// # Errors
    /// Less than a thousandth of a core, or more than any machine has.
    pub fn from_cores(cores: f64) -> Result<Self, UnitError> {
        let out_of_range = || UnitError::OutOfRange {
            text: Cores(cores).to_string(),
            range: "from 0.001 to 65536 cores".to_owned(),
        };
        if !(0.0..=MOST_CORES).contains(&cores) {
            return Err(out_of_range());
        }
        [USUAL_PERIOD_US, LONGEST_PERIOD_US]
            .into_iter()
            .map(|period_us| (quota_in(cores, period_us), period_us))
            .find(|(quota_us, _)| *quota_us >= SHORTEST_US)
            .map(|(quota_us, period_us)| {
                Self(Quota {
                    quota_us: Some(quota_us),
                    period_us,
                })
            })
            .ok_or_else(out_of_range)
    }

    /// As a flag of the command line takes it, where, as in `docker run --cpus`, a bare number is
    /// cores.
    ///
    /// # Errors
    /// As of `FromStr`.
    pub fn from_flag(text: &str) -> Result<Self, UnitError> {
        match decimal(text.trim()) {
            Some(cores) => Self::from_cores(cores),
            None => text.parse(),
        }
    }

    /// How many cores; `None`: unlimited.
    #[must_use]
    pub fn cores(self) -> Option<f64> {
        // Both are below 2^53.
        #[allow(clippy::cast_precision_loss)]
        let share = |quota_us: u64| quota_us as f64 / self.0.period_us as f64;
        self.0.quota_us.map(share)
    }

    fn of_times(quota: Duration, period: Duration, text: &str) -> Result<Self, UnitError> {
        let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let (quota_us, period_us) = (us(quota), us(period));
        let out_of_range = |range: &str| UnitError::OutOfRange {
            text: text.to_owned(),
            range: range.to_owned(),
        };
        if !(SHORTEST_US..=LONGEST_PERIOD_US).contains(&period_us) {
            return Err(out_of_range("the period is 1ms to 1s"));
        }
        let most = quota_in(MOST_CORES, period_us);
        if !(SHORTEST_US..=most).contains(&quota_us) {
            return Err(out_of_range(
                "the quota is 1ms at least, 65536 periods at most",
            ));
        }
        Ok(Self(Quota {
            quota_us: Some(quota_us),
            period_us,
        }))
    }
}

impl FromStr for Cores {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(Percent(percent)) = text.parse() {
            return Ok(Self(percent / 100.0));
        }
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, unit) = text.split_at(end.unwrap_or(text.len()));
        let Some(value) = decimal(number) else {
            return Err(UnitError::NoNumber {
                text: text.to_owned(),
                what: WHAT,
                example: EXAMPLE,
            });
        };
        match unit.trim() {
            "cores" | "core" => Ok(Self(value)),
            "" => Err(UnitError::NoUnit {
                text: text.to_owned(),
                what: WHAT,
                example: Self(value).to_string(),
            }),
            "m" => Err(UnitError::UnknownUnit {
                unit: "m".to_owned(),
                what: WHAT,
                hint: format!("write `{}`", Self(value / 1_000.0)),
            }),
            unit => Err(UnitError::UnknownUnit {
                unit: unit.to_owned(),
                what: WHAT,
                hint: format!("write `{}` or `{}`", Self(value), Percent(value * 100.0)),
            }),
        }
    }
}

impl FromStr for CpuLimit {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text == "max" {
            return Ok(Self::MAX);
        }
        if let Some((quota, period)) = text.split_once('/') {
            let (TimeSpan(quota), TimeSpan(period)) = (quota.parse()?, period.parse()?);
            return Self::of_times(quota, period, text);
        }
        let Cores(cores) = text.parse()?;
        Self::from_cores(cores)
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Exactly one is singular.
        #[allow(clippy::float_cmp)]
        let unit = if self.0 == 1.0 { "core" } else { "cores" };
        f.pad(&format!("{} {unit}", self.0))
    }
}

impl fmt::Display for CpuLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Quota {
            quota_us,
            period_us,
        } = self.0;
        match (quota_us, self.cores()) {
            (Some(_), Some(cores)) if period_us == USUAL_PERIOD_US => Cores(cores).fmt(f),
            (Some(quota_us), _) => {
                let time = |us: u64| TimeSpan(Duration::from_micros(us));
                f.pad(&format!("{}/{}", time(quota_us), time(period_us)))
            }
            (None, _) => f.pad("max"),
        }
    }
}

/// At most 65,536 cores in at most a second: far below 2^53.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
fn quota_in(cores: f64, period_us: u64) -> u64 {
    (cores * period_us as f64).round() as u64
}

#[cfg(test)]
#[path = "cpu_tests.rs"]
mod tests;
