//! Orders that are given again for as long as the condition holds, when they were put off.

use std::time::{Duration, Instant};

use crate::policy::fate::Fate;
use crate::policy::ladder::Revert;
use crate::policy::order::Step;

/// Between two attempts: as long as a ladder's steps are apart.
const EVERY: Duration = Duration::from_secs(5);

/// An order that may have to be given again.
#[derive(Clone, Debug)]
pub(super) struct Again {
    pub(super) step: Step,
    pub(super) revert: Revert,
    pub(super) fate: Fate,
}

/// Those of one firing, each with the time at which it is looked at again.
#[derive(Clone, Debug, Default)]
pub(super) struct AllAgain(Vec<(Instant, Again)>);

impl Again {
    /// To be given for the first time.
    pub(super) fn new(step: Step, revert: Revert) -> Self {
        Self {
            step,
            revert,
            fate: Fate::default(),
        }
    }
}

impl AllAgain {
    /// It was given.
    pub(super) fn add(&mut self, again: Again, now: Instant) {
        self.0.push((now + EVERY, again));
    }

    /// Those that were put off, and are to be given now.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Again> {
        let mut due = Vec::new();
        self.0.retain_mut(|(next, again)| {
            if again.fate.is_settled() {
                return false;
            }
            if now < *next {
                return true;
            }
            // Not answered yet, it is looked at later.
            *next = now + EVERY;
            let put_off = again.fate.is_put_off();
            if put_off {
                due.push(Again {
                    fate: Fate::again(),
                    ..again.clone()
                });
            }
            !put_off
        });
        due
    }

    /// When one of them is to be looked at.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.iter().map(|(next, _)| *next).min()
    }

    /// The firing is over.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
