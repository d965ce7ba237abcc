//! What the kernel changes along with a thing: it belongs to nobody, and is put back with the thing.

use super::{Effect, EffectState, Hold, Landed};
use crate::enforce::claims::{Aside, Held, Owner, Slot, Thing, Value};
use crate::enforce::hands::{From, HandError, Hands, Progress};

impl<H: Hands> Hold<H> {
    /// Puts what the next write will change besides into `new`, before it is written down. What of that
    /// is held on its own counts as being written too, and is returned for the same entry.
    pub(super) fn note_asides(&mut self, new: &mut Held) -> Result<Vec<Held>, HandError> {
        let mut companions = Vec::new();
        for original in self.hands.asides(&new.owner, new.wanted())? {
            let thing = original.thing();
            if let Some(beside) = self.beside(new, thing) {
                if !beside.pending {
                    let mut companion = beside.clone();
                    companion.pending = true;
                    companions.push(companion);
                }
                continue;
            }
            let mut known = new.asides.iter_mut();
            match known.find(|aside| aside.original.thing() == thing) {
                // What it was before the first change is what it was.
                Some(aside) => aside.in_force = None,
                None => new.asides.push(Aside {
                    original,
                    in_force: None,
                }),
            }
        }
        for companion in &companions {
            self.held.insert(companion.slot, companion.clone());
            let of = self.companions.entry(new.slot).or_default();
            of.push(companion.slot);
        }
        Ok(companions)
    }

    /// After the write: what was not changed is forgotten; what is held on its own is told to it.
    pub(super) fn settle_asides(&mut self, new: &mut Held) {
        self.settle_companions(new);
        for mut aside in std::mem::take(&mut new.asides) {
            let thing = aside.original.thing();
            if self.beside(new, thing).is_some() {
                continue;
            }
            match self.hands.read(&new.owner, thing) {
                Ok(now) if now == aside.original => continue,
                Ok(now) => aside.in_force = Some(now),
                Err(error) => tracing::debug!(%error, %thing, "not known what became of it"),
            }
            new.asides.push(aside);
        }
    }

    /// What was written along and is held on its own, since then too, is as the kernel has it now.
    pub(super) fn settle_companions(&mut self, carrier: &Held) {
        let mut slots = self.companions.remove(&carrier.slot).unwrap_or_default();
        let asides = carrier.asides.iter();
        let claimed = asides.filter_map(|aside| self.beside(carrier, aside.original.thing()));
        slots.extend(claimed.map(|held| held.slot));
        for slot in slots {
            self.look_again(slot);
        }
    }

    fn look_again(&mut self, slot: Slot) {
        let Some(mut held) = self.held.get(&slot).cloned() else {
            return;
        };
        // A write of its own is under way, and will tell.
        if self.walks.contains_key(&slot) {
            return;
        }
        if let Ok(now) = self.hands.read(&held.owner, slot.thing) {
            held.in_force = now;
            held.pending = false;
            self.settled(slot, Some(held));
        }
    }

    fn beside(&self, new: &Held, thing: Thing) -> Option<&Held> {
        let mut all = self.held.values();
        all.find(|held| held.is_beside(new.slot, new) && held.slot.thing == thing)
    }

    /// The thing is back: so is all that went with it, unless somebody else has set it since.
    pub(super) fn give_back_asides(&mut self, given_back: &Held) {
        for aside in &given_back.asides {
            let thing = aside.original.thing();
            let now = self.hands.read(&given_back.owner, thing);
            let ours = match (&aside.in_force, &now) {
                (None, _) => true,
                (Some(in_force), Ok(now)) => in_force == now,
                (Some(_), Err(_)) => false,
            };
            if !ours || now.as_ref() == Ok(&aside.original) {
                continue;
            }
            let from = From {
                in_force: aside.in_force.as_ref().unwrap_or(&aside.original),
            };
            match self.hands.write(&given_back.owner, &aside.original, from) {
                Ok(Progress::Done(_) | Progress::UnderWay { .. }) | Err(HandError::Gone) => {}
                Err(error) => {
                    tracing::warn!(%error, value = %aside.original, "not given back");
                }
            }
        }
    }

