//! Whether a condition holds: of what is known, and no more. What is not known is neither above nor
//! below anything.

use std::collections::VecDeque;
use std::slice::IterMut;
use std::time::{Duration, Instant};

use super::figures::Figures;
use super::needs::Wish;
use super::series::Series;
use crate::policy::condition::{
    Bound, Compare, Condition, EventCondition, Subject, Threshold, WatchedEvent,
};
use crate::policy::metric::{Metric, Unit};

const PERCENT: f64 = 100.0;

/// What is known of a workload and of the machine it runs on.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) own: &'a Figures,
    pub(super) host: &'a Figures,
    pub(super) now: Instant,
}

/// `None`: it cannot be said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Judgement {
    /// Values are past their thresholds now: what a step needs.
    pub(super) past: Option<bool>,
    /// They are, or were and are not back where they count as clear: what `for` and clearing go by.
    pub(super) holds: Option<bool>,
}

/// What is remembered of one leaf of a condition.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaf {
    /// Past its threshold, and not back since.
    latched: bool,
    /// The last so many events; for event conditions.
    events: VecDeque<Instant>,
    /// The value and what it was held against when last judged.
    pub(super) value: Option<f64>,
    pub(super) threshold: Option<f64>,
    pub(super) holds: Option<bool>,
    /// What it wanted to be read when last judged.
    pub(super) wish: Option<Wish>,
}

impl Judgement {
    const fn of(past: Option<bool>, holds: Option<bool>) -> Self {
        Self { past, holds }
    }

    const fn all_of(value: bool) -> Self {
        Self::of(Some(value), Some(value))
    }

    fn any(self, other: Self) -> Self {
        Self::of(or(self.past, other.past), or(self.holds, other.holds))
    }

    fn all(self, other: Self) -> Self {
        Self::of(and(self.past, other.past), and(self.holds, other.holds))
    }
}

/// Judges every leaf, from left to right, and the tree of them. `leaves` has one for each.
pub(super) fn judge(condition: &Condition, leaves: &mut [Leaf], view: &View<'_>) -> Judgement {
    judge_next(condition, &mut leaves.iter_mut(), view)
}

fn judge_next(condition: &Condition, leaves: &mut IterMut<'_, Leaf>, view: &View<'_>) -> Judgement {
    match condition {
        // All of them are judged, for their latches.
        Condition::Any(several) => several.iter().fold(Judgement::all_of(false), |sum, one| {
            sum.any(judge_next(one, leaves, view))
        }),
        Condition::All(several) => several.iter().fold(Judgement::all_of(true), |sum, one| {
            sum.all(judge_next(one, leaves, view))
        }),
        leaf => leaves
            .next()
            .map_or(Judgement::default(), |state| state.judge(leaf, view)),
    }
}

impl Leaf {
    /// Notes events.
    pub(super) fn note(&mut self, at: Instant, condition: &EventCondition, count: u32) {
        let most = condition.count as usize;
        for _ in 0..count.min(condition.count) {
            self.events.push_back(at);
        }
        while self.events.len() > most {
            self.events.pop_front();
        }
    }

    fn judge(&mut self, condition: &Condition, view: &View<'_>) -> Judgement {
        let judgement = match condition {
            Condition::Event(event) => self.judge_events(event, view.now),
            Condition::Metric(_) | Condition::Rate(_) | Condition::Psi(_) => {
                self.judge_value(condition, view)
            }
            // Not a leaf.
            Condition::Any(_) | Condition::All(_) => Judgement::default(),
        };
        self.holds = judgement.holds;
        judgement
    }

    fn judge_events(&mut self, condition: &EventCondition, now: Instant) -> Judgement {
        let recent = self.recent(condition, now);
        self.value = Some(recent as f64);
        self.threshold = Some(f64::from(condition.count));
        let enough = Some(recent >= condition.count as usize);
        Judgement::of(enough, enough)
    }

    fn recent(&self, condition: &EventCondition, now: Instant) -> usize {
        let within = |at: &&Instant| now.saturating_duration_since(**at) < condition.window;
        self.events.iter().filter(within).count()
    }

    /// When what counts now no longer will.
    pub(super) fn fades(&self, condition: &EventCondition, now: Instant) -> Option<Instant> {
        let recent = self.recent(condition, now);
        let first = self.events.len() - recent;
        self.events.get(first).map(|at| *at + condition.window)
    }

