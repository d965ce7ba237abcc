//! What is due by itself: claims that end, and looks that are taken from time to time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::enforce::claims::Slot;

/// Between two looks at what takes time.
pub(super) const STEP: Duration = Duration::from_millis(5);
/// Between two looks at the sockets of what is held by rates.
pub(super) const TEND: Duration = Duration::from_millis(200);
/// Between two attempts to give back what could not be.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// Between two looks at everything: whether the cgroups are still there, and what inotify missed.
pub(super) const SWEEP: Duration = Duration::from_secs(10);

/// Ends of claims, and the next sweep.
#[derive(Debug)]
pub(super) struct Timers {
    /// When, which thing, by which action it was claimed.
    ends: BTreeSet<(Instant, Slot, u64)>,
    sweep: Instant,
}

impl Timers {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            ends: BTreeSet::new(),
            sweep: now + SWEEP,
        }
    }

    /// The claim made by this action ends then, if it is still there.
    pub(super) fn end_at(&mut self, when: Instant, slot: Slot, action: u64) {
        self.ends.insert((when, slot, action));
    }

    /// What ends now.
    pub(super) fn ended(&mut self, now: Instant) -> Vec<(Slot, u64)> {
        let mut ended = Vec::new();
        while let Some((when, slot, action)) = self.ends.first().copied() {
            if when > now {
                break;
            }
            self.ends.pop_first();
            ended.push((slot, action));
        }
        ended
    }

    /// Is it time to look at everything?
    pub(super) fn is_time_to_sweep(&mut self, now: Instant) -> bool {
        let due = now >= self.sweep;
        if due {
            self.sweep = now + SWEEP;
        }
        due
    }

    /// When something of this is due.
    pub(super) fn next(&self) -> Option<Instant> {
        let end = self.ends.first().map(|(when, ..)| *when);
        Some(end.map_or(self.sweep, |end| end.min(self.sweep)))
    }
}
