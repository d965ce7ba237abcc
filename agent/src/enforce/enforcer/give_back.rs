//! Orders and occasions to let go.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::books::Entry;
use super::timers::RETRY;
use super::{Enforcer, UnderWay};
use crate::cgroup::Knob;
use crate::enforce::claims::{Claimed, Held, Slot, Thing};
use crate::enforce::hands::{Hands, in_one_line};
use crate::enforce::hold::{Effect, EffectState, GivenBack, HoldError};
use crate::enforce::refusal::Refusal;
use crate::enforce::{Outcome, Record};
use crate::policy::{Claimant, Evidence, Mode, Order, Restore, Scope, Step};

/// How long the audit may take to be on the disk, when the agent ends.
const AUDIT: Duration = Duration::from_millis(100);

impl<H: Hands> Enforcer<H> {
    /// Lets go of what the claimant holds on a workload.
    pub(super) fn release_order(&mut self, order: &Order, scope: &Scope) -> Vec<Arc<Record>> {
        let is_meant = |held: &Held, claim: &Claimed| {
            claim.is_of(&order.claimant)
                && *held.owner.id == *order.workload.identity.id
                && is_in(held.slot.thing, scope)
        };
        let meant: Vec<Slot> = self.slots(&is_meant);
        if order.mode == Mode::Monitor || meant.is_empty() {
            let outcome = match order.mode {
                Mode::Monitor => Outcome::DryRun,
                Mode::Enforce => Outcome::Done,
            };
            let id = self.hold.number();
            return vec![self.books.record(id, Entry::of(order, outcome))];
        }
        let given_back = self.hold.release(is_meant);
        self.told(given_back, &order.claimant, &order.evidence)
    }

    /// Lets go of the claim that this action made.
    pub(in crate::enforce) fn undo(&mut self, action: u64) -> Arc<Record> {
        let evidence = evidence(format!("undo of action {action}"));
        let given_back = self.hold.release(|_, claim| claim.action == action);
        let mut records = self.told(given_back, &Claimant::Operator, &evidence);
        records.pop().unwrap_or_else(|| {
            let id = self.hold.number();
            let entry = Entry {
                claimant: Claimant::Operator,
                workload: "".into(),
                // Whose it was, the record of that action says.
                name: format!("action {action}").into(),
                mode: Mode::Enforce,
                step: Step::Release(Scope::All),
                outcome: Outcome::Refused(format!(
                    "action {action} holds nothing: it was undone or replaced, or cannot be undone"
                )),
                before: None,
                after: None,
                caveats: Vec::new(),
                evidence,
            };
            self.books.record(id, entry)
        })
    }

    /// Lets go of whatever froze a workload, on whose behalf that may be.
    pub(in crate::enforce) fn thaw(&mut self, workload: &str) -> Vec<Arc<Record>> {
        let given_back = self.hold.release(|held, _| {
            *held.owner.id == *workload && held.slot.thing == Thing::Knob(Knob::Freeze)
        });
        let evidence = evidence("plimsoll thaw".to_owned());
        self.told(given_back, &Claimant::Operator, &evidence)
    }

    /// Lets go of all that policies hold of which `is_gone` says so. What is never restored stays as
    /// it is.
    pub(in crate::enforce) fn release_policies(
        &mut self,
        why: &str,
        is_gone: impl Fn(&Claimed) -> bool,
    ) -> Vec<Arc<Record>> {
        let is_policy = |claim: &Claimed| matches!(claim.claimant, Claimant::Policy { .. });
        let gone = |claim: &Claimed| is_policy(claim) && is_gone(claim);
        let mut ended = self
            .hold
            .forget(|_, claim| gone(claim) && claim.restore == Restore::Never);
        ended.extend(self.hold.release(|_, claim| gone(claim)));
        self.told_of_claimants(ended, why)
    }

    /// What became of claims that ended, each in its claimant's name.
    pub(super) fn told_of_claimants(
        &mut self,
        ended: Vec<GivenBack>,
        why: &str,
    ) -> Vec<Arc<Record>> {
        let mut records = Vec::new();
        for given_back in ended {
            let evidence = evidence(why.to_owned());
            let claimants: Vec<Claimant> = given_back
                .gone
                .iter()
                .map(|claim| claim.claimant.clone())
                .collect();
            for claimant in claimants {
                records.push(self.tell_of(&given_back, &claimant, &evidence));
            }
            self.ended(&given_back);
        }
        records
    }

    /// What is due by itself now.
    pub(in crate::enforce) fn on_time(&mut self, now: Instant) {
        for (slot, action) in self.timers.ended(now) {
            let at_end = |held: &Held, claim: &Claimed| held.slot == slot && claim.action == action;
            let given_back = self.hold.release(at_end);
            self.told_of_claimants(given_back, "its time is up");
        }
        for landed in self.hold.step() {
            let slot = landed.held.slot;
            self.landed(&landed.held, landed.result);
            // What was written while it was under way told nothing.
            self.look_for_drift(slot);
        }
        if self.has_to_retry() && now >= self.retry_at {
            self.retry_at = now + RETRY;
            self.try_again();
        }
        if self.timers.is_time_to_sweep(now) {
            self.sweep();
        }
        if self.holds_traffic() {
            self.hold.hands.tend();
        }
    }

