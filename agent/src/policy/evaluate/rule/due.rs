//! When a rule has something to do next, and how closely it is to be watched until then.

use std::time::{Duration, Instant};

use super::{Phase, RuleState, until_first_step};
use crate::policy::condition::Condition;
use crate::policy::evaluate::judge::Judgement;
use crate::policy::evaluate::scaler::Scaler;
use crate::policy::evaluate::throttler::Throttler;
use crate::policy::set::Rule;

/// The first of several times. What was due before `after` has been done, as far as it could be.
struct Soonest {
    after: Option<Instant>,
    at: Option<Instant>,
}

impl Soonest {
    fn add(&mut self, at: Option<Instant>) {
        let Some(at) = at.filter(|at| self.after.is_none_or(|after| *at > after)) else {
            return;
        };
        self.at = Some(self.at.map_or(at, |first| first.min(at)));
    }
}

impl RuleState {
    /// When something will be due, if no reading comes before.
    pub(super) fn find_due(&self, rule: &Rule) -> Option<Instant> {
        let Judgement { past, holds } = self.judgement;
        let past = past == Some(true);
        let mut soonest = Soonest {
            after: self.seen,
            at: None,
        };
        soonest.add(self.held.ends());
        match self.phase {
            Phase::Idle => {}
            Phase::Pending { since } => {
                let first = since.checked_add(until_first_step(rule));
                soonest.add(first.filter(|_| past));
            }
            Phase::Firing(firing) => {
                let step = rule.then.get(firing.next).filter(|_| past);
                let next = step.zip(firing.holding);
                soonest.add(next.and_then(|(step, holding)| holding.checked_add(step.after)));
                soonest.add(self.again.due().filter(|_| past));
                let clearing = firing.clearing;
                soonest.add(clearing.and_then(|clearing| clearing.checked_add(rule.clear_for)));
                for scaler in self.scalers.values() {
                    soonest.add(scaler.due(self.judgement, false));
                }
                for throttler in self.throttlers.values() {
                    soonest.add(throttler.due(self.judgement));
                }
            }
            Phase::Settling { .. } => {
                for scaler in self.scalers.values() {
                    soonest.add(scaler.due(self.judgement, true));
                }
            }
            Phase::Cooldown { until } => soonest.add(Some(until)),
        }
        if holds == Some(true) {
            self.add_fading(rule, &mut soonest);
        }
        soonest.at
    }

    /// When events that count now no longer will.
    fn add_fading(&self, rule: &Rule, soonest: &mut Soonest) {
        let Some(seen) = self.seen else {
            return;
        };
        let mut leaves = self.leaves.iter();
        rule.when.each_leaf(&mut |condition| {
            if let (Some(leaf), Condition::Event(event)) = (leaves.next(), condition) {
                soonest.add(leaf.fades(event, seen));
            }
        });
    }

    /// How soon readings are wanted: the shortest time in which something may be decided.
    pub(in crate::policy::evaluate) fn pace(&self, rule: &Rule) -> Duration {
        match self.phase {
            Phase::Idle | Phase::Pending { .. } => until_first_step(rule),
            Phase::Firing(firing) => {
                let step = rule.then.get(firing.next).map(|step| step.after);
                let scale = self.scalers.values().map(Scaler::every).min();
                let throttle = self.throttlers.values().map(Throttler::every).min();
                let clear = Some(rule.clear_for);
                let all = [step, scale, throttle, clear].into_iter().flatten();
                all.min().unwrap_or(rule.clear_for)
            }
            Phase::Settling { .. } => {
                let scale = self.scalers.values().map(Scaler::every).min();
                scale.unwrap_or(rule.clear_for)
            }
            Phase::Cooldown { .. } => Duration::MAX,
        }
    }
}
