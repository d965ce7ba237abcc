//! The last events, and a live feed of them.
//!
//! In: what happened, from one or more plain threads. Out: numbered [`Event`]s, from memory
//! ([`EventLog::since`]) and as they come ([`EventLog::subscribe`]). Knows neither filters nor clients.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::broadcast;

use super::event::{Event, EventKind};

/// Events a subscriber may fall behind before it loses the oldest. At 5,000 events a second this is
/// most of a second of a stuck reader, for 64 KiB of slots.
const SUBSCRIBER_BACKLOG: usize = 4_096;

/// Bounded history with live subscription. A cheap handle: clones share the log.
#[derive(Clone, Debug)]
pub struct EventLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    history: Mutex<History>,
    capacity: usize,
    live: broadcast::Sender<Arc<Event>>,
    /// Of those that are seldom.
    seldom: broadcast::Sender<Arc<Event>>,
}

#[derive(Debug, Default)]
struct History {
    /// Number of the newest event; 0 before the first.
    last: u64,
    /// Consecutive, ending at `last`.
    events: VecDeque<Arc<Event>>,
}

impl EventLog {
    /// A log that remembers the last `capacity` events; with 0 it only passes them on.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let (live, _) = broadcast::channel(SUBSCRIBER_BACKLOG);
        let (seldom, _) = broadcast::channel(SUBSCRIBER_BACKLOG);
        Self {
            shared: Arc::new(Shared {
                history: Mutex::default(),
                capacity,
                live,
                seldom,
            }),
        }
    }

    /// Numbers the event, remembers it, passes it to subscribers, and returns its number.
    /// Never blocks but for the few instructions in which another handle holds the lock.
    pub fn push(
        &self,
        time: SystemTime,
        workload: Option<Arc<str>>,
        name: Option<Arc<str>>,
        kind: EventKind,
    ) -> u64 {
        let mut event = Event {
            sequence: 0,
            time,
            workload,
            name,
            kind,
        };
        let mut history = self.lock();
        history.last += 1;
        event.sequence = history.last;
        let event = Arc::new(event);
        let Shared { live, seldom, .. } = self.shared.as_ref();
        for (feed, fits) in [(live, true), (seldom, event.kind.is_seldom())] {
            if fits && feed.receiver_count() > 0 {
                // Sent under the lock, so that subscribers get events in the order of their numbers.
                // An error says that the last subscriber just left.
                let _ = feed.send(Arc::clone(&event));
            }
        }
        if self.shared.capacity > 0 {
            if history.events.len() == self.shared.capacity {
                history.events.pop_front();
            }
            history.events.push_back(event);
        }
        history.last
    }

    /// Up to `limit` remembered events with numbers above `sequence`, oldest first. When the first
    /// of them is not `sequence + 1`, those between are forgotten.
    #[must_use]
    pub fn since(&self, sequence: u64, limit: usize) -> Vec<Arc<Event>> {
        let history = self.lock();
        let before_first = history.last - history.events.len() as u64;
        let skip = usize::try_from(sequence.saturating_sub(before_first)).unwrap_or(usize::MAX);
        let skip = skip.min(history.events.len());
        history
            .events
            .range(skip..)
            .take(limit)
            .map(Arc::clone)
            .collect()
    }

    /// Number of the last event before the first remembered one that is at or after `time`: what to
    /// give to [`EventLog::since`].
    #[must_use]
    pub fn sequence_before(&self, time: SystemTime) -> u64 {
        let history = self.lock();
        let before_first = history.last - history.events.len() as u64;
        // Times of one CPU's events ascend, those of several may cross by a little: a scan from the
        // newest would stop early, so look from the oldest.
        let older = history.events.iter().take_while(|e| e.time < time).count();
        before_first + older as u64
    }

    /// Number of the newest event; 0 before the first.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.lock().last
    }

    /// Every event from now on. A receiver that falls more than a few thousand events behind gets
    /// `Lagged` with the number it lost, and goes on with the oldest that is left.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.shared.live.subscribe()
    }

    /// Those that do not come with every process: who waits for them is not woken by each of the others.
    #[must_use]
    pub fn subscribe_seldom(&self) -> broadcast::Receiver<Arc<Event>> {
        self.shared.seldom.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, History> {
        // No code under the lock can leave the history half changed, so a poisoned lock is usable.
        self.shared
            .history
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::thread;
    use std::time::Duration;

    use tokio::sync::broadcast::error::TryRecvError;

    use super::*;

    fn exec(tgid: u32) -> EventKind {
        EventKind::Exec {
            tgid,
            comm: "true".into(),
        }
    }

    fn push(log: &EventLog, tgid: u32) -> u64 {
        log.push(SystemTime::now(), None, None, exec(tgid))
    }

    fn numbers(events: &[Arc<Event>]) -> Vec<u64> {
        events.iter().map(|event| event.sequence).collect()
    }

    #[test]
    fn numbers_are_gap_free_under_threads_in_history_and_live() {
        let log = EventLog::new(10_000);
        let mut live = log.subscribe();
        let mut returned: Vec<u64> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| (0..500).map(|tgid| push(&log, tgid)).collect::<Vec<u64>>())
                })
                .collect();
            let join = threads.into_iter().map(|thread| thread.join().unwrap());
            join.flatten().collect()
        });
        let all: Vec<u64> = (1..=2_000).collect();
        returned.sort_unstable();
        assert_eq!(returned, all);
        assert_eq!(numbers(&log.since(0, usize::MAX)), all);
        let seen: Vec<u64> = (0..2_000)
            .map(|_| live.try_recv().unwrap().sequence)
            .collect();
        assert_eq!(seen, all);
        assert_eq!(live.try_recv().unwrap_err(), TryRecvError::Empty);
    }

    #[test]
    fn history_is_bounded_and_since_is_exclusive() {
        let log = EventLog::new(3);
        assert!(log.since(0, 10).is_empty());
        assert_eq!(log.last_sequence(), 0);
        for tgid in 0..5 {
            push(&log, tgid);
        }
        assert_eq!(numbers(&log.since(0, 10)), [3, 4, 5]);
        assert_eq!(numbers(&log.since(3, 10)), [4, 5]);
        assert_eq!(numbers(&log.since(3, 1)), [4]);
        assert!(log.since(5, 10).is_empty());
        assert!(log.since(u64::MAX, 10).is_empty());
    }

    #[test]
    fn a_log_without_history_still_feeds_subscribers() {
        let log = EventLog::new(0);
        let mut live = log.subscribe();
        assert_eq!(push(&log, 1), 1);
        assert_eq!(push(&log, 2), 2);
        assert!(log.since(0, 10).is_empty());
        assert_eq!(live.try_recv().unwrap().sequence, 1);
        assert_eq!(live.try_recv().unwrap().sequence, 2);
    }

    #[test]
    fn who_waits_for_the_seldom_hears_of_no_other() {
        let log = EventLog::new(0);
        let mut seldom = log.subscribe_seldom();
        push(&log, 1);
        let killed = EventKind::OomKill {
            tgid: 1,
            comm: "true".into(),
        };
        log.push(SystemTime::now(), None, None, killed);
        push(&log, 2);
        assert_eq!(seldom.try_recv().unwrap().sequence, 2);
        assert_eq!(seldom.try_recv().unwrap_err(), TryRecvError::Empty);
    }

    #[test]
    fn a_lagging_subscriber_learns_how_many_it_lost() {
        let log = EventLog::new(0);
        let mut live = log.subscribe();
        let lost = 7;
        for tgid in 0..SUBSCRIBER_BACKLOG as u32 + lost {
            push(&log, tgid);
        }
        assert_eq!(
            live.try_recv().unwrap_err(),
            TryRecvError::Lagged(u64::from(lost))
        );
        assert_eq!(live.try_recv().unwrap().sequence, u64::from(lost) + 1);
    }

    #[test]
    fn time_finds_its_place() {
        let log = EventLog::new(3);
        let start = SystemTime::UNIX_EPOCH;
        let at = |seconds| start + Duration::from_secs(seconds);
        for seconds in 1..=5 {
            log.push(at(seconds), None, None, exec(1));
        }
        assert_eq!(log.sequence_before(at(0)), 2);
        assert_eq!(log.sequence_before(at(4)), 3);
        assert_eq!(log.sequence_before(at(9)), 5);
    }
}