    fn try_again(&mut self) {
        if self.unread_journal.is_some() {
            self.begin();
        }
        if self.hold.all().next().is_some() {
            self.replace_guardian();
        }
        for given_back in self.hold.retry() {
            self.sync_watch(given_back.slot());
        }
    }

    /// While anything is held, there is a guardian.
    pub(super) fn replace_guardian(&mut self) {
        let holds = self.hold.all().next().is_some();
        let Some(guardian) = &mut self.guardian else {
            return;
        };
        guardian.notice();
        if holds && let Err(reason) = guardian.ensure() {
            tracing::error!(reason, "what is held has no guardian");
        }
    }

    /// Gives errands a moment to end, then breaks them off.
    pub(super) fn stop_errands(&mut self, patience: Duration) {
        if let Some(errands) = self.errands.take() {
            errands.stop(patience);
        }
    }

    /// A write that took time has ended: the second record of its action.
    fn landed(&mut self, held: &Held, result: Result<Effect, HoldError>) {
        self.sync_watch(held.slot);
        let action = held.first().map(|first| first.action);
        let Some((id, under_way)) = action.and_then(|id| Some((id, self.under_way.remove(&id)?)))
        else {
            // Its claim ended on the way, and was told of then.
            return;
        };
        let UnderWay { order, before, .. } = under_way;
        let entry = match result {
            Ok(effect) => Entry {
                before,
                after: Some(effect.after.to_string()),
                caveats: self.hold.hands.caveats(&held.owner, held.slot.thing),
                ..Entry::of(&order, Outcome::Done)
            },
            Err(error) => {
                let refusal = Refusal::from(error);
                self.books.count(&refusal);
                Entry::of(&order, refusal.outcome())
            }
        };
        self.books.record(id, entry);
    }

    /// All that does not stay is given back; what stays is kept in the journal.
    pub(in crate::enforce) fn end(&mut self, patience: Duration) {
        let given_back = self.hold.give_back_all(patience);
        self.told_of_claimants(given_back, "the agent ends");
        self.hold.compact();
        if self.hold.is_owing() {
            tracing::warn!("not all limits could be given back; the guardian goes on");
        } else if let Some(guardian) = &mut self.guardian {
            guardian.say_goodbye();
        }
        self.books.flush(AUDIT);
    }

    fn told(
        &mut self,
        ended: Vec<GivenBack>,
        claimant: &Claimant,
        evidence: &Evidence,
    ) -> Vec<Arc<Record>> {
        let mut records = Vec::new();
        for given_back in ended {
            records.push(self.tell_of(&given_back, claimant, evidence));
            self.ended(&given_back);
        }
        records
    }

    /// Nobody waits for what has ended.
    fn ended(&mut self, given_back: &GivenBack) {
        for claim in &given_back.gone {
            self.under_way.remove(&claim.action);
        }
        self.sync_watch(given_back.slot());
    }

    fn tell_of(
        &mut self,
        given_back: &GivenBack,
        claimant: &Claimant,
        evidence: &Evidence,
    ) -> Arc<Record> {
        let (outcome, after) = match &given_back.result {
            Ok(effect) => (restored(effect), Some(effect.after.to_string())),
            Err(error) => {
                let reason = format!("{}; it is tried again", in_one_line(error));
                (Outcome::Failed(reason), None)
            }
        };
        let owner = &given_back.held.owner;
        let entry = Entry {
            claimant: claimant.clone(),
            workload: Arc::clone(&owner.id),
            name: Arc::clone(&owner.name),
            mode: Mode::Enforce,
            step: Step::Release(scope_of(given_back.slot().thing)),
            outcome,
            before: Some(given_back.held.in_force.to_string()),
            after,
            caveats: Vec::new(),
            evidence: evidence.clone(),
        };
        let id = self.hold.number();
        self.books.record(id, entry)
    }

    pub(super) fn slots(&self, is_meant: &dyn Fn(&Held, &Claimed) -> bool) -> Vec<Slot> {
        let has = |held: &&Held| held.claims().iter().any(|claim| is_meant(held, claim));
        self.hold.all().filter(has).map(|held| held.slot).collect()
    }
}

/// What giving back came to.
pub(super) fn restored(effect: &Effect) -> Outcome {
    match &effect.state {
        EffectState::InForce | EffectState::Behind => Outcome::Restored,
        EffectState::UnderWay(reason) => Outcome::Deferred(reason.clone()),
        EffectState::Yielded => Outcome::Yielded(format!("somebody else set {}", effect.after)),
    }
}

/// The agent's own reasons.
pub(super) fn evidence(condition: String) -> Evidence {
    Evidence {
        condition,
        observed: String::new(),
        at: SystemTime::now(),
        read: Instant::now(),
        held: Duration::ZERO,
    }
}

pub(super) fn scope_of(thing: Thing) -> Scope {
    match thing {
        Thing::Knob(knob) => Scope::Knob(knob),
        Thing::Traffic => Scope::Traffic,
        Thing::Devices => Scope::Devices,
    }
}

fn is_in(thing: Thing, scope: &Scope) -> bool {
    match (scope, thing) {
        (Scope::All, _)
        | (Scope::Io, Thing::Knob(Knob::IoMax(_)))
        | (Scope::Traffic, Thing::Traffic)
        | (Scope::Devices, Thing::Devices) => true,
        (Scope::Knob(knob), Thing::Knob(held)) => *knob == held,
        (Scope::Knob(_) | Scope::Io | Scope::Traffic | Scope::Devices, _) => false,
    }
}
