//! A knob that a rule moves a little at a time.

use std::time::{Duration, Instant};

use super::judge::Judgement;
use crate::cgroup::{Knob, Setting};
use crate::policy::ladder::Scale;
use crate::policy::order::{Amount, Change, Claim, Limit, Scope, Step, Wanted};

/// Ups and downs beyond this are left out where the bounds cannot be compared with the original.
const MOST: f64 = 64.0;
/// Factors that come out of many multiplications are equal within this.
const SLACK: f64 = 1e-6;

/// Where it stands. The value itself is the enforcement's to know: this goes by factors of the
/// original, from above no less than what is in force.
#[derive(Clone, Debug)]
pub(super) struct Scaler {
    scale: Scale,
    factor: f64,
    ceiling: f64,
    floor: f64,
    next: Instant,
    seen: Instant,
    /// Of the budget.
    used: Duration,
    /// The budget was used up, and is not yet given back whole.
    spent: bool,
}

impl Scaler {
    /// `original`: what is in force of the knob, in the unit of [`amount_of`].
    pub(super) fn new(scale: &Scale, original: Option<f64>, now: Instant) -> Self {
        let factor = |amount: &Amount, unknown: f64| match amount {
            Amount::Change(Change::OfOriginal(factor)) => *factor,
            Amount::Exactly(setting) => match (amount_of(setting), original) {
                (Some(value), Some(original)) if original > 0.0 => value / original,
                _ => unknown,
            },
            Amount::Change(Change::OfCurrent(_)) | Amount::PercentOf { .. } => unknown,
        };
        Self {
            ceiling: factor(&scale.ceiling, MOST),
            floor: factor(&scale.floor, 1.0).max(1.0 / MOST),
            scale: scale.clone(),
            factor: 1.0,
            next: now,
            seen: now,
            used: Duration::ZERO,
            spent: false,
        }
    }

    pub(super) fn knob(&self) -> Knob {
        self.scale.target
    }

    /// How often it wants to look.
    pub(super) fn every(&self) -> Duration {
        self.scale.every
    }

    /// Whether it is where it rests when all is well.
    pub(super) fn rests(&self) -> bool {
        self.factor <= self.floor + SLACK
    }

    /// Whether it is off the original.
    pub(super) fn holds(&self) -> bool {
        (self.factor - 1.0).abs() > SLACK
    }

    /// The next move, if one is due. `down`: it has cleared, so that the way is down.
    pub(super) fn advance(
        &mut self,
        now: Instant,
        judgement: Judgement,
        down: bool,
    ) -> Option<Step> {
        self.account(now);
        if self.budget_is_used() && self.is_above() {
            self.spent = true;
            self.factor = 1.0;
            self.next = now + self.scale.every;
            return Some(Step::Release(Scope::Knob(self.scale.target)));
        }
        if now < self.next {
            return None;
        }
        if judgement.past == Some(true) {
            return self.up(now);
        }
        if down && judgement.holds == Some(false) {
            return self.down(now);
        }
        None
    }

    fn up(&mut self, now: Instant) -> Option<Step> {
        if self.spent || self.factor >= self.ceiling - SLACK {
            return None;
        }
        self.factor = (self.factor * self.scale.up).min(self.ceiling);
        self.next = now + self.scale.every;
        Some(self.hold(self.scale.up, Some(self.scale.ceiling.clone()), None))
    }

    fn down(&mut self, now: Instant) -> Option<Step> {
        if self.rests() {
            return None;
        }
        self.factor = (self.factor * self.scale.down).max(self.floor);
        self.next = now + self.scale.every;
        if self.rests() && (self.floor - 1.0).abs() < SLACK {
            self.factor = 1.0;
            return Some(Step::Release(Scope::Knob(self.scale.target)));
        }
        Some(self.hold(self.scale.down, None, Some(self.scale.floor.clone())))
    }

    fn hold(&self, factor: f64, ceiling: Option<Amount>, floor: Option<Amount>) -> Step {
        Step::Hold(Claim {
            limit: Limit::Cgroup(Wanted {
                knob: self.scale.target,
                amount: Amount::Change(Change::OfCurrent(factor)),
                ceiling,
                floor,
            }),
            at_most: None,
        })
    }

    /// When it will want something, if things stay as they are.
    pub(super) fn due(&self, judgement: Judgement, down: bool) -> Option<Instant> {
        let goes_up = judgement.past == Some(true) && self.factor < self.ceiling - SLACK;
        let goes_down = down && judgement.holds == Some(false) && !self.rests();
        let step = ((goes_up && !self.spent) || goes_down).then_some(self.next);
        let budget = self.scale.budget.filter(|_| self.is_above());
        let ends = budget.map(|budget| self.seen + budget.saturating_sub(self.used));
        let given_back = (goes_up && self.spent).then(|| self.seen + self.used);
        [step, ends, given_back].into_iter().flatten().min()
    }

    fn account(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.seen);
        self.seen = self.seen.max(now);
        if self.is_above() {
            self.used += passed;
        } else {
            self.used = self.used.saturating_sub(passed);
            self.spent &= !self.used.is_zero();
        }
    }

    fn is_above(&self) -> bool {
        self.factor > 1.0 + SLACK
    }

    fn budget_is_used(&self) -> bool {
        self.scale.budget.is_some_and(|budget| self.used >= budget)
    }
}

/// A setting as one number, in the unit in which its knob's value in force is observed.
pub(super) fn amount_of(setting: &Setting) -> Option<f64> {
    match setting {
        Setting::CpuMax(quota) => Some(quota.quota_us? as f64 / quota.period_us.max(1) as f64),
        Setting::MemoryMax(value)
        | Setting::MemoryHigh(value)
        | Setting::MemoryLow(value)
        | Setting::MemoryMin(value)
        | Setting::MemorySwapMax(value)
        | Setting::PidsMax(value) => value.map(|value| value as f64),
        Setting::CpuMaxBurst(value)
        | Setting::CpuWeight(value)
        | Setting::CpuShares(value)
        | Setting::IoWeight(value)
        | Setting::IoBfqWeight(value) => Some(*value as f64),
        Setting::CpuIdle(_)
        | Setting::CpusetCpus(_)
        | Setting::CpusetMems(_)
        | Setting::MemoryOomGroup(_)
        | Setting::IoMax(..)
        | Setting::Freeze(_) => None,
    }
}
