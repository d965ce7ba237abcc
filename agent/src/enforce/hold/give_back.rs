//! Claims that end: the next one, or what was there before, comes back into force.

use std::time::{Duration, Instant};

use super::drive::Ready;
use super::{Drift, Effect, EffectState, Hold, HoldError};
use crate::enforce::claims::{Change, Claimed, Held, Slot, sequence};
use crate::enforce::hands::Hands;

/// Between two looks at what takes time.
const LOOK: Duration = Duration::from_millis(1);

/// What became of claims that ended.
#[derive(Debug)]
pub(crate) struct GivenBack {
    /// As it was before.
    pub(crate) held: Held,
    pub(crate) gone: Vec<Claimed>,
    pub(crate) result: Result<Effect, HoldError>,
}

impl<H: Hands> Hold<H> {
    /// Ends the claims that `picks` picks, in an order that the kernel takes. What somebody else has
    /// written meanwhile is left.
    pub(crate) fn release(&mut self, picks: impl Fn(&Held, &Claimed) -> bool) -> Vec<GivenBack> {
        let picked = self.held.values().filter_map(|held| {
            let (gone, _): (Vec<&Claimed>, Vec<_>) =
                held.claims().iter().partition(|claim| picks(held, claim));
            let gone: Vec<Claimed> = gone.into_iter().cloned().collect();
            (!gone.is_empty()).then(|| (held.clone(), gone))
        });
        let picked: Vec<_> = picked.collect();
        self.end(picked, &picks)
    }

    /// Gives back what is on its way back and did not get there: after a failure, or a crash.
    pub(crate) fn retry(&mut self) -> Vec<GivenBack> {
        let left = self.held.values().filter(|held| {
            held.claims().is_empty()
                && !self.passing.contains(&held.slot)
                && !self.walks.contains_key(&held.slot)
        });
        let left: Vec<_> = left.map(|held| (held.clone(), Vec::new())).collect();
        self.end(left, &|_, _| false)
    }

    /// Is anything on its way back?
    pub(crate) fn is_owing(&self) -> bool {
        self.held.values().any(|held| held.claims().is_empty())
    }

    /// As the agent ends, or for one that was killed: all claims end that do not outlive it. Waits up
    /// to `patience` for what the kernel needs time for.
    pub(crate) fn give_back_all(&mut self, patience: Duration) -> Vec<GivenBack> {
        let deadline = Instant::now() + patience;
        // What was begun for a moment by somebody who is gone is on its way back.
        self.passing.clear();
        let mut given_back = self.release(|_, claim| !claim.outlives_agent());
        given_back.extend(self.finish_survivors());
        given_back.extend(self.retry());
        while (self.is_busy() || self.is_owing()) && Instant::now() < deadline {
            std::thread::sleep(LOOK);
            self.step();
            // Its record is there already.
            self.retry();
        }
        given_back
    }

    /// Claims stay without being looked at: the operator wants what is there to be kept as it is.
    pub(crate) fn forget(&mut self, picks: impl Fn(&Held, &Claimed) -> bool) -> Vec<GivenBack> {
        let held: Vec<Held> = self.held.values().cloned().collect();
        let mut forgotten = Vec::new();
        for held in held {
            let first_goes = held.first().is_some_and(|first| picks(&held, first));
            let gone: Vec<Claimed> = held
                .claims()
                .iter()
                .filter(|c| picks(&held, c))
                .cloned()
                .collect();
            if gone.is_empty() {
                continue;
            }
            let mut new = held.without(|claim| picks(&held, claim));
            if first_goes {
                new.original.clone_from(&held.in_force);
                new.asides.clear();
            }
            forgotten.push(GivenBack {
                result: self.drive(new),
                held,
                gone,
            });
        }
        forgotten
    }

    /// A write that a killed agent had begun for a claim that stays is begun again.
    fn finish_survivors(&mut self) -> Vec<GivenBack> {
        let unfinished = self.held.values().filter(|held| {
            held.pending && !held.claims().is_empty() && !self.walks.contains_key(&held.slot)
        });
        let unfinished: Vec<_> = unfinished.map(|held| (held.clone(), Vec::new())).collect();
        self.end(unfinished, &|_, _| false)
    }

