//! When a rule has something to do next, and how closely it is to be watched until then.

use std::time::{Duration, Instant};

use super::{Phase, RuleState, until_first_step};
use crate::policy::condition::Condition;
use crate::policy::evaluate::judge::Judgement;
use crate::policy::evaluate::scaler::Scaler;
use crate::policy::evaluate::throttler::Throttler;
use crate::policy::set::Rule;

impl RuleState {
    /// When something will be due, if no reading comes before.
    pub(super) fn find_due(&self, rule: &Rule) -> Option<Instant> {
        let Judgement { past, holds } = self.judgement;
        let past = past == Some(true);
        let mut times = vec![self.held.ends()];
        match self.phase {
            Phase::Idle => {}
            Phase::Pending { since } => {
                times.push(
                    past.then_some(since)
                        .and_then(|at| at.checked_add(until_first_step(rule))),
                );
            }
            Phase::Firing(firing) => {
                let step = rule.then.get(firing.next).filter(|_| past);
                times.push(
                    step.zip(firing.holding)
                        .and_then(|(step, holding)| holding.checked_add(step.after)),
                );
                times.push(
                    firing
                        .clearing
                        .and_then(|clearing| clearing.checked_add(rule.clear_for)),
                );
                times.extend(self.scalers.values().map(|s| s.due(self.judgement, false)));
                times.extend(self.throttlers.values().map(|t| t.due(self.judgement)));
            }
            Phase::Settling { .. } => {
                times.extend(self.scalers.values().map(|s| s.due(self.judgement, true)));
            }
            Phase::Cooldown { until } => times.push(Some(until)),
        }
        if holds == Some(true) {
            times.extend(self.fading(rule));
        }
        // What was due before has been done, as far as it could be.
        times
            .into_iter()
            .flatten()
            .filter(|at| self.seen.is_none_or(|seen| *at > seen))
            .min()
    }

    /// When events that count now no longer will.
    fn fading(&self, rule: &Rule) -> Vec<Option<Instant>> {
        let Some(seen) = self.seen else {
            return Vec::new();
        };
        let leaves = rule.when.leaves().into_iter().zip(&self.leaves);
        leaves
            .map(|(condition, leaf)| match condition {
                Condition::Event(event) => leaf.fades(event, seen),
                _ => None,
            })
            .collect()
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
