//! What the kernel changes along with a thing: it belongs to nobody, and is put back with the thing.

use super::Hold;
use crate::enforce::claims::{Aside, Held, Slot, Value};
use crate::enforce::hands::{HandError, Hands, Progress};

impl<H: Hands> Hold<H> {
    /// Puts what the next write will change besides into `new`, before it is written down.
    pub(super) fn note_asides(&mut self, new: &mut Held) -> Result<(), HandError> {
        for original in self.hands.asides(&new.owner, new.wanted())? {
            let known = new
                .asides
                .iter_mut()
                .find(|aside| aside.original.thing() == original.thing());
            match known {
                // What it was before the first change is what it was.
                Some(aside) => aside.in_force = None,
                None => new.asides.push(Aside {
                    original,
                    in_force: None,
                }),
            }
        }
        Ok(())
    }

    /// After the write: what was not changed is forgotten; what is held on its own is told to it.
    pub(super) fn settle_asides(&mut self, new: &mut Held) {
        for mut aside in std::mem::take(&mut new.asides) {
            let thing = aside.original.thing();
            let Ok(now) = self.hands.read(&new.owner, thing) else {
                new.asides.push(aside);
                continue;
            };
            let beside = self
                .held
                .values()
                .find(|held| held.is_beside(new.slot, new) && held.thing() == thing);
            if let Some(beside) = beside {
                let mut beside = beside.clone();
                if beside.in_force != now && !beside.pending {
                    beside.in_force = now;
                    self.settled(beside.slot, Some(beside));
                }
                continue;
            }
            if now != aside.original {
                aside.in_force = Some(now);
                new.asides.push(aside);
            }
        }
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
            match self.hands.write(&given_back.owner, &aside.original, false) {
                Ok(Progress::Done(_) | Progress::UnderWay { .. }) | Err(HandError::Gone) => {}
                Err(error) => {
                    tracing::warn!(%error, value = %aside.original, "not given back");
                }
            }
        }
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
        let unfit = |held: &&Held| {
            held.is_beside(new.slot, new) && !held.pending && held.needs_write()
        };
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
