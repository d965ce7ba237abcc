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

impl Needs {
    /// Adds what a rule wants of the workload itself.
    pub(super) fn add_rule(
        &mut self,
        rule: &Rule,
        state: &RuleState,
        figures: &Figures,
        cpus: Option<f64>,
    ) {
        let pace = state.pace(rule);
        for (condition, leaf) in rule.when.leaves().into_iter().zip(&state.leaves) {
            if judge::subject(condition) == Subject::Host {
                continue;
            }
            match condition {
                Condition::Psi(psi) => {
                    self.add_stall(psi, leaf, pace, state.is_idle(), Some(figures));
                }
                Condition::Event(event) => {
                    self.events.insert(event.event);
                }
                Condition::Metric(_) | Condition::Rate(_) => {
                    let idle = state.is_idle();
                    let left = idle.then(|| time_left(condition, leaf, figures, cpus));
                    self.add_leaf(condition, leaf, pace, idle, left.flatten());
                }
                Condition::Any(_) | Condition::All(_) => {}
            }
        }
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

    /// Adds what a rule wants of the host.
    pub(super) fn add_host(&mut self, rule: &Rule) {
        let leaf = Leaf::default();
        for condition in rule.when.leaves() {
            if judge::subject(condition) == Subject::Workload {
                continue;
            }
            match condition {
                Condition::Psi(psi) => self.add_stall(psi, &leaf, rule.hold_for, false, None),
                _ => self.add_leaf(condition, &leaf, rule.hold_for, false, None),
            }
        }
    }

    /// `left`: before that it cannot be past its line.
    fn add_leaf(
        &mut self,
        condition: &Condition,
        leaf: &Leaf,
        pace: Duration,
        idle: bool,
        left: Option<Duration>,
    ) {
        let Some(bound) = judge::bound(condition) else {
            return;
        };
        let window = judge::window(condition);
        let calm = leaf.calm(bound).filter(|_| idle && window.is_zero());
        let paced = every(pace, window);
        for series in series_of_leaf(condition) {
            self.add(Want {
                series,
                every: left.map_or(paced, |left| doubled(paced, left)),
                calm,
                limits: knobs(bound),
            });
        }
    }

    fn add_stall(
        &mut self,
        psi: &PsiCondition,
        leaf: &Leaf,
        pace: Duration,
        idle: bool,
        figures: Option<&Figures>,
    ) {
        let Threshold::Value(percent) = psi.bound.threshold else {
            return;
        };
        let calm = idle && psi.bound.compare == Compare::Above && leaf.calm(&psi.bound).is_some();
        let steady = every(pace, psi.window);
        // Stall grows no faster than time passes.
        let left = figures.filter(|_| calm);
        let left = left.map(|f| f.stall_left(psi.resource, psi.stall, psi.window, percent));
        self.stalls.push(StallWant {
            resource: psi.resource,
            stall: psi.stall,
            window: psi.window,
            percent,
            every: match left {
                Some(left) if left < steady => left.max(SOONEST),
                Some(left) => doubled(steady, left),
                None => steady,
            },
            calm,
        });
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
