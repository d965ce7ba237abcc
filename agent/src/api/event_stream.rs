//! `/v1/events` as lines: what is remembered, then what comes, without gap or repetition between
//! the two; where a client missed events, a `lost` event in their place.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::filter::Filter;
use super::query::{EventQuery, Since};
use super::types::{Event, EventKind};
use crate::ledger::EventLog;

/// Events taken from the log at a time.
const BATCH: usize = 512;

/// The body of one answer.
pub(super) fn event_lines(
    log: EventLog,
    query: EventQuery,
    stop: CancellationToken,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(Follower::new(log, query, stop), |mut follower| async {
        let lines = follower.next_lines().await?;
        Some((Ok(lines), follower))
    })
}

struct Follower {
    log: EventLog,
    filter: Filter<Event>,
    stop: CancellationToken,
    /// Number of the last event that was looked at.
    last: u64,
    /// Last number to look at in the history; what comes later comes live.
    end: u64,
    live: Option<Receiver<Arc<Event>>>,
    lines: Vec<u8>,
}

impl Follower {
    fn new(log: EventLog, query: EventQuery, stop: CancellationToken) -> Self {
        // Before the history is looked at: nothing falls between.
        let live = query.follow.then(|| log.subscribe());
        let end = log.last_sequence();
        let oldest = log.sequence_before(SystemTime::UNIX_EPOCH);
        let last = match query.since {
            None if query.follow => end,
            None => oldest,
            // A number from before the agent's restart: all is news.
            Some(Since::Sequence(sequence)) if sequence > end => oldest,
            Some(Since::Sequence(sequence)) => sequence,
            Some(Since::Ago(ago)) => {
                let from = SystemTime::now().checked_sub(ago);
                log.sequence_before(from.unwrap_or(SystemTime::UNIX_EPOCH))
            }
        };
        Self {
            log,
            filter: query.filter,
            stop,
            last,
            end,
            live,
            lines: Vec::new(),
        }
    }

    /// At least one line, or `None` at the end.
    async fn next_lines(&mut self) -> Option<Bytes> {
        while self.lines.is_empty() {
            let more = self.take_history() || self.take_live().await;
            if !more {
                return None;
            }
            // A filter that nothing passes must not keep a worker thread from others.
            tokio::task::yield_now().await;
        }
        Some(Bytes::from(std::mem::take(&mut self.lines)))
    }

    fn take_history(&mut self) -> bool {
        if self.last >= self.end {
            return false;
        }
        let batch = self.log.since(self.last, BATCH);
        let end = self.end;
        for event in batch.iter().take_while(|event| event.sequence <= end) {
            self.take(event, "history");
        }
        if batch.first().is_none_or(|event| event.sequence > self.end) {
            // Forgotten meanwhile, or never remembered.
            self.write_lost(self.end, "history");
        }
        true
    }

    async fn take_live(&mut self) -> bool {
        let Some(mut live) = self.live.take() else {
            return false;
        };
        let received = tokio::select! {
            received = live.recv() => received,
            () = self.stop.cancelled() => return false,
        };
        match received {
            Ok(event) => self.take(&event, "follower"),
            // How many were lost is known from the number of the next one.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return false,
        }
        for _ in 1..BATCH {
            match live.try_recv() {
                Ok(event) => self.take(&event, "follower"),
                Err(_) => break,
            }
        }
        self.live = Some(live);
        true
    }

    fn take(&mut self, event: &Event, source: &str) {
        if event.sequence <= self.last {
            return;
        }
        self.write_lost(event.sequence - 1, source);
        self.last = event.sequence;
        // What was lost may be just what the filter asks for.
        if matches!(event.kind, EventKind::Lost { .. }) || self.filter.matches(event) {
            self.write(event);
        }
    }

    /// Everything up to `sequence` that was not looked at is lost.
    fn write_lost(&mut self, sequence: u64, source: &str) {
        let count = sequence.saturating_sub(self.last);
        if count == 0 {
            return;
        }
        self.last = sequence;
        self.write(&Event {
            sequence,
            time: SystemTime::now(),
            workload: None,
            name: None,
            kind: EventKind::Lost {
                ring: source.to_owned(),
                count,
            },
        });
    }

    fn write(&mut self, event: &Event) {
        let whole = self.lines.len();
        match serde_json::to_writer(&mut self.lines, event) {
            Ok(()) => self.lines.push(b'\n'),
            // A time before 1970 has no RFC 3339 form: the clock is badly off.
            Err(error) => {
                self.lines.truncate(whole);
                tracing::warn!(%error, sequence = event.sequence, "event has no JSON form");
            }
        }
    }
}

#[cfg(test)]
#[path = "event_stream_tests.rs"]
mod tests;
