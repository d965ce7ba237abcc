//! Claims made true: journalled, written, read back, given back.
//!
//! In: claims that were allowed. Out: the kernel set accordingly, with a journal entry before each
//! write. It asks no guard and keeps no budget. The agent holds with it; its next start, and the
//! guardian of a dead one, give back with it.

mod aside;
mod drift;
mod drive;
mod give_back;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::claims::{Claimed, Held, Owner, Slot, Thing, Value};
use super::hands::{From, HandError, Hands, Walk};
use super::journal::{Journal, JournalError, JournalStatus, Returned, State};
use crate::cgroup::Knob;

pub(crate) use drift::Drift;
pub(crate) use give_back::GivenBack;

/// How long the journal's present holder may take to let go of it.
const PATIENCE: Duration = Duration::from_secs(1);

/// All that is held.
pub(crate) struct Hold<H> {
    pub(crate) hands: H,
    directory: PathBuf,
    /// `None`: nothing was ever changed, and nothing has to be written down.
    journal: Option<Journal>,
    held: BTreeMap<Slot, Held>,
    walks: BTreeMap<Slot, UnderWay>,
    /// Changed for a moment by other means than a write of ours.
    passing: BTreeSet<Slot>,
    /// What is held on its own and changed along with the write of another slot.
    companions: BTreeMap<Slot, Vec<Slot>>,
    /// Changes that waited for another write, and are made.
    landed: Vec<Landed>,
    /// Is a change being made because of another one?
    beside: bool,
    /// Number of the next action.
    next_action: u64,
}

/// A write that takes time, and what it will have set.
struct UnderWay {
    walk: Box<dyn Walk>,
    target: Value,
}

