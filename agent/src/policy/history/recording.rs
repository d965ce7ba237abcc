//! Records in the order in which they came, and what was before the first.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::HistoryTally;
use super::codec::{Codec, Values};
use super::since;
use crate::cgroup::Placement;
use crate::identity::Identity;
use crate::ledger::Workload;
use crate::policy::condition::WatchedEvent;
use crate::policy::evaluate::Moment;

/// What happened, and when.
#[derive(Clone, Debug)]
pub struct Recording {
    /// What times are counted from.
    pub(super) origin: Moment,
    pub(super) codec: Codec,
    pub(super) start: Start,
    pub(super) records: VecDeque<Record>,
    bytes: usize,
}

/// How everything stood before the first record.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) at: Duration,
    pub(super) workloads: BTreeMap<u32, (Arc<Sketch>, Values)>,
    pub(super) host: Values,
}

/// One record.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) at: Duration,
    pub(super) number: u32,
    pub(super) what: What,
}

/// What it says.
#[derive(Clone, Debug)]
pub(super) enum What {
    Appeared(Arc<Sketch>),
    Gone,
    Seen(Arc<[u8]>),
    Host(Arc<[u8]>),
    Event(WatchedEvent, u32),
    Tick,
}

/// A workload without its readings.
#[derive(Clone, Debug)]
pub(super) struct Sketch {
    identity: Arc<Identity>,
    placement: Arc<Placement>,
    created: SystemTime,
}

impl Sketch {
    pub(super) fn of(workload: &Workload) -> Self {
        Self {
            identity: Arc::clone(&workload.identity),
            placement: Arc::clone(&workload.placement),
            created: workload.created,
        }
    }

    /// As orders name it.
    pub(super) fn workload(&self) -> Arc<Workload> {
        let (identity, placement) = (Arc::clone(&self.identity), Arc::clone(&self.placement));
        Arc::new(Workload::new(identity, placement, self.created))
    }
}

impl Start {
    /// Takes in what a record says.
    pub(super) fn apply(&mut self, codec: &Codec, record: &Record) {
        self.at = record.at;
        match &record.what {
            What::Appeared(sketch) => {
                let sketch = Arc::clone(sketch);
                match self.workloads.get_mut(&record.number) {
                    Some((known, _)) => *known = sketch,
                    None => {
                        self.workloads
                            .insert(record.number, (sketch, Values::default()));
                    }
                }
            }
            What::Gone => {
                self.workloads.remove(&record.number);
            }
            What::Seen(bytes) => {
                if let Some((_, values)) = self.workloads.get_mut(&record.number) {
                    codec.decode(values, bytes);
                }
            }
            What::Host(bytes) => {
                codec.decode(&mut self.host, bytes);
            }
            What::Event(..) | What::Tick => {}
        }
    }
}

impl Recording {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            origin: now,
            codec: Codec::default(),
            start: Start {
                at: Duration::ZERO,
                workloads: BTreeMap::new(),
                host: Values::default(),
            },
            records: VecDeque::new(),
            bytes: 0,
        }
    }

    pub(super) fn push(&mut self, now: Moment, number: u32, what: What) {
        let record = Record {
            at: since(self.origin.instant, now.instant),
            number,
            what,
        };
        self.bytes += record.bytes();
        self.records.push_back(record);
    }

    /// Folds records into the start, until none is older, and they are no more bytes than that.
    pub(super) fn trim(&mut self, oldest: Option<Instant>, most_bytes: usize) {
        let oldest = oldest.map(|oldest| since(self.origin.instant, oldest));
        while let Some(first) = self.records.front()
            && (self.bytes > most_bytes || oldest.is_some_and(|oldest| first.at < oldest))
        {
            if let Some(record) = self.records.pop_front() {
                self.bytes -= record.bytes();
                self.start.apply(&self.codec, &record);
            }
        }
    }

    pub(super) fn tally(&self) -> HistoryTally {
        HistoryTally {
            from: self.moment(self.start.at).wall,
            records: self.records.len() as u64,
            bytes: self.bytes as u64,
        }
    }

    pub(super) fn moment(&self, at: Duration) -> Moment {
        Moment {
            instant: self.origin.instant + at,
            wall: self.origin.wall + at,
        }
    }

    /// When the last record was made.
    pub(super) fn end(&self) -> Duration {
        self.records.back().map_or(self.start.at, |last| last.at)
    }
}

impl Record {
    /// What it takes in memory; names and labels are shared with the ledger.
    fn bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.what {
                What::Seen(bytes) | What::Host(bytes) => bytes.len() + 2 * size_of::<usize>(),
                What::Appeared(_) => size_of::<Sketch>(),
                What::Gone | What::Event(..) | What::Tick => 0,
            }
    }
}
