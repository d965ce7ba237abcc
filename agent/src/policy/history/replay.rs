//! What policies would have decided on what is recorded.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::codec::Values;
use super::recording::{Recording, What};
use crate::policy::evaluate::{Evaluator, Moment};
use crate::policy::order::{Claimant, Evidence, Mode, Order, Step};
use crate::policy::set::PolicySet;

/// One thing that would have been done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decision {
    #[serde(with = "humantime_serde")]
    pub time: SystemTime,
    pub claimant: Claimant,
    /// The workload's id: its cgroup path.
    pub workload: String,
    pub name: Option<String>,
    pub mode: Mode,
    pub step: Step,
    pub evidence: Evidence,
}

/// A workload as the replay goes.
struct Replayed {
    id: String,
    values: Values,
    /// Since the last tick.
    seen: bool,
}

/// A replay under way.
struct Replay<'a> {
    recording: &'a Recording,
    evaluator: Evaluator,
    workloads: BTreeMap<u32, Replayed>,
    host: Values,
    decisions: Vec<Decision>,
}

impl Recording {
    /// What these policies would have decided in the last `since` of it, from nothing under way. Takes
    /// a microsecond or two a record.
    #[must_use]
    pub fn replay(&self, since: Duration, set: Arc<PolicySet>) -> Vec<Decision> {
        let begin = self.end().saturating_sub(since);
        let mut start = self.start.clone();
        let split = self.records.partition_point(|record| record.at < begin);
        for record in self.records.range(..split) {
            start.apply(&self.codec, record);
        }
        let mut replay = Replay {
            recording: self,
            evaluator: Evaluator::new(set),
            workloads: BTreeMap::new(),
            host: start.host,
            decisions: Vec::new(),
        };
        let at = self.moment(begin.max(start.at));
        let host = self.codec.all(&replay.host);
        replay.evaluator.observe_host(at, &host);
        for (number, (sketch, values)) in start.workloads {
            let workload = sketch.workload();
            let orders = replay.evaluator.appear(at, &workload);
            replay.note(at, orders);
            let id = workload.identity.id.clone();
            let orders = replay.evaluator.observe(at, &id, &self.codec.all(&values));
            replay.note(at, orders);
            let replayed = Replayed {
                id,
                values,
                seen: true,
            };
            replay.workloads.insert(number, replayed);
        }
        for record in self.records.range(split..) {
            replay.take(self.moment(record.at), record.number, &record.what);
        }
        replay.decisions
    }
}

impl Replay<'_> {
    fn take(&mut self, now: Moment, number: u32, what: &What) {
        self.pass_time(now);
        let codec = &self.recording.codec;
        let orders = match what {
            What::Appeared(sketch) => {
                let workload = sketch.workload();
                match self.workloads.entry(number) {
                    Entry::Occupied(_) => self.evaluator.changed(now, &workload),
                    Entry::Vacant(entry) => {
                        entry.insert(Replayed {
                            id: workload.identity.id.clone(),
                            values: Values::default(),
                            seen: true,
                        });
                        self.evaluator.appear(now, &workload)
                    }
                }
            }
            What::Gone => {
                if let Some(replayed) = self.workloads.remove(&number) {
                    self.evaluator.gone(&replayed.id);
                }
                Vec::new()
            }
            What::Seen(bytes) => {
                let Some(replayed) = self.workloads.get_mut(&number) else {
                    return;
                };
                replayed.seen = true;
                let seen = codec.decode(&mut replayed.values, bytes);
                self.evaluator.observe(now, &replayed.id, &seen)
            }
            What::Host(bytes) => {
                let seen = codec.decode(&mut self.host, bytes);
                self.evaluator.observe_host(now, &seen)
            }
            What::Event(event, count) => {
                let Some(replayed) = self.workloads.get(&number) else {
                    return;
                };
                self.evaluator.event(now, &replayed.id, *event, *count)
            }
            What::Tick => self.unchanged(now),
        };
        self.note(now, orders);
    }

    /// What was left out, because it was as before.
    fn unchanged(&mut self, now: Moment) -> Vec<Order> {
        let mut orders = Vec::new();
        for replayed in self.workloads.values_mut() {
            if !std::mem::take(&mut replayed.seen) {
                let seen = self.recording.codec.all(&replayed.values);
                orders.extend(self.evaluator.observe(now, &replayed.id, &seen));
            }
        }
        orders
    }

    /// Does what was due before.
    fn pass_time(&mut self, until: Moment) {
        while let Some(due) = self.evaluator.due()
            && due < until.instant
        {
            let back = until.instant - due;
            let now = Moment {
                instant: due,
                wall: until.wall - back,
            };
            let orders = self.evaluator.tick(now);
            self.note(now, orders);
        }
    }

    fn note(&mut self, now: Moment, orders: Vec<Order>) {
        self.decisions
            .extend(orders.into_iter().map(|order| Decision {
                time: now.wall,
                workload: order.workload.identity.id.clone(),
                name: order.workload.identity.name.clone(),
                claimant: order.claimant,
                mode: order.mode,
                step: order.step,
                evidence: order.evidence,
            }));
    }
}
