//! Rates between two readings of the same workload.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::api::Workload;

/// Rates of one workload; `None` until two readings are there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rate {
    /// 100 is one CPU.
    pub(super) cpu_percent: Option<f64>,
    /// Share of the periods with work in which the quota ran out; `None` too without a quota.
    pub(super) throttled_percent: Option<f64>,
}

/// The last reading of each workload.
#[derive(Debug, Default)]
pub(super) struct Rates {
    last: HashMap<String, Reading>,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    /// Of the workload: another time at the same path is another workload.
    created: SystemTime,
    taken: SystemTime,
    cpu_ns: Option<u64>,
    /// Throttled and all.
    periods: Option<(u64, u64)>,
    /// What it came to, for as long as the agent has no newer reading.
    rate: Rate,
}

impl Rates {
    /// Remembers the reading and gives the rates since the one before.
    pub(super) fn update(&mut self, workload: &Workload, taken: SystemTime) -> Rate {
        let cpu = workload.reading.cpu;
        let throttling = cpu.and_then(|cpu| cpu.throttling);
        let mut now = Reading {
            created: workload.created,
            taken,
            cpu_ns: cpu.map(|cpu| cpu.usage_ns),
            periods: throttling.map(|t| (t.throttled_periods, t.periods)),
            rate: Rate::default(),
        };
        let id = &workload.identity.id;
        if let Some(last) = self.last.get(id).filter(|last| last.created == now.created) {
            if last.taken == taken {
                return last.rate;
            }
            now.rate = rate(last, &now);
        }
        self.last.insert(id.clone(), now);
        now.rate
    }
}

#[allow(clippy::cast_precision_loss)]
fn rate(last: &Reading, now: &Reading) -> Rate {
    let cpu = || {
        let elapsed = now.taken.duration_since(last.taken).ok()?;
        let used = now.cpu_ns?.checked_sub(last.cpu_ns?)?;
        Some(used as f64 / elapsed.as_nanos() as f64 * 100.0)
    };
    let throttled = || {
        let (throttled, periods) = now.periods?;
        let (throttled_before, periods_before) = last.periods?;
        let periods = periods.checked_sub(periods_before)?;
        let throttled = throttled.checked_sub(throttled_before)?;
        Some(throttled as f64 / periods.max(1) as f64 * 100.0)
    };
    Rate {
        cpu_percent: cpu(),
        throttled_percent: throttled(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::cgroup::{self, CpuReading, Throttling};

    fn workload(created: u64, cpu_ms: u64, throttled: u64, periods: u64) -> Workload {
        Workload {
            reading: cgroup::Reading {
                cpu: Some(CpuReading {
                    usage_ns: cpu_ms * 1_000_000,
                    throttling: Some(Throttling {
                        periods,
                        throttled_periods: throttled,
                        ..Throttling::default()
                    }),
                    ..CpuReading::default()
                }),
                ..cgroup::Reading::default()
            },
            ..Workload::new(Arc::default(), Arc::default(), at(created))
        }
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn rates_come_from_two_readings() {
        let mut rates = Rates::default();
        assert_eq!(
            rates.update(&workload(0, 100, 0, 0), at(10)),
            Rate::default()
        );
        let rate = rates.update(&workload(0, 3_100, 5, 20), at(12));
        assert_eq!(rate.cpu_percent, Some(150.0));
        assert_eq!(rate.throttled_percent, Some(25.0));
        // The same reading again: no division by no time, and no drop to zero.
        assert_eq!(rates.update(&workload(0, 3_100, 5, 20), at(12)), rate);
        let idle = rates.update(&workload(0, 3_100, 5, 20), at(13));
        assert_eq!(
            (idle.cpu_percent, idle.throttled_percent),
            (Some(0.0), Some(0.0))
        );
    }

    #[test]
    fn another_workload_at_the_same_path_starts_anew() {
        let mut rates = Rates::default();
        rates.update(&workload(0, 9_000, 0, 0), at(10));
        assert_eq!(
            rates.update(&workload(11, 5, 0, 0), at(12)),
            Rate::default()
        );
        // Counters that went back, for whatever reason, are no rate either.
        assert_eq!(
            rates.update(&workload(11, 1, 0, 0), at(13)).cpu_percent,
            None
        );
    }
}