    fn judge_value(&mut self, condition: &Condition, view: &View<'_>) -> Judgement {
        let Some(bound) = bound(condition) else {
            return Judgement::default();
        };
        self.value = value(condition, view);
        self.threshold = resolve(bound.threshold, condition, view);
        let (Some(value), Some(threshold)) = (self.value, self.threshold) else {
            return Judgement::default();
        };
        let past = beyond(bound.compare, value, threshold);
        self.latched = past || (self.latched && !self.is_back(bound, condition, view, value));
        Judgement::of(Some(past), Some(self.latched))
    }

    fn is_back(&self, bound: &Bound, condition: &Condition, view: &View<'_>, value: f64) -> bool {
        let clear = bound
            .clear
            .and_then(|clear| resolve(clear, condition, view))
            .or(self.threshold);
        clear.is_none_or(|clear| match bound.compare {
            Compare::Above => value <= clear,
            Compare::Below => value >= clear,
        })
    }

    /// Between which values of the latest reading nothing would change; open at both ends.
    pub(super) fn calm(&self, bound: &Bound) -> Option<(f64, f64)> {
        let (value, threshold) = self.value.zip(self.threshold)?;
        let calm = !self.latched && !beyond(bound.compare, value, threshold);
        calm.then_some(match bound.compare {
            Compare::Above => (f64::NEG_INFINITY, threshold),
            Compare::Below => (threshold, f64::INFINITY),
        })
    }
}

/// What a leaf compares; `None` for events and for what is no leaf.
pub(super) const fn bound(condition: &Condition) -> Option<&Bound> {
    match condition {
        Condition::Metric(one) => Some(&one.bound),
        Condition::Rate(one) => Some(&one.bound),
        Condition::Psi(one) => Some(&one.bound),
        Condition::Event(_) | Condition::Any(_) | Condition::All(_) => None,
    }
}

/// Over how long a leaf looks back.
pub(super) const fn window(condition: &Condition) -> Duration {
    match condition {
        Condition::Metric(one) => one.window,
        Condition::Rate(one) => one.window,
        Condition::Psi(one) => one.window,
        Condition::Event(one) => one.window,
        Condition::Any(_) | Condition::All(_) => Duration::ZERO,
    }
}

/// Whose value a leaf is about.
pub(super) const fn subject(condition: &Condition) -> Subject {
    match condition {
        Condition::Metric(one) => one.of,
        Condition::Psi(one) => one.of,
        Condition::Rate(_) | Condition::Event(_) | Condition::Any(_) | Condition::All(_) => {
            Subject::Workload
        }
    }
}

/// The unit of a leaf's value.
pub(super) const fn unit(condition: &Condition) -> Unit {
    match condition {
        Condition::Metric(one) => one.metric.unit(),
        Condition::Rate(one) => one.metric.unit().per_second(),
        Condition::Psi(_) => Unit::Percent,
        Condition::Event(_) | Condition::Any(_) | Condition::All(_) => Unit::Count,
    }
}

/// Which event a leaf counts.
pub(super) const fn event(condition: &Condition) -> Option<WatchedEvent> {
    match condition {
        Condition::Event(one) => Some(one.event),
        Condition::Metric(_)
        | Condition::Rate(_)
        | Condition::Psi(_)
        | Condition::Any(_)
        | Condition::All(_) => None,
    }
}

fn value(condition: &Condition, view: &View<'_>) -> Option<f64> {
    let figures = match subject(condition) {
        Subject::Workload => view.own,
        Subject::Host => view.host,
    };
    match condition {
        Condition::Metric(one) => figures.metric(one.metric, one.window, one.bound.compare),
        Condition::Rate(one) => figures.rate(one.metric, one.window),
        Condition::Psi(one) => {
            figures.pressure(one.resource, one.stall, one.window, one.bound.compare)
        }
        Condition::Event(_) | Condition::Any(_) | Condition::All(_) => None,
    }
}

/// A threshold as a number in the leaf's unit.
fn resolve(threshold: Threshold, condition: &Condition, view: &View<'_>) -> Option<f64> {
    match threshold {
        Threshold::Value(value) => Some(value),
        Threshold::PercentOfKnob { knob, percent } => {
            Some(view.own.in_force(knob)? * percent / PERCENT)
        }
        Threshold::PercentOfHost(percent) => {
            let whole = match condition {
                Condition::Metric(one) if one.metric == Metric::CpuUsage => Series::Cpus,
                _ => Series::MemoryTotal,
            };
            Some(view.host.latest(whole)? * percent / PERCENT)
        }
    }
}

fn beyond(compare: Compare, value: f64, threshold: f64) -> bool {
    match compare {
        Compare::Above => value > threshold,
        Compare::Below => value < threshold,
    }
}

/// Kleene's or: one that is true is enough, whatever the others are.
fn or(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

/// Kleene's and.
fn and(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}
