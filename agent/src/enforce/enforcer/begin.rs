//! What an earlier agent left is taken up before anything else.

use std::time::Duration;

use super::Enforcer;
use super::books::Entry;
use super::give_back::{evidence, scope_of};
use crate::enforce::claims::Slot;
use crate::enforce::hands::{Hands, in_one_line};
use crate::enforce::journal::{Returned, State};
use crate::policy::{Mode, Step};

/// How long the guardian of the agent before may take to give back.
const GUARDIAN: Duration = Duration::from_secs(3);
/// How long what an earlier agent left may take to be given back, at the start.
const GIVE_BACK: Duration = Duration::from_millis(700);

impl<H: Hands> Enforcer<H> {
    /// Takes up the journal, if there is one: gives back what does not stay, and knows what does.
    /// Until that is done nothing else is.
    pub(in crate::enforce) fn begin(&mut self) {
        let state = match self.hold.take_up(GUARDIAN) {
            Ok(None) => return,
            Ok(Some(state)) => state,
            Err(error) => {
                let reason = in_one_line(&error);
                if self.unread_journal.as_ref() != Some(&reason) {
                    tracing::error!(
                        reason,
                        "nothing is enforced: the journal cannot be taken up"
                    );
                }
                self.unread_journal = Some(reason);
                return;
            }
        };
        self.unread_journal = None;
        self.say(&state);
        // Killed once more in the middle of this, it must not stay half done.
        if self.hold.all().next().is_some()
            && let Some(guardian) = &mut self.guardian
            && let Err(reason) = guardian.ensure()
        {
            tracing::warn!(reason, "no guardian while limits are given back");
        }
        for returned in state.returned {
            self.returned(returned);
        }
        let given_back = self.hold.give_back_all(GIVE_BACK);
        self.told_of_claimants(given_back, "the agent before was killed");
        self.hold.compact();
        let stay: Vec<Slot> = self.hold.all().map(|held| held.slot).collect();
        for slot in stay {
            self.sync_watch(slot);
            self.look_for_drift(slot);
        }
    }

    fn say(&self, state: &State) {
        if !state.damaged.is_empty() {
            tracing::error!(
                lines = ?state.damaged,
                "lines of the enforcement journal are damaged; what they said is not known"
            );
        }
        if state.torn_bytes > 0 {
            tracing::info!(
                bytes = state.torn_bytes,
                "the enforcement journal ended in the middle of a line"
            );
        }
        if state.of_another_boot > 0 {
            tracing::info!(
                limits = state.of_another_boot,
                "the enforcement journal is of another boot, and so are its limits"
            );
        }
    }

    /// The guardian of the agent before did this, and could not tell.
    fn returned(&mut self, returned: Returned) {
        let Returned {
            time,
            claimant,
            workload,
            name,
            thing,
            before,
            after,
            outcome,
        } = returned;
        let mut evidence =
            evidence("the agent before was killed, and its guardian gave back".into());
        evidence.at = time;
        let entry = Entry {
            claimant,
            workload,
            name,
            mode: Mode::Enforce,
            step: Step::Release(scope_of(thing)),
            outcome,
            before: Some(before),
            after: Some(after),
            caveats: Vec::new(),
            evidence,
        };
        let id = self.hold.number();
        self.books.record(id, entry);
    }
}
