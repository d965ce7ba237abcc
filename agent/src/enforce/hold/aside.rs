//! What the kernel changes along with a thing: it belongs to nobody, and is put back with the thing.

use super::{Effect, EffectState, Hold};
use crate::enforce::claims::{Aside, Held, Slot, Thing, Value};
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
        self.settle_companions(new.slot);
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

    /// What was written along is as the kernel has it now.
    pub(super) fn settle_companions(&mut self, carrier: Slot) {
        for slot in self.companions.remove(&carrier).unwrap_or_default() {
            let Some(mut held) = self.held.get(&slot).cloned() else {
                continue;
            };
            if let Ok(now) = self.hands.read(&held.owner, slot.thing) {
                held.in_force = now;
                held.pending = false;
                self.settled(slot, Some(held));
            }
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

    /// What a thing was before another one's write took it along.
    pub(super) fn aside_original(&mut self, slot: Slot) -> Option<Value> {
        let carrier = self.held.values().find(|held| {
            held.slot.cgroup == slot.cgroup
                && held
                    .asides
                    .iter()
                    .any(|aside| aside.original.thing() == slot.thing)
        })?;
        let asides = &carrier.asides;
        let mut asides = asides.iter();
        let aside = asides.find(|aside| aside.original.thing() == slot.thing)?;
        Some(aside.original.clone())
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
            if let Err(error) = self.drive(held) {
                tracing::debug!(%error, %value, "does not fit yet");
            }
        }
        self.beside = false;
    }
}
