//! One change: written down, written, read back, settled.

use super::{Effect, EffectState, Hold, HoldError, Landed};
use crate::enforce::claims::{Held, Slot, Value};
use crate::enforce::hands::{HandError, Hands, Progress};

impl<H: Hands> Hold<H> {
    /// Makes `new` true. After an error everything is as it was before, as far as the kernel lets it.
    pub(super) fn drive(&mut self, mut new: Held) -> Result<Effect, HoldError> {
        match self.prepare(&mut new) {
            Ready::Settled(effect) => return Ok(effect),
            Ready::Wait(effect) => {
                self.intend_or_warn(&new)?;
                self.held.insert(new.slot, new);
                return Ok(effect);
            }
            Ready::Write => {}
        }
        if let Err(error) = self.note_asides(&mut new) {
            return self.hand_failed(&new, error);
        }
        new.pending = true;
        self.intend_or_warn(&new)?;
        self.write(new)
    }

    /// The write of a change that is in the journal.
    pub(super) fn write(&mut self, new: Held) -> Result<Effect, HoldError> {
        let slot = new.slot;
        let stays = new.first().is_some_and(|first| first.outlives_agent());
        let before = new.in_force.clone();
        match self.hands.write(&new.owner, new.wanted(), stays) {
            Ok(Progress::Done(after)) => Ok(self.done(new, after)),
            Ok(Progress::UnderWay { walk, reason }) => {
                self.walks.insert(slot, walk);
                self.held.insert(slot, new);
                Ok(Effect {
                    after: before.clone(),
                    before,
                    state: EffectState::UnderWay(reason),
                })
            }
            Err(error) => self.hand_failed(&new, error),
        }
    }

    /// What has to be done at all.
    pub(super) fn prepare(&mut self, new: &mut Held) -> Ready {
        let slot = new.slot;
        let effect = |state| Effect {
            before: new.in_force.clone(),
            after: new.in_force.clone(),
            state,
        };
        if let Some(walk) = self.walks.remove(&slot) {
            if !walk.can_be_dropped() {
                self.walks.insert(slot, walk);
                let wait = effect(EffectState::UnderWay("a write is under way".into()));
                new.pending = true;
                return Ready::Wait(wait);
            }
            drop(walk);
        }
        if new.needs_write() {
            return Ready::Write;
        }
        let settled = effect(EffectState::InForce);
        if new.claims().is_empty() {
            self.give_back_asides(new);
            self.settled(slot, None);
        } else {
            self.settled(slot, Some(new.clone()));
        }
        Ready::Settled(settled)
    }

    /// Without a journal nothing new is held, but what is given back is given back.
    fn intend_or_warn(&mut self, new: &Held) -> Result<(), HoldError> {
        match self.intend(std::slice::from_ref(new)) {
            Err(error) if new.claims().is_empty() => {
                tracing::warn!(%error, "given back without a journal entry");
                Ok(())
            }
            other => other,
        }
    }

    /// Written and read back.
    fn done(&mut self, mut new: Held, after: Value) -> Effect {
        let slot = new.slot;
        let before = std::mem::replace(&mut new.in_force, after.clone());
        new.pending = false;
        self.settle_asides(&mut new);
        if new.claims().is_empty() {
            self.give_back_asides(&new);
            self.settled(slot, None);
        } else {
            // As it was rounded: what is in force is what is wanted.
            new.take_rounding(&after);
            self.settled(slot, Some(new.clone()));
        }
        self.drive_beside(&new);
        Effect {
            before,
            after,
            state: EffectState::InForce,
        }
    }

    /// The kernel did not take it.
    fn hand_failed(&mut self, new: &Held, error: HandError) -> Result<Effect, HoldError> {
        let slot = new.slot;
        if error == HandError::Gone {
            self.forget_cgroup(slot);
            return Err(error.into());
        }
        if let HandError::Foreign(found) = &error {
            let yielded = Effect {
                before: new.in_force.clone(),
                after: found.clone(),
                state: EffectState::Yielded,
            };
            self.settled(slot, None);
            return Ok(yielded);
        }
        let giving_back = new.claims().is_empty();
        let now = self.hands.read(&new.owner, slot.thing);
        if !giving_back {
            let put_back = match &now {
                Ok(now) if *now == new.in_force => true,
                _ => matches!(
                    self.hands.write(&new.owner, &new.in_force, false),
                    Ok(Progress::Done(_))
                ),
            };
            let old = self.held.get(&slot).filter(|held| !held.pending).cloned();
            match old {
                Some(old) if put_back => self.settled(slot, Some(old)),
                None if put_back && new.in_force == new.original => {
                    self.give_back_asides(new);
                    self.settled(slot, None);
                }
                // Neither as it was nor as it should be: on its way back, and tried again.
                Some(_) | None => self.settled(slot, Some(new.without(|_| true))),
            }
            return Err(error.into());
        }
        // Kept as pending without a claim: tried again, by this process or the next.
        self.held.insert(slot, new.clone());
        Err(error.into())
    }

    /// One step of what takes time.
    pub(super) fn step_one(&mut self, slot: Slot) -> Option<Landed> {
        let walk = self.walks.get_mut(&slot)?;
        let stepped = walk.step().transpose()?;
        self.walks.remove(&slot);
        let held = self.held.get(&slot)?.clone();
        let result = match stepped {
            Ok(after) => {
                let wanted_now = held.clone();
                let effect = self.done(wanted_now, after);
                // Claims may have changed on the way.
                let changed = self.held.get(&slot).filter(|held| held.needs_write());
                match changed.cloned() {
                    Some(changed) => self.drive(changed),
                    None => Ok(effect),
                }
            }
            Err(error) => {
                let failed = held.first().map(|first| first.action);
                let left = held.without(|claim| Some(claim.action) == failed);
                match error {
                    HandError::Gone | HandError::Foreign(_) => self.hand_failed(&held, error),
                    other => {
                        // What it walked from is in force again; the next claim may fit.
                        if let Err(error) = self.drive(left) {
                            tracing::warn!(%error, "not given back yet");
                        }
                        Err(other.into())
                    }
                }
            }
        };
        Some(Landed { held, result })
    }

    /// A cgroup that was removed takes all that was held of it along.
    pub(super) fn forget_cgroup(&mut self, slot: Slot) {
        let cgroup = slot.cgroup;
        let gone: Vec<Slot> = self.held.keys().copied().collect();
        for slot in gone.into_iter().filter(|slot| slot.cgroup == cgroup) {
            self.walks.remove(&slot);
            self.settled(slot, None);
        }
    }
}

/// What a change needs.
pub(super) enum Ready {
    /// Nothing: it is so already.
    Settled(Effect),
    /// Another write of the same thing must end first.
    Wait(Effect),
    Write,
}