    fn end(
        &mut self,
        picked: Vec<(Held, Vec<Claimed>)>,
        picks: &dyn Fn(&Held, &Claimed) -> bool,
    ) -> Vec<GivenBack> {
        let mut ended = Vec::new();
        let mut changes: Vec<(GivenBack, Held)> = Vec::new();
        for (held, gone) in picked {
            let unchanged = Effect {
                before: held.in_force.clone(),
                after: held.in_force.clone(),
                state: EffectState::InForce,
            };
            let new = held.without(|claim| picks(&held, claim));
            let given_back = GivenBack {
                held,
                gone,
                result: Ok(unchanged),
            };
            changes.push((given_back, new));
        }
        sequence(&mut changes, |(_, new)| Change {
            from: &new.in_force,
            to: new.wanted(),
            depth: new.depth(),
        });
        let mut ready = Vec::new();
        for (mut given_back, mut new) in changes {
            let slot = new.slot;
            // Who was behind somebody else leaves without a write.
            let first_goes = new.first() != given_back.held.first();
            if first_goes && let Some(drift) = self.drift(slot) {
                given_back.result = Ok(self.left(&drift));
                ended.push(given_back);
                continue;
            }
            if !self.held.contains_key(&slot) {
                // Looking found that the cgroup is gone: nobody is owed anything.
                ended.push(given_back);
                continue;
            }
            match self.prepare(&mut new) {
                Ready::Settled(effect) => given_back.result = Ok(effect),
                Ready::Wait(effect) => {
                    given_back.result = Ok(effect);
                    self.held.insert(slot, new);
                }
                Ready::Write => {
                    new.pending = true;
                    self.held.insert(slot, new);
                    ready.push(given_back);
                    continue;
                }
            }
            ended.push(given_back);
        }
        self.write_down(ready.iter().map(GivenBack::slot).collect());
        let mut refused = Vec::new();
        for mut given_back in ready {
            let slot = given_back.slot();
            let Some(new) = self.note_more_asides(slot) else {
                ended.push(given_back);
                continue;
            };
            // Who has let go has let go, also where the next claim does not fit.
            let mut left = new.clone();
            left.pending = false;
            let old = (!given_back.held.pending && !left.claims().is_empty()).then_some(left);
            given_back.result = self.write(slot, old);
            if given_back.result.is_err() && new.claims().is_empty() {
                refused.push(given_back);
            } else {
                ended.push(given_back);
            }
        }
        // Each may have been in another one's way.
        for mut given_back in refused {
            let slot = given_back.held.slot;
            if self.held.contains_key(&slot) {
                given_back.result = self.write(slot, None);
            }
            ended.push(given_back);
        }
        ended
    }

    /// One entry for all, so that there is one wait for the disk.
    fn write_down(&mut self, slots: Vec<Slot>) {
        let mut entries = Vec::new();
        for slot in slots {
            let Some(mut held) = self.held.get(&slot).cloned() else {
                continue;
            };
            match self.note_asides(&mut held) {
                Ok(companions) => entries.extend(companions),
                Err(error) => tracing::debug!(%error, "what goes along is not known"),
            }
            self.held.insert(slot, held.clone());
            entries.push(held);
        }
        if !entries.is_empty()
            && let Err(error) = self.intend(&entries)
        {
            tracing::warn!(%error, "given back without a journal entry");
        }
    }

    /// What was written since it was written down may make it take more along.
    fn note_more_asides(&mut self, slot: Slot) -> Option<Held> {
        let mut held = self.held.get(&slot)?.clone();
        let noted = held.asides.len();
        let companions = self.note_asides(&mut held).unwrap_or_default();
        if held.asides.len() > noted || !companions.is_empty() {
            if let Err(error) = self.intend(companions.iter().chain([&held])) {
                tracing::warn!(%error, "given back without a journal entry");
            }
            self.held.insert(slot, held.clone());
        }
        Some(held)
    }

    fn left(&mut self, drift: &Drift) -> Effect {
        self.give_up(drift);
        Effect {
            before: drift.held.in_force.clone(),
            after: drift.theirs.clone(),
            state: EffectState::Yielded,
        }
    }
}

impl GivenBack {
    /// Which thing.
    pub(crate) fn slot(&self) -> Slot {
        self.held.slot
    }
}