/// What a change came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Effect {
    pub(crate) before: Value,
    pub(crate) after: Value,
    pub(crate) state: EffectState,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum EffectState {
    /// In force, as read back; or was already.
    InForce,
    /// The kernel needs time.
    UnderWay(String),
    /// Made, and behind somebody who goes before.
    Behind,
    /// Somebody else's value was left.
    Yielded,
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HoldError {
    #[error(transparent)]
    Hand(#[from] HandError),
    #[error("the journal cannot be written, so nothing is changed")]
    Journal(#[from] JournalError),
}

/// A write that took time has ended.
#[derive(Debug)]
pub(crate) struct Landed {
    /// As it was before the end.
    pub(crate) held: Held,
    pub(crate) result: Result<Effect, HoldError>,
}

impl<H: Hands> Hold<H> {
    /// Holds nothing yet; the journal is in `directory`, once there is one.
    pub(crate) fn new(hands: H, directory: PathBuf) -> Self {
        Self {
            hands,
            directory,
            journal: None,
            held: BTreeMap::new(),
            walks: BTreeMap::new(),
            passing: BTreeSet::new(),
            companions: BTreeMap::new(),
            landed: Vec::new(),
            beside: false,
            next_action: 1,
        }
    }

    /// Takes up what a journal says, if there is one, waiting up to `patience` for its holder.
    ///
    /// # Errors
    /// Somebody else holds it, or it cannot be read.
    pub(crate) fn take_up(&mut self, patience: Duration) -> Result<Option<State>, JournalError> {
        if self.journal.is_some() || !Journal::exists(&self.directory) {
            return Ok(None);
        }
        self.open(patience).map(Some)
    }

    fn open(&mut self, patience: Duration) -> Result<State, JournalError> {
        let (journal, mut state) = Journal::open(&self.directory, patience)?;
        self.journal = Some(journal);
        self.next_action = self.next_action.max(state.next_action);
        self.held.extend(std::mem::take(&mut state.held));
        Ok(state)
    }

    /// A number for an action, each given once.
    pub(crate) fn number(&mut self) -> u64 {
        let number = self.next_action;
        self.next_action += 1;
        number
    }

    /// Numbers go on from here, at least.
    pub(crate) fn number_from(&mut self, next: u64) {
        self.next_action = self.next_action.max(next);
    }

    /// Everything that is held.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Held> {
        self.held.values()
    }

    /// What is held of this.
    pub(crate) fn get(&self, slot: Slot) -> Option<&Held> {
        self.held.get(&slot)
    }

    /// What it was before any claim, and what it is now: read, where it is not held.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn ground(
        &mut self,
        owner: &Owner,
        slot: Slot,
    ) -> Result<(Value, Value), HandError> {
        match self.held.get(&slot) {
            Some(held) => Ok((held.original.clone(), held.in_force.clone())),
            None => {
                let now = self.hands.read(owner, slot.thing)?;
                Ok((self.aside_original(owner, slot).unwrap_or(now.clone()), now))
            }
        }
    }

    /// Adds a claim, and puts what goes first into force.
    ///
    /// # Errors
    /// It is not held: not journalled, or not taken by the kernel. All is as before.
    pub(crate) fn claim(
        &mut self,
        owner: &Arc<Owner>,
        slot: Slot,
        claimed: Claimed,
    ) -> Result<Effect, HoldError> {
        let old = match self.held.get(&slot) {
            Some(held) => held.clone(),
            None => {
                let (original, now) = self.ground(owner, slot)?;
                let mut held = Held::new(slot, Arc::clone(owner), original);
                held.in_force = now;
                held
            }
        };
        let action = claimed.action;
        let mut effect = self.drive(old.with(claimed))?;
        let first = self.held.get(&slot).and_then(Held::first);
        if effect.state == EffectState::InForce && first.is_some_and(|first| first.action != action)
        {
            effect.state = EffectState::Behind;
        }
        Ok(effect)
    }

    /// Puts what will be changed for a moment by other means into the journal: whoever gives back
    /// sets it to what it is now.
    ///
    /// # Errors
    /// It could not be written down: nothing may be changed.
    pub(crate) fn expect_passing(
        &mut self,
        owner: &Arc<Owner>,
        values: Vec<Value>,
    ) -> Result<Vec<Slot>, HoldError> {
        let mut passing = Vec::new();
        for value in values {
            let slot = self.hands.slot(owner, value.thing())?;
            let held = self.held.get(&slot).cloned();
            let mut held = held.unwrap_or_else(|| Held::new(slot, Arc::clone(owner), value));
            held.pending = true;
            passing.push(held);
        }
        self.intend(&passing)?;
        let slots: Vec<Slot> = passing.iter().map(|held| held.slot).collect();
        self.passing.extend(&slots);
        self.held
            .extend(passing.into_iter().map(|held| (held.slot, held)));
        Ok(slots)
    }

    /// What was changed for a moment is as it was.
    pub(crate) fn passed(&mut self, slots: &[Slot]) {
        for slot in slots {
            self.passing.remove(slot);
            if self.walks.contains_key(slot) {
                continue;
            }
            if let Some(mut held) = self.held.remove(slot) {
                held.pending = false;
                if let Ok(now) = self.hands.read(&held.owner, slot.thing) {
                    held.in_force = now;
                }
                // Who was frozen before a kill is not frozen again.
                if held.claims().is_empty() && slot.thing == Thing::Knob(Knob::Freeze) {
                    self.settled(*slot, None);
                    continue;
                }
                // Claimed or let go of meanwhile, it waited for this.
                self.held.insert(*slot, held.clone());
                if let Err(error) = self.drive(held) {
                    tracing::warn!(%error, what = %slot.thing, "not as it should be");
                }
            }
        }
    }

    /// Goes on with what takes time.
    pub(crate) fn step(&mut self) -> Vec<Landed> {
        let slots: Vec<Slot> = self.walks.keys().copied().collect();
        let walked = slots.into_iter().filter_map(|slot| self.step_one(slot));
        let mut landed: Vec<Landed> = walked.collect();
        landed.append(&mut self.landed);
        landed
    }

    /// Is anything under way?
    pub(crate) fn is_busy(&self) -> bool {
        !self.walks.is_empty()
    }

    /// How the journal does; `None`: there is none.
    pub(crate) fn journal(&self) -> Option<JournalStatus> {
        self.journal.as_ref().map(Journal::status)
    }

    /// Leaves word for the next agent of what was given back without one.
    pub(crate) fn leave_word(&mut self, returned: Vec<Returned>) {
        if let Some(journal) = &mut self.journal
            && let Err(error) = journal.leave_word(returned)
        {
            tracing::warn!(%error, "the next agent will not know what was given back");
        }
    }

    /// Shortens the journal to what is held.
    pub(crate) fn compact(&mut self) {
        let Some(journal) = &mut self.journal else {
            return;
        };
        if let Err(error) = journal.compact(self.held.values(), self.next_action) {
            tracing::warn!(%error, "the enforcement journal was not shortened");
        }
    }

    /// Writes down, before it is changed, what will be.
    fn intend<'a>(&mut self, held: impl IntoIterator<Item = &'a Held>) -> Result<(), HoldError> {
        if self.journal.is_none() {
            self.open(PATIENCE)?;
        }
        if let Some(journal) = &mut self.journal {
            journal.intend(held)?;
        }
        Ok(())
    }

    /// Keeps what became of it, and writes it down. If that fails, the change counts as under way
    /// for the next reader, who gives it back all the same.
    fn settled(&mut self, slot: Slot, held: Option<Held>) {
        if let Some(journal) = &mut self.journal
            && let Err(error) = journal.settle(slot, held.as_ref())
        {
            tracing::warn!(%error, "the enforcement journal lags behind");
        }
        match held {
            Some(held) => self.held.insert(slot, held),
            None => self.held.remove(&slot),
        };
        if self.journal.as_ref().is_some_and(Journal::is_long) {
            self.compact();
        }
    }
}

impl Held {
    /// Is it the same workload's?
    fn is_beside(&self, slot: Slot, other: &Self) -> bool {
        self.slot != slot && self.owner.keys == other.owner.keys
    }

    fn from(&self) -> From<'_> {
        From {
            in_force: &self.in_force,
        }
    }
}
