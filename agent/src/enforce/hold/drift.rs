//! Somebody else wrote what is held.

use super::{Effect, Hold, HoldError};
use crate::enforce::claims::{Held, Slot, Thing, Value};
use crate::enforce::hands::{HandError, Hands};

/// What is held, and what is there instead.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Drift {
    pub(crate) held: Held,
    pub(crate) theirs: Value,
}

impl<H: Hands> Hold<H> {
    /// Looks whether what was written is still there. What is being written tells nothing.
    pub(crate) fn drift(&mut self, slot: Slot) -> Option<Drift> {
        let held = self.held.get(&slot)?;
        // Rules are programs, which nobody else writes.
        let is_file = matches!(slot.thing, Thing::Knob(_));
        if !is_file
            || held.pending
            || self.walks.contains_key(&slot)
            || self.is_taken_along(&held.owner, slot)
        {
            return None;
        }
        let held = held.clone();
        match self.hands.read(&held.owner, slot.thing) {
            Ok(theirs) => (theirs != held.in_force).then_some(Drift { held, theirs }),
            Err(HandError::Gone) => {
                self.forget_cgroup(slot);
                None
            }
            Err(error) => {
                tracing::debug!(%error, what = %slot.thing, "held, and cannot be read");
                None
            }
        }
    }

    /// Theirs stays, and nobody claims the thing any more.
    pub(crate) fn give_up(&mut self, drift: &Drift) {
        self.give_back_asides(&drift.held);
        self.settled(drift.held.slot, None);
    }

    /// Ours goes back in.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn reassert(&mut self, drift: &Drift) -> Result<Effect, HoldError> {
        let mut held = drift.held.clone();
        held.in_force.clone_from(&drift.theirs);
        self.drive(held)
    }
}
