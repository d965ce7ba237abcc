//! A cap that a rule lowers a little at a time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::figures::Figures;
use super::judge::Judgement;
use super::series::Series;
use crate::cgroup::{DeviceNumber, IoCaps, Knob, Quota, Setting};
use crate::kernel::TrafficRules;
use crate::policy::ladder::{Throttle, ThrottleTarget};
use crate::policy::order::{Amount, Claim, Limit, Wanted};

const PERCENT: f64 = 100.0;
/// The kernel's default period, and its least quota (kernel/sched/core.c, v6.12).
const PERIOD_US: u64 = 100_000;
const LEAST_QUOTA_US: u64 = 1_000;

/// Where it stands.
#[derive(Clone, Debug)]
pub(super) struct Throttler {
    throttle: Throttle,
    /// By disk, reads and writes; one entry without a disk for all else. Empty: not begun.
    caps: BTreeMap<Option<DeviceNumber>, Caps>,
    next: Instant,
    /// When all of it is let go; `None`: not before it has cleared.
    ends: Option<Instant>,
}

/// In the target's unit, a second. `None`: not capped.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Caps {
    first: Option<f64>,
    second: Option<f64>,
}

impl Throttler {
    pub(super) fn new(throttle: &Throttle, now: Instant) -> Self {
        Self {
            throttle: throttle.clone(),
            caps: BTreeMap::new(),
            next: now,
            ends: throttle.at_most.and_then(|most| now.checked_add(most)),
        }
    }

    /// How often it wants to look.
    pub(super) const fn every(&self) -> Duration {
        self.throttle.every
    }

    /// What to hold from now on; empty when nothing changes. `traffic`: what the policy's limits
    /// say of traffic besides.
    pub(super) fn advance(
        &mut self,
        now: Instant,
        judgement: Judgement,
        figures: &Figures,
        traffic: &TrafficRules,
    ) -> Vec<Claim> {
        let over = self.ends.is_some_and(|ends| now >= ends);
        if now < self.next || over || judgement.past != Some(true) {
            return Vec::new();
        }
        self.next = now + self.throttle.every;
        if self.caps.is_empty() {
            self.caps = self.begin(figures);
        } else {
            let before = self.caps.clone();
            for caps in self.caps.values_mut() {
                caps.first = caps.first.map(|cap| lower(cap, &self.throttle));
                caps.second = caps.second.map(|cap| lower(cap, &self.throttle));
            }
            if before == self.caps {
                return Vec::new();
            }
        }
        let at_most = self.ends.map(|ends| ends - now);
        let limits = self.limits(traffic).into_iter();
        limits.map(|limit| Claim { limit, at_most }).collect()
    }

    pub(super) fn due(&self, judgement: Judgement) -> Option<Instant> {
        let lasts = self.ends.is_none_or(|ends| self.next < ends);
        (judgement.past == Some(true) && lasts).then_some(self.next)
    }

    /// What is used, lowered.
    fn begin(&self, figures: &Figures) -> BTreeMap<Option<DeviceNumber>, Caps> {
        let cap = |used: f64| lower(used, &self.throttle);
        let one = |series, unit: f64| {
            let used = figures.used(series).filter(|used| *used > 0.0);
            used.map(|used| {
                let caps = Caps {
                    first: Some(cap(used / unit)),
                    second: None,
                };
                (None, caps)
            })
        };
        match self.throttle.target {
            ThrottleTarget::Cpu => one(Series::CpuTime, 1e9).into_iter().collect(),
            ThrottleTarget::NetEgress => one(Series::NetEgress, 1.0).into_iter().collect(),
            ThrottleTarget::NetIngress => one(Series::NetIngress, 1.0).into_iter().collect(),
            ThrottleTarget::Io => figures
                .disks()
                .into_iter()
                .map(|(disk, read, written)| {
                    let caps = Caps {
                        first: (read > 0.0).then(|| cap(read)),
                        second: (written > 0.0).then(|| cap(written)),
                    };
                    (Some(disk), caps)
                })
                .collect(),
        }
    }

    fn limits(&self, traffic: &TrafficRules) -> Vec<Limit> {
        let whole = |cap: Option<f64>| cap.map(|cap| cap.max(1.0) as u64);
        let limit = |(disk, caps): (&Option<DeviceNumber>, &Caps)| {
            let first = whole(caps.first);
            Some(match self.throttle.target {
                ThrottleTarget::Cpu => exactly(
                    Knob::CpuMax,
                    Setting::CpuMax(Quota {
                        quota_us: caps
                            .first
                            .map(|cpus| ((cpus * PERIOD_US as f64) as u64).max(LEAST_QUOTA_US)),
                        period_us: PERIOD_US,
                    }),
                ),
                ThrottleTarget::Io => exactly(
                    Knob::IoMax((*disk)?),
                    Setting::IoMax(
                        (*disk)?,
                        IoCaps {
                            rbps: first,
                            wbps: whole(caps.second),
                            riops: None,
                            wiops: None,
                        },
                    ),
                ),
                ThrottleTarget::NetEgress => Limit::Traffic(TrafficRules {
                    egress_bits_per_second: first,
                    ..traffic.clone()
                }),
                ThrottleTarget::NetIngress => Limit::Traffic(TrafficRules {
                    ingress_bits_per_second: first,
                    ..traffic.clone()
                }),
            })
        };
        self.caps.iter().filter_map(limit).collect()
    }
}

fn lower(value: f64, throttle: &Throttle) -> f64 {
    (value * throttle.to_percent / PERCENT).max(throttle.floor)
}

fn exactly(knob: Knob, setting: Setting) -> Limit {
    Limit::Cgroup(Wanted {
        knob,
        amount: Amount::Exactly(setting),
        ceiling: None,
        floor: None,
    })
}
