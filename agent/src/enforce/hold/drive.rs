//! One change: written down, written, read back, settled.

use super::{Effect, EffectState, Hold, HoldError, Landed, UnderWay};
use crate::cgroup::Setting;
use crate::enforce::claims::{Held, Owner, Slot, Value};
use crate::enforce::hands::{HandError, Hands, Progress};

impl<H: Hands> Hold<H> {
    /// Makes `new` true. After an error everything is as it was before, as far as the kernel lets it.
    pub(super) fn drive(&mut self, mut new: Held) -> Result<Effect, HoldError> {
        let slot = new.slot;
        let old = self.held.get(&slot).filter(|held| !held.pending).cloned();
        match self.prepare(&mut new) {
            Ready::Settled(effect) => return Ok(effect),
            Ready::Wait(effect) => {
                self.intend_or_warn(&new, &[])?;
                self.held.insert(slot, new);
                return Ok(effect);
            }
            Ready::Write => {}
        }
        let companions = match self.note_asides(&mut new) {
            Ok(companions) => companions,
            Err(error) => return self.hand_failed(&new, old, error),
        };
        new.pending = true;
        if let Err(error) = self.intend_or_warn(&new, &companions) {
            self.settle_companions(&new);
            return Err(error);
        }
        self.held.insert(slot, new);
        self.write(slot, old)
    }

    /// The write of a change that is in the journal; `old` is what to go back to.
    pub(super) fn write(&mut self, slot: Slot, old: Option<Held>) -> Result<Effect, HoldError> {
        let Some(new) = self.held.get(&slot).cloned() else {
            return Err(HandError::Gone.into());
        };
        let before = new.in_force.clone();
        // What was there before anybody's claim returns, whatever it is.
        if !new.claims().is_empty()
            && let Some(reason) = self.hazard(&new.owner, new.wanted())
        {
            return self.hand_failed(&new, old, HandError::Refused(reason));
        }
        match self.hands.write(&new.owner, new.wanted(), new.from()) {
            Ok(Progress::Done(after)) => Ok(self.done(new, after)),
            Ok(Progress::UnderWay { walk, reason }) => {
                let target = new.wanted().clone();
                self.walks.insert(slot, UnderWay { walk, target });
                Ok(Effect {
                    after: before.clone(),
                    before,
                    state: EffectState::UnderWay(reason),
                })
            }
            Err(error) => self.hand_failed(&new, old, error),
        }
    }

    /// Why the kernel would kill for this value, together with what is in force there and what is
    /// on its way; `None`: it would not.
    pub(crate) fn hazard(&mut self, owner: &Owner, value: &Value) -> Option<String> {
        let Value::Setting(setting) = value else {
            return None;
        };
        let under_way = self.walks.iter().filter_map(|(slot, under_way)| {
            let same = self.held.get(slot)?.owner.keys == owner.keys;
            match &under_way.target {
                Value::Setting(coming) if same => Some(coming.clone()),
                _ => None,
            }
        });
        let coming: Vec<Setting> = under_way.collect();
        self.hands.hazard(owner, setting, &coming)
    }

    /// What has to be done at all.
    pub(super) fn prepare(&mut self, new: &mut Held) -> Ready {
        let slot = new.slot;
        let effect = |state| Effect {
            before: new.in_force.clone(),
            after: new.in_force.clone(),
            state,
        };
        if let Some(under_way) = self.walks.remove(&slot) {
            if !under_way.walk.can_be_dropped() {
                self.walks.insert(slot, under_way);
                let wait = effect(EffectState::UnderWay("a write is under way".into()));
                new.pending = true;
                return Ready::Wait(wait);
            }
            drop(under_way);
        }
        if self.is_taken_along(&new.owner, slot) {
            let reason = "it is changed for a moment by another write";
            let wait = effect(EffectState::UnderWay(reason.into()));
            new.pending = true;
            return Ready::Wait(wait);
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
    fn intend_or_warn(&mut self, new: &Held, companions: &[Held]) -> Result<(), HoldError> {
        match self.intend(std::iter::once(new).chain(companions)) {
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

    /// The kernel did not take it. Others may have waited for it.
    fn hand_failed(
        &mut self,
        new: &Held,
        old: Option<Held>,
        error: HandError,
    ) -> Result<Effect, HoldError> {
        // Ours was there for a moment: a drift like any other, on which the claim says what to do.
        if matches!(error, HandError::Foreign(_)) && !new.claims().is_empty() {
            return Ok(self.done(new.clone(), new.wanted().clone()));
        }
        self.settle_companions(new);
        let effect = self.back_out(new, old, error);
        self.drive_beside(new);
        effect
    }

    fn back_out(
        &mut self,
        new: &Held,
        old: Option<Held>,
        error: HandError,
    ) -> Result<Effect, HoldError> {
        let slot = new.slot;
        if error == HandError::Gone {
            self.forget_cgroup(slot);
            return Err(error.into());
        }
        if let HandError::Foreign(found) = &error {
            let yielded = Effect {
                before: new.in_force.clone(),
                after: (**found).clone(),
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
                    self.hands.write(&new.owner, &new.in_force, new.from()),
                    Ok(Progress::Done(_))
                ),
            };
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
        if let Some(effect) = self.leave_to_carrier(new) {
            return Ok(effect);
        }
        // Kept as pending without a claim: tried again, by this process or the next.
        self.held.insert(slot, new.clone());
        Err(error.into())
    }

    /// One step of what takes time.
    pub(super) fn step_one(&mut self, slot: Slot) -> Option<Landed> {
        let under_way = self.walks.get_mut(&slot)?;
        let stepped = under_way.walk.step().transpose()?;
        let target = self.walks.remove(&slot)?.target;
        let held = self.held.get(&slot)?.clone();
        let result = match stepped {
            Ok(after) if *held.wanted() == target => Ok(self.done(held.clone(), after)),
            // Claims changed on the way.
            Ok(after) => {
                let mut held = held.clone();
                held.in_force = after;
                self.drive(held)
            }
            Err(error) => {
                let failed = held.first().map(|first| first.action);
                let left = held.without(|claim| Some(claim.action) == failed);
                match error {
                    HandError::Gone | HandError::Foreign(_) => self.hand_failed(&held, None, error),
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
