//! One rule on one workload: from idle over pending and firing, step by step, to clear and cooling.

mod again;
mod due;
mod steps;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use self::again::AllAgain;
use super::context::Context;
use super::held::Held;
use super::judge::{self, Judgement, Leaf, View};
use super::needs;
use super::scaler::Scaler;
use super::series::{Kinds, Series};
use super::sources::Sources;
use super::thing::Thing;
use super::throttler::Throttler;
use crate::policy::condition::{Condition, Subject, WatchedEvent};
use crate::policy::order::{Order, Restore, Step};
use crate::policy::set::Rule;

/// So that the clock cannot overflow: a hundred years.
const LONGEST_COOLDOWN: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Where a rule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Idle,
    /// It has held since, not yet for long enough.
    Pending {
        since: Instant,
    },
    Firing(Firing),
    /// It has cleared; what was scaled is on its way back.
    Settling {
        since: Instant,
    },
    Cooldown {
        until: Instant,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Firing {
    /// When the condition began to hold.
    pub(super) since: Instant,
    /// The next step.
    pub(super) next: usize,
    /// When the last step was taken, or when the condition held again after a break since.
    holding: Option<Instant>,
    /// Since when it has not held.
    clearing: Option<Instant>,
}

/// A rule's state.
#[derive(Clone, Debug)]
pub(super) struct RuleState {
    pub(super) phase: Phase,
    pub(super) leaves: Vec<Leaf>,
    judgement: Judgement,
    pub(super) held: Held,
    scalers: BTreeMap<usize, Scaler>,
    throttlers: BTreeMap<usize, Throttler>,
    again: AllAgain,
    /// Up to here everything is done that was due.
    seen: Option<Instant>,
    due: Option<Instant>,
    goes_by: Sources,
}

impl RuleState {
    pub(super) fn new(rule: &Rule) -> Self {
        Self {
            phase: Phase::Idle,
            leaves: vec![Leaf::default(); rule.when.leaves().len()],
            judgement: Judgement::default(),
            held: Held::default(),
            scalers: BTreeMap::new(),
            throttlers: BTreeMap::new(),
            again: AllAgain::default(),
            seen: None,
            due: None,
            goes_by: Sources::of(rule),
        }
    }

    /// Whether such readings of the workload may change it.
    pub(super) const fn goes_by(&self, read: Kinds) -> bool {
        self.goes_by.own.meet(read)
    }

    /// Whether such readings of the host may.
    pub(super) const fn goes_by_host(&self, read: Kinds) -> bool {
        self.goes_by.host.meet(read)
    }

    /// Whether it counts such events.
    pub(super) fn counts(&self, event: WatchedEvent) -> bool {
        self.goes_by.events.contains(&event)
    }

    /// When something will be due, if no reading comes before.
    pub(super) const fn next_due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether it is due.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Counts events for the leaves that are about them; whether there is one.
    pub(super) fn note(
        &mut self,
        rule: &Rule,
        event: WatchedEvent,
        at: Instant,
        count: u32,
    ) -> bool {
        if !self.counts(event) {
            return false;
        }
        let mut leaves = self.leaves.iter_mut();
        rule.when.each_leaf(&mut |condition| {
            if let (Some(leaf), Condition::Event(one)) = (leaves.next(), condition)
                && one.event == event
            {
                leaf.note(at, one, count);
            }
        });
        true
    }

    /// Does what is due by what is known now; whether what it wants to be read is another than
    /// before.
    pub(super) fn advance(
        &mut self,
        context: &Context<'_>,
        rule: &Rule,
        out: &mut Vec<Order>,
    ) -> bool {
        let now = context.now();
        self.seen = Some(now);
        self.judgement = judge::judge(&rule.when, &mut self.leaves, &context.view);
        self.held.expire(now);
        while self.turn(context, rule, out) {}
        self.due = self.find_due(rule);
        self.note_wishes(&context.view, rule)
    }

    fn note_wishes(&mut self, view: &View<'_>, rule: &Rule) -> bool {
        let (pace, idle) = (self.pace(rule), self.is_idle());
        let cpus = view.host.latest(Series::Cpus);
        let mut changed = false;
        let mut leaves = self.leaves.iter_mut();
        rule.when.each_leaf(&mut |condition| {
            if let Some(leaf) = leaves.next()
                && judge::subject(condition) == Subject::Workload
            {
                let wish = needs::wish(condition, leaf, pace, idle, view.own, cpus);
                changed |= leaf.wish.replace(wish) != Some(wish);
            }
        });
        changed
    }

    /// Whether its conditions about the host, if it has any, are far from deciding it: nothing is under
    /// way, and no value is past its threshold or on its way back.
    pub(super) fn is_calm_about_host(&self, rule: &Rule) -> Option<bool> {
        let mut calm = None;
        let mut leaves = self.leaves.iter();
        rule.when.each_leaf(&mut |condition| {
            let of_host = judge::subject(condition) == Subject::Host;
            if let (Some(leaf), Some(bound)) = (leaves.next(), judge::bound(condition))
                && of_host
            {
                let before = calm.unwrap_or_else(|| self.is_idle());
                calm = Some(before && leaf.calm(bound).is_some());
            }
        });
        calm
    }

    /// One change of phase, if there is one to make.
    fn turn(&mut self, context: &Context<'_>, rule: &Rule, out: &mut Vec<Order>) -> bool {
        let now = context.now();
        let Judgement { past, holds } = self.judgement;
        let next = match self.phase {
            Phase::Idle if past == Some(true) => Phase::Pending { since: now },
            Phase::Pending { .. } if holds != Some(true) => Phase::Idle,
            Phase::Pending { since }
                if past == Some(true) && has_passed(since, until_first_step(rule), now) =>
            {
                Phase::Firing(Firing {
                    since,
                    next: 0,
                    holding: Some(now),
                    clearing: None,
                })
            }
            Phase::Firing(mut firing) => {
                let cleared = self.fire(&mut firing, context, rule, out);
                self.phase = Phase::Firing(firing);
                if !cleared {
                    return false;
                }
                self.clear(firing.since, context, rule, out)
            }
            Phase::Settling { since } => {
                self.scale(since, true, context, rule, out);
                if !self.scalers.values().all(Scaler::rests) {
                    return false;
                }
                self.rest(context, rule)
            }
            Phase::Cooldown { until } if now >= until => Phase::Idle,
            Phase::Idle | Phase::Pending { .. } | Phase::Cooldown { .. } => return false,
        };
        self.phase = next;
        true
    }

    /// Takes the steps that are due; whether it has cleared.
    fn fire(
        &mut self,
        firing: &mut Firing,
        context: &Context<'_>,
        rule: &Rule,
        out: &mut Vec<Order>,
    ) -> bool {
        let now = context.now();
        let Judgement { past, holds } = self.judgement;
        firing.holding = match holds {
            Some(true) => Some(firing.holding.unwrap_or(now)),
            Some(false) | None => None,
        };
        while let Some(step) = rule.then.get(firing.next)
            && let Some(holding) = firing.holding
            && past == Some(true)
            && (firing.next == 0 || has_passed(holding, step.after, now))
        {
            self.take(firing.next, &step.action, firing.since, context, rule, out);
            firing.next += 1;
            firing.holding = Some(now);
        }
        if past == Some(true) {
            self.give_again(firing.since, context, rule, out);
        }
        self.scale(firing.since, false, context, rule, out);
        self.throttle(firing.since, context, rule, out);
        firing.clearing = match holds {
            Some(false) => Some(firing.clearing.unwrap_or(now)),
            Some(true) | None => None,
        };
        firing
            .clearing
            .is_some_and(|clearing| has_passed(clearing, rule.clear_for, now))
    }

    /// It has cleared: what goes then goes now, but what was scaled goes back by steps.
    fn clear(
        &mut self,
        since: Instant,
        context: &Context<'_>,
        rule: &Rule,
        out: &mut Vec<Order>,
    ) -> Phase {
        self.throttlers.clear();
        self.again.clear();
        let on_the_way: Vec<Thing> = self
            .scalers
            .values()
            .filter(|scaler| scaler.holds() || !scaler.rests())
            .map(|scaler| Thing::Knob(scaler.knob()))
            .collect();
        for scope in self.held.clear(|thing| on_the_way.contains(thing)) {
            out.push(self.order(Step::Release(scope), since, context, rule));
        }
        if self.scalers.values().all(Scaler::rests) {
            return self.rest(context, rule);
        }
        Phase::Settling { since }
    }

    fn rest(&mut self, context: &Context<'_>, rule: &Rule) -> Phase {
        // What rests below its original goes on from there.
        self.scalers.retain(|_, scaler| scaler.holds());
        cooling(context.now(), rule.cooldown)
    }

    /// Ends it before its time: the policy is disabled, changed, or no longer matches. What it holds is
    /// let go, unless it is to stay for good.
    pub(super) fn settle(&mut self, context: &Context<'_>, rule: &Rule, out: &mut Vec<Order>) {
        let since = match self.phase {
            Phase::Pending { since } | Phase::Settling { since } => since,
            Phase::Firing(Firing { since, .. }) => since,
            Phase::Idle | Phase::Cooldown { .. } => context.now(),
        };
        self.held.expire(context.now());
        let scopes = match context.policy.restore {
            // What was to be let go by the rule still is, now that it cannot any more.
            Restore::Never => self.held.clear(|_| false),
            Restore::OnExit | Restore::OnDisable => self.held.give_up(),
        };
        for scope in scopes {
            out.push(self.order(Step::Release(scope), since, context, rule));
        }
        self.scalers.clear();
        self.throttlers.clear();
        self.again.clear();
        self.phase = match self.phase {
            Phase::Firing(_) | Phase::Settling { .. } => cooling(context.now(), rule.cooldown),
            Phase::Cooldown { until } => Phase::Cooldown { until },
            Phase::Idle | Phase::Pending { .. } => Phase::Idle,
        };
    }

    /// Does not begin before.
    pub(super) fn cool(&mut self, until: Instant) {
        self.phase = Phase::Cooldown { until };
        self.due = Some(until);
    }

    /// How long it still may not begin anew.
    pub(super) fn cools_until(&self) -> Option<Instant> {
        match self.phase {
            Phase::Cooldown { until } => Some(until),
            _ => None,
        }
    }

    /// Whether it waits for something to happen, with nothing under way.
    pub(super) const fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    fn order(&self, step: Step, since: Instant, context: &Context<'_>, rule: &Rule) -> Order {
        context.order_of_rule(rule, &self.leaves, step, since)
    }
}

fn cooling(now: Instant, cooldown: Duration) -> Phase {
    if cooldown.is_zero() {
        return Phase::Idle;
    }
    let until = now + cooldown.min(LONGEST_COOLDOWN);
    Phase::Cooldown { until }
}

/// How long the condition must hold before anything is done.
fn until_first_step(rule: &Rule) -> Duration {
    let first = rule.then.first().map_or(Duration::ZERO, |step| step.after);
    rule.hold_for.saturating_add(first)
}

/// Whether `time` has passed since `start`.
fn has_passed(start: Instant, time: Duration, now: Instant) -> bool {
    now.saturating_duration_since(start) >= time
}
