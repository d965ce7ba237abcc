//! What evaluation wants to know of a workload, and how soon.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::figures::{Figures, series_of};
use super::judge::{self, Leaf};
use super::rule::RuleState;
use super::series::Series;
use super::track::Windows;
use crate::cgroup::Knob;
use crate::policy::condition::{
    Bound, Compare, Condition, PsiCondition, Resource, Stall, Subject, Threshold, WatchedEvent,
};
use crate::policy::ladder::{Action, ThrottleTarget};
use crate::policy::metric::Metric;
use crate::policy::set::Rule;

/// Between which readings are asked for.
pub const SOONEST: Duration = Duration::from_millis(20);
pub const LATEST: Duration = Duration::from_secs(1);

/// A time in which something may be decided is looked into so often.
const PACE_IN: u32 = 10;
/// And a window so often.
const WINDOW_IN: u32 = 20;
/// Throttles go by the last second.
const USED_OVER: Duration = Duration::from_secs(1);

/// All that is wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Needs {
    pub wants: Vec<Want>,
    pub stalls: Vec<StallWant>,
    pub events: BTreeSet<WatchedEvent>,
}

/// A series to be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Want {
    pub series: Series,
    pub every: Duration,
    /// As long as the value is between these, both included, nothing is decided: it need not be
    /// reported, nor read while it cannot have left.
    pub calm: Option<(f64, f64)>,
    /// Limits that the value is held against, to be read with it once it leaves the calm.
    pub limits: BTreeSet<Knob>,
}

/// A pressure to be watched: what a trigger of the kernel could tell.
#[derive(Clone, Debug, PartialEq)]
pub struct StallWant {
    pub resource: Resource,
    pub stall: Stall,
    pub window: Duration,
    /// Goes off above this.
    pub percent: f64,
    /// Without a trigger it is to be read so often: by then it can be above.
    pub every: Duration,
    /// Nothing is under way: a trigger is all that is wanted.
    pub calm: bool,
}

/// What one leaf wants, as far as that changes from reading to reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wish {
    every: Duration,
    calm: Option<(f64, f64)>,
}

impl Needs {
    /// Adds what a rule wants of the workload itself.
    pub(super) fn add_rule(
        &mut self,
        rule: &Rule,
        state: &RuleState,
        figures: &Figures,
        cpus: Option<f64>,
    ) {
        let (pace, idle) = (state.pace(rule), state.is_idle());
        let mut leaves = state.leaves.iter();
        rule.when.each_leaf(&mut |condition| {
            let Some(leaf) = leaves.next() else {
                return;
            };
            if judge::subject(condition) == Subject::Workload {
                let wish = wish(condition, leaf, pace, idle, figures, cpus);
                self.add_wish(condition, wish);
            }
        });
        if rule.then.iter().any(|step| is_throttle(&step.action)) {
            for series in used_series(rule) {
                self.add(Want {
                    series,
                    every: LATEST,
                    calm: None,
                    limits: BTreeSet::new(),
                });
            }
        }
    }

    /// Adds what a rule wants of the host; `calm`: no rule anywhere is near to being decided by it.
    pub(super) fn add_host(&mut self, rule: &Rule, calm: bool, host: &Figures) {
        rule.when.each_leaf(&mut |condition| {
            if judge::subject(condition) == Subject::Workload {
                return;
            }
            let every = every(rule.hold_for, judge::window(condition));
            let every = match condition {
                Condition::Psi(psi) if calm && psi.bound.compare == Compare::Above => {
                    until_stalled(psi, every, host)
                }
                _ => every,
            };
            self.add_wish(condition, Wish { every, calm: None });
        });
    }

    fn add_wish(&mut self, condition: &Condition, wish: Wish) {
        match condition {
            Condition::Psi(psi) => {
                if let Threshold::Value(percent) = psi.bound.threshold {
                    self.stalls.push(StallWant {
                        resource: psi.resource,
                        stall: psi.stall,
                        window: psi.window,
                        percent,
                        every: wish.every,
                        calm: wish.calm.is_some(),
                    });
                }
            }
            Condition::Event(event) => {
                self.events.insert(event.event);
            }
            Condition::Metric(_) | Condition::Rate(_) => {
                let limits = judge::bound(condition).map(knobs).unwrap_or_default();
                for series in series_of_leaf(condition) {
                    self.add(Want {
                        series,
                        every: wish.every,
                        calm: wish.calm,
                        limits: limits.clone(),
                    });
                }
            }
            Condition::Any(_) | Condition::All(_) => {}
        }
    }

    /// One want a series that waits for a line, and one that is read in any case.
    fn add(&mut self, want: Want) {
        let same = |other: &&mut Want| {
            other.series == want.series && other.calm.is_some() == want.calm.is_some()
        };
        let Some(other) = self.wants.iter_mut().find(same) else {
            self.wants.push(want);
            return;
        };
        other.every = other.every.min(want.every);
        other.limits.extend(want.limits);
        if let (Some((low, high)), Some((least, most))) = (other.calm, want.calm) {
            other.calm = Some((low.max(least), high.min(most)));
        }
    }
}