    /// What cannot be given back because of something else that is held goes back with that: a burst
    /// with the quota that it does not fit into. Until then it is as near as it fits.
    pub(super) fn leave_to_carrier(&mut self, owed: &Held) -> Option<Effect> {
        let is_carrier = |held: &&Held| {
            held.is_beside(owed.slot, owed)
                && !held.claims().is_empty()
                && held.slot.thing.carries(owed.slot.thing)
        };
        let mut carrier = self.held.values().find(is_carrier)?.clone();
        if let Some(near) = carrier.wanted().nearest(&owed.original)
            && let Err(error) = self.hands.write(&owed.owner, &near, owed.from())
        {
            tracing::debug!(%error, value = %near, "left as it is");
        }
        let after = self.hands.read(&owed.owner, owed.slot.thing).ok()?;
        let known = |aside: &Aside| aside.original.thing() == owed.slot.thing;
        carrier.asides.retain(|aside| !known(aside));
        carrier.asides.push(Aside {
            original: owed.original.clone(),
            in_force: Some(after.clone()),
        });
        self.settled(carrier.slot, Some(carrier));
        self.settled(owed.slot, None);
        Some(Effect {
            before: owed.in_force.clone(),
            after,
            state: EffectState::InForce,
        })
    }

    /// What a thing was before another one's write took it along. The other one may be in another
    /// hierarchy: v1's freezer, and the quota that is lifted while it stops everybody.
    pub(super) fn aside_original(&self, owner: &Owner, slot: Slot) -> Option<Value> {
        let mut asides = self
            .asides_of(owner)
            .filter(|(carrier, _)| *carrier != slot);
        let aside = asides.find(|(_, aside)| aside.original.thing() == slot.thing)?;
        Some(aside.1.original.clone())
    }

    /// Is it being changed for a moment by something else that takes time: another write, a kill?
    pub(super) fn is_taken_along(&self, owner: &Owner, slot: Slot) -> bool {
        if self.passing.contains(&slot) {
            return true;
        }
        let is_under_way = |carrier: &Slot| self.walks.contains_key(carrier);
        let mut asides = self.asides_of(owner);
        asides
            .any(|(carrier, aside)| aside.original.thing() == slot.thing && is_under_way(&carrier))
            || self
                .companions
                .iter()
                .any(|(carrier, slots)| slots.contains(&slot) && is_under_way(carrier))
    }

    /// All that was taken along of one workload, and by what.
    fn asides_of(&self, owner: &Owner) -> impl Iterator<Item = (Slot, &Aside)> {
        let of_it = move |held: &&Held| held.owner.keys == owner.keys;
        let carriers = self.held.values().filter(of_it);
        carriers.flat_map(|held| held.asides.iter().map(|aside| (held.slot, aside)))
    }

    /// Others of the same workload that did not fit before may fit now. What does not is left for the
    /// next change of its own.
    pub(super) fn drive_beside(&mut self, new: &Held) {
        if self.beside {
            return;
        }
        self.beside = true;
        let unfit =
            |held: &&Held| held.is_beside(new.slot, new) && !held.pending && held.needs_write();
        let beside: Vec<Held> = self.held.values().filter(unfit).cloned().collect();
        for held in beside {
            let value = held.wanted().clone();
            let result = self.drive(held.clone());
            match &result {
                Err(error) => tracing::debug!(%error, %value, "does not fit yet"),
                Ok(Effect {
                    state: EffectState::UnderWay(_),
                    ..
                }) => continue,
                Ok(_) => {}
            }
            self.landed.push(Landed { held, result });
        }
        self.beside = false;
    }
}
