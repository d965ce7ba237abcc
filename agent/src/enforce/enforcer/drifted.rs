//! Somebody else wrote what is held: what is done about it.

use std::time::{Duration, Instant};

use super::Enforcer;
use super::books::Entry;
use super::give_back::evidence;
use super::hold_order::exactly;
use crate::enforce::Outcome;
use crate::enforce::claims::{Claimed, Slot, Value};
use crate::enforce::hands::{Hands, in_one_line};
use crate::enforce::hold::Drift;
use crate::enforce::watch::Written;
use crate::ledger::EventKind;
use crate::policy::{Claim, Limit, Mode, OnConflict, Step};

/// So many times in a minute our own value is written back. Whoever sets it again then means it.
const MOST_REASSERTED: usize = 3;
const MINUTE: Duration = Duration::from_secs(60);

impl<H: Hands> Enforcer<H> {
    /// Files were written to, by whomever.
    pub(in crate::enforce) fn look_at_written(&mut self) {
        let Some(watch) = &mut self.watch else {
            return;
        };
        match watch.written() {
            Written::Slots(slots) => slots.into_iter().for_each(|slot| self.look_for_drift(slot)),
            Written::Any => self.sweep(),
        }
    }

    /// Looks at everything: what inotify missed, and whether the cgroups are still there.
    pub(super) fn sweep(&mut self) {
        let watched = self.watch.as_ref().map(|watch| watch.watched());
        let held = self.hold.all().map(|held| held.slot);
        let slots: Vec<Slot> = held.chain(watched.into_iter().flatten()).collect();
        for slot in slots {
            self.look_for_drift(slot);
            self.sync_watch(slot);
        }
    }

    pub(super) fn look_for_drift(&mut self, slot: Slot) {
        let Some(drift) = self.hold.drift(slot) else {
            self.alerted.remove(&slot);
            return;
        };
        let Some(first) = drift.held.first().cloned() else {
            return;
        };
        let answer = match first.on_conflict {
            // Nothing is written in this mode, be it ours.
            _ if self.mode == Mode::Monitor => self.alert(&drift),

            OnConflict::Yield => Some(self.yield_to(&drift)),
            OnConflict::Reassert if self.may_reassert(slot) => Some(self.reassert(&drift, &first)),
            OnConflict::Reassert => Some(self.yield_to(&drift)),
            OnConflict::Alert => self.alert(&drift),
        };
        let Some(answer) = answer else { return };
        tracing::info!(
            workload = &*drift.held.owner.id,
            ours = %drift.held.in_force,
            theirs = %drift.theirs,
            answer,
            "somebody else wrote a limit that is held"
        );
        let kind = EventKind::Drift {
            what: slot.thing.to_string(),
            ours: drift.held.in_force.to_string(),
            theirs: drift.theirs.to_string(),
            answer: answer.to_owned(),
        };
        let owner = &drift.held.owner;
        self.books.drift(&owner.id, &owner.name, kind, answer);
        self.sync_watch(slot);
    }

    /// `None`: it was told of.
    fn alert(&mut self, drift: &Drift) -> Option<&'static str> {
        let told = self.alerted.insert(drift.held.slot, drift.theirs.clone());
        (told.as_ref() != Some(&drift.theirs)).then_some("alerted")
    }

    fn yield_to(&mut self, drift: &Drift) -> &'static str {
        self.hold.give_up(drift);
        for claim in drift.held.claims() {
            let reason = format!("somebody else set {}", drift.theirs);
            self.tell_drift(drift, claim, Outcome::Yielded(reason));
        }
        "yielded"
    }

    fn reassert(&mut self, drift: &Drift, first: &Claimed) -> &'static str {
        match self.hold.reassert(drift) {
            Ok(_) => {
                self.tell_drift(drift, first, Outcome::Done);
                "reasserted"
            }
            Err(error) => {
                tracing::warn!(error = in_one_line(&error), "not written back");
                self.tell_drift(drift, first, Outcome::Failed(in_one_line(&error)));
                "failed"
            }
        }
    }

    fn may_reassert(&mut self, slot: Slot) -> bool {
        let now = Instant::now();
        let done = self.reasserted.entry(slot).or_default();
        done.retain(|at| now.saturating_duration_since(*at) < MINUTE);
        let may = done.len() < MOST_REASSERTED;
        if may {
            done.push_back(now);
        }
        may
    }

    fn tell_drift(&mut self, drift: &Drift, claim: &Claimed, outcome: Outcome) {
        let owner = &drift.held.owner;
        let after = match outcome {
            Outcome::Done => &drift.held.in_force,
            _ => &drift.theirs,
        };
        let entry = Entry {
            claimant: claim.claimant.clone(),
            workload: owner.id.clone(),
            name: owner.name.clone(),
            mode: Mode::Enforce,
            step: held_step(&drift.held.in_force),
            before: Some(drift.held.in_force.to_string()),
            after: Some(after.to_string()),
            caveats: Vec::new(),
            evidence: evidence("somebody else wrote the file".to_owned()),
            outcome,
        };
        let id = self.hold.number();
        self.books.record(id, entry);
    }
}

/// What was ordered once, as far as it matters now.
fn held_step(value: &Value) -> Step {
    let limit = match value {
        Value::Setting(setting) => exactly(setting.clone()),
        Value::Traffic(rules) => Limit::Traffic(rules.clone()),
        Value::Devices(rules) => Limit::Devices(rules.clone()),
    };
    Step::Hold(Claim {
        limit,
        at_most: None,
    })
}