/// What a leaf of a rule wants that is decided at this pace; `idle`: it waits for something to happen.
pub(super) fn wish(
    condition: &Condition,
    leaf: &Leaf,
    pace: Duration,
    idle: bool,
    figures: &Figures,
    cpus: Option<f64>,
) -> Wish {
    let window = judge::window(condition);
    let paced = every(pace, window);
    let calm = judge::bound(condition).filter(|_| idle);
    let calm = calm.and_then(|bound| leaf.calm(bound));
    match condition {
        Condition::Psi(psi) => {
            let calm = calm.filter(|_| psi.bound.compare == Compare::Above);
            let every = match calm {
                Some(_) => until_stalled(psi, paced, figures),
                None => paced,
            };
            Wish { every, calm }
        }
        _ => {
            let left = idle.then(|| time_left(condition, leaf, figures, cpus));
            Wish {
                every: left.flatten().map_or(paced, |left| doubled(paced, left)),
                calm: calm.filter(|_| window.is_zero()),
            }
        }
    }
}

/// How soon a pressure below its line can be above: stall grows no faster than time passes.
fn until_stalled(psi: &PsiCondition, paced: Duration, figures: &Figures) -> Duration {
    let Threshold::Value(percent) = psi.bound.threshold else {
        return paced;
    };
    let left = figures.stall_left(psi.resource, psi.stall, psi.window, percent);
    if left < paced {
        left.max(SOONEST)
    } else {
        doubled(paced, left)
    }
}

/// What a leaf is judged by, of its own subject; not what limits it is held against.
pub(in crate::policy) fn series_of_leaf(condition: &Condition) -> Vec<Series> {
    match condition {
        Condition::Metric(one) if one.metric == Metric::CpuThrottledRatio => {
            vec![Series::Periods, Series::ThrottledPeriods]
        }
        Condition::Metric(one) => vec![series_of(one.metric)],
        Condition::Rate(one) => vec![series_of(one.metric)],
        Condition::Psi(one) => vec![Series::Stalled(one.resource, one.stall)],
        Condition::Event(_) | Condition::Any(_) | Condition::All(_) => Vec::new(),
    }
}

/// Limits that a leaf is held against.
pub(super) fn knobs(bound: &Bound) -> BTreeSet<Knob> {
    [Some(bound.threshold), bound.clear]
        .into_iter()
        .flatten()
        .filter_map(|threshold| match threshold {
            Threshold::PercentOfKnob { knob, .. } => Some(knob),
            Threshold::Value(_) | Threshold::PercentOfHost(_) => None,
        })
        .collect()
}

/// How far back each series is to be remembered for these rules, of their `subject`.
pub(super) fn windows<'r>(
    rules: impl Iterator<Item = &'r Rule>,
    subject: Subject,
) -> BTreeMap<Series, Windows> {
    let mut all: BTreeMap<Series, Windows> = BTreeMap::new();
    for rule in rules {
        for leaf in rule.when.leaves() {
            if judge::subject(leaf) != subject {
                continue;
            }
            for series in series_of_leaf(leaf) {
                let windows = all.entry(series).or_default();
                *windows = windows.and(judge::window(leaf));
            }
        }
        for series in used_series(rule) {
            let windows = all.entry(series).or_default();
            *windows = windows.and(USED_OVER);
        }
    }
    all
}

/// What its throttles go by.
fn used_series(rule: &Rule) -> Vec<Series> {
    let throttles = rule.then.iter().filter_map(|step| match &step.action {
        Action::Throttle(throttle) => Some(throttle.target),
        _ => None,
    });
    throttles
        .filter_map(|target| match target {
            ThrottleTarget::Cpu => Some(Series::CpuTime),
            ThrottleTarget::NetEgress => Some(Series::NetEgress),
            ThrottleTarget::NetIngress => Some(Series::NetIngress),
            // Disk by disk, as they come.
            ThrottleTarget::Io => None,
        })
        .collect()
}

const fn is_throttle(action: &Action) -> bool {
    matches!(action, Action::Throttle(_))
}

/// How long it takes at the least until the condition can hold; `None`: that is not known.
fn time_left(
    condition: &Condition,
    leaf: &Leaf,
    figures: &Figures,
    cpus: Option<f64>,
) -> Option<Duration> {
    let Condition::Metric(one) = condition else {
        return None;
    };
    if one.bound.compare != Compare::Above {
        return None;
    }
    match one.metric {
        // CPU time grows no faster than all CPUs give it.
        Metric::CpuUsage => figures.cpu_time_left(one.window, leaf.threshold?, cpus?),
        // Without a quota no period passes; whether there is one, each snapshot tells.
        Metric::CpuThrottledRatio => figures.in_force(Knob::CpuMax).is_none().then_some(LATEST),
        Metric::MemoryUsage
        | Metric::MemoryWorkingSet
        | Metric::MemoryAnon
        | Metric::MemorySwap
        | Metric::PidsCurrent
        | Metric::IoReadBytes
        | Metric::IoWriteBytes
        | Metric::IoReads
        | Metric::IoWrites
        | Metric::NetEgress
        | Metric::NetIngress => None,
    }
}

/// As seldom as is soon enough for what is `left`, in steps: what is asked for is not to change with
/// each reading.
fn doubled(paced: Duration, left: Duration) -> Duration {
    let mut every = paced;
    while every * 2 <= left.min(LATEST) {
        every *= 2;
    }
    if left >= LATEST { LATEST } else { every }
}

fn every(pace: Duration, window: Duration) -> Duration {
    (pace / PACE_IN)
        .max(window / WINDOW_IN)
        .clamp(SOONEST, LATEST)
}
