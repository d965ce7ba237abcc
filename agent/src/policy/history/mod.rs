//! What was known of every workload in the last minutes, so that a policy can be tried on it.
//!
//! In: the readings and events that evaluation gets, and once a tick those of workloads that no policy
//! applies to. Out: a [`Recording`], and what any set of policies would have decided on it. Bounded by
//! time and by bytes; what falls out at the old end is folded into a starting point.

mod codec;
mod recording;
mod replay;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use self::codec::Values;
use self::recording::{Sketch, What};
use crate::ledger::Workload;
use crate::policy::condition::WatchedEvent;
use crate::policy::evaluate::{Moment, Observation};

pub use self::recording::Recording;
pub use self::replay::Decision;

/// Most bytes of records, whatever time they span.
const MOST_BYTES: usize = 16 << 20;

/// Records.
#[derive(Debug)]
pub(super) struct History {
    span: Duration,
    recording: Recording,
    /// What was recorded last, by which the next is shortened.
    latest: BTreeMap<Arc<str>, (u32, Values)>,
    latest_host: Values,
    next: u32,
}

/// How much there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryTally {
    /// How far back it reaches.
    #[serde(with = "humantime_serde")]
    pub from: SystemTime,
    pub records: u64,
    pub bytes: u64,
}

impl History {
    /// Remembers so much time; zero remembers nothing.
    pub(super) fn new(now: Moment, span: Duration) -> Self {
        Self {
            span,
            recording: Recording::new(now),
            latest: BTreeMap::new(),
            latest_host: Values::default(),
            next: 0,
        }
    }

    /// A workload is there, or is known by other names than before.
    pub(super) fn appeared(&mut self, now: Moment, workload: &Workload) {
        if self.span.is_zero() {
            return;
        }
        let id: Arc<str> = Arc::from(workload.identity.id.as_str());
        let number = match self.latest.get(&id) {
            Some((number, _)) => *number,
            None => {
                self.next = self.next.wrapping_add(1);
                self.latest.insert(id, (self.next, Values::default()));
                self.next
            }
        };
        let sketch = Sketch::of(workload);
        self.push(now, number, What::Appeared(Arc::new(sketch)));
    }

    /// It is no more.
    pub(super) fn gone(&mut self, now: Moment, id: &str) {
        if let Some((number, _)) = self.latest.remove(id) {
            self.push(now, number, What::Gone);
        }
    }

    /// Readings of a workload. `idle`: may be left out when nothing in them is new.
    pub(super) fn seen(&mut self, now: Moment, id: &str, seen: &Observation, idle: bool) {
        let Some((number, latest)) = self.latest.get_mut(id) else {
            return;
        };
        let number = *number;
        let (bytes, any_new) = self.recording.codec.encode(latest, seen);
        if any_new || !idle {
            self.push(now, number, What::Seen(bytes));
        }
    }

    /// Readings of the host.
    pub(super) fn seen_host(&mut self, now: Moment, seen: &Observation) {
        if self.span.is_zero() {
            return;
        }
        let (bytes, _) = self.recording.codec.encode(&mut self.latest_host, seen);
        self.push(now, 0, What::Host(bytes));
    }

    /// Something happened in a workload.
    pub(super) fn event(&mut self, now: Moment, id: &str, event: WatchedEvent, count: u32) {
        if let Some((number, _)) = self.latest.get(id) {
            let number = *number;
            self.push(now, number, What::Event(event, count));
        }
    }

    /// All workloads have been seen: what was left out is as it was.
    pub(super) fn tick(&mut self, now: Moment) {
        if !self.span.is_zero() {
            self.push(now, 0, What::Tick);
        }
    }

    /// Whether anything is remembered.
    pub(super) const fn is_kept(&self) -> bool {
        !self.span.is_zero()
    }

    /// What there is, to be tried on.
    pub(super) fn recording(&self) -> Recording {
        self.recording.clone()
    }

    pub(super) fn tally(&self) -> HistoryTally {
        self.recording.tally()
    }

    fn push(&mut self, now: Moment, number: u32, what: What) {
        self.recording.push(now, number, what);
        let oldest = now.instant.checked_sub(self.span);
        self.recording.trim(oldest, MOST_BYTES);
    }
}

/// Time since the recording's first moment.
fn since(start: Instant, at: Instant) -> Duration {
    at.saturating_duration_since(start)
}

#[cfg(test)]
mod tests;
