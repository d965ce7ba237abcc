//! What a rule does when it is time.

use std::time::Instant;

use super::RuleState;
use super::again::Again;
use crate::cgroup::{Knob, Setting};
use crate::kernel::TrafficRules;
use crate::policy::evaluate::context::Context;
use crate::policy::evaluate::scaler::Scaler;
use crate::policy::evaluate::thing::Thing;
use crate::policy::evaluate::throttler::Throttler;
use crate::policy::ladder::{Action, Revert};
use crate::policy::order::{Amount, Claim, Limit, Order, Step, Wanted};
use crate::policy::set::Rule;

impl RuleState {
    /// Takes one step of the ladder.
    pub(super) fn take(
        &mut self,
        index: usize,
        action: &Action,
        since: Instant,
        context: &Context<'_>,
        rule: &Rule,
        out: &mut Vec<Order>,
    ) {
        match action {
            Action::Hold(hold) => {
                for limit in &hold.limits {
                    let claim = Claim {
                        limit: limit.clone(),
                        at_most: hold.at_most,
                    };
                    let again = Again::new(Step::Hold(claim), hold.revert);
                    self.give(again, since, context, rule, out);
                }
            }
            Action::Freeze(freeze) => {
                let claim = Claim {
                    limit: Limit::Cgroup(Wanted {
                        knob: Knob::Freeze,
                        amount: Amount::Exactly(Setting::Freeze(true)),
                        ceiling: None,
                        floor: None,
                    }),
                    at_most: Some(freeze.max),
                };
                let again = Again::new(Step::Hold(claim), Revert::OnClear);
                self.give(again, since, context, rule, out);
            }
            Action::Once(once) => {
                let again = Again::new(Step::Once(once.clone()), Revert::OnClear);
                self.give(again, since, context, rule, out);
            }
            // Both go on by themselves, from their first move on.
            Action::Scale(scale) => {
                let original = context.view.own.in_force(scale.target);
                self.scalers
                    .entry(index)
                    .or_insert_with(|| Scaler::new(scale, original, context.now()));
            }
            Action::Throttle(throttle) => {
                let throttler = Throttler::new(throttle, context.now());
                self.throttlers.insert(index, throttler);
            }
        }
    }

    /// Orders it, and remembers that, for it may be put off.
    fn give(
        &mut self,
        again: Again,
        since: Instant,
        context: &Context<'_>,
        rule: &Rule,
        out: &mut Vec<Order>,
    ) {
        let now = context.now();
        if let Step::Hold(claim) = &again.step {
            self.held
                .take(Thing::of(&claim.limit), again.revert, claim.at_most, now);
        }
        let order = self.order(again.step.clone(), since, context, rule);
        out.push(Order {
            fate: again.fate.clone(),
            ..order
        });
        self.again.add(again, now);
    }

    /// Orders again what was put off.
    pub(super) fn give_again(
        &mut self,
        since: Instant,
        context: &Context<'_>,
        rule: &Rule,
        out: &mut Vec<Order>,
    ) {
        for again in self.again.take_due(context.now()) {
            self.give(again, since, context, rule, out);
        }
    }

    /// Moves what is scaled. `down`: it has cleared.
    pub(super) fn scale(
        &mut self,
        since: Instant,
        down: bool,
        context: &Context<'_>,
        rule: &Rule,
        out: &mut Vec<Order>,
    ) {
        let now = context.now();
        let mut moves = Vec::new();
        for scaler in self.scalers.values_mut() {
            let knob = scaler.knob();
            if let Some(one) = scaler.advance(now, self.judgement, down) {
                moves.push((knob, one));
            }
        }
        for (knob, step) in moves {
            let thing = Thing::Knob(knob);
            match &step {
                Step::Hold(_) => self.held.take(thing, Revert::OnClear, None, now),
                Step::Release(_) | Step::Once(_) => self.held.drop(&thing),
            }
            out.push(self.order(step, since, context, rule));
        }
    }

    /// Lowers what is throttled.
    pub(super) fn throttle(
        &mut self,
        since: Instant,
        context: &Context<'_>,
        rule: &Rule,
        out: &mut Vec<Order>,
    ) {
        let now = context.now();
        let traffic = own_traffic(context);
        let mut claims = Vec::new();
        for throttler in self.throttlers.values_mut() {
            claims.extend(throttler.advance(now, self.judgement, context.view.own, &traffic));
        }
        for claim in claims {
            self.held
                .take(Thing::of(&claim.limit), Revert::OnClear, claim.at_most, now);
            out.push(self.order(Step::Hold(claim), since, context, rule));
        }
    }
}

/// What the policy's own limits say of traffic.
fn own_traffic(context: &Context<'_>) -> TrafficRules {
    let limits = context.policy.limits.iter();
    limits
        .filter_map(|limit| match limit {
            Limit::Traffic(traffic) => Some(traffic.clone()),
            _ => None,
        })
        .next()
        .unwrap_or_default()
}
