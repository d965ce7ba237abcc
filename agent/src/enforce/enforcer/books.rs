//! Everything that is decided or done is recorded: for the audit, as an event, in the counts.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::enforce::audit::{self, Audit};
use crate::enforce::refusal::Refusal;
use crate::enforce::{Outcome, Record, Status};
use crate::identity::Identity;
use crate::ledger::{Deed, EventKind, EventLog};
use crate::policy::{Claimant, Evidence, Mode, Once, Order, Step};

/// Where records go.
pub(super) struct Books {
    audit: Audit,
    log: EventLog,
    status: Status,
}

/// A record but for its number and time.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) claimant: Claimant,
    pub(super) workload: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) mode: Mode,
    pub(super) step: Step,
    pub(super) outcome: Outcome,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    /// What it does less than its name promises.
    pub(super) caveats: Vec<String>,
    pub(super) evidence: Evidence,
}

impl Entry {
    /// What became of an order.
    pub(super) fn of(order: &Order, outcome: Outcome) -> Self {
        let (workload, name) = names(&order.workload.identity);
        Self {
            claimant: order.claimant.clone(),
            workload,
            name,
            mode: order.mode,
            step: order.step.clone(),
            outcome,
            before: None,
            after: None,
            caveats: Vec::new(),
            evidence: order.evidence.clone(),
        }
    }
}

/// The workload's id, and what people call it.
pub(super) fn names(identity: &Identity) -> (Arc<str>, Arc<str>) {
    let id: Arc<str> = identity.id.as_str().into();
    let name = identity.name.as_deref();
    let name = name.map_or_else(|| Arc::clone(&id), Arc::from);
    (id, name)
}

impl Books {
    pub(super) fn new(audit: Audit, log: EventLog) -> Self {
        Self {
            audit,
            log,
            status: Status::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn audit(&self) -> &Audit {
        &self.audit
    }

    /// The highest number of an action that was ever recorded, as far as the audit goes.
    pub(super) fn last_number(&self) -> u64 {
        self.audit.last_id()
    }

    pub(super) fn status(&self) -> &Status {
        &self.status
    }

    /// Records what became of something, as of now.
    pub(super) fn record(&mut self, id: u64, entry: Entry) -> Arc<Record> {
        self.record_at(id, entry, Instant::now())
    }

    /// Records what became of something at an instant.
    pub(super) fn record_at(&mut self, id: u64, entry: Entry, at: Instant) -> Arc<Record> {
        let took = at.saturating_duration_since(entry.evidence.read);
        let Entry {
            claimant,
            workload,
            name,
            mode,
            step,
            outcome,
            before,
            after,
            caveats,
            evidence,
        } = entry;
        let record = Arc::new(Record {
            id,
            time: SystemTime::now(),
            claimant,
            workload,
            name,
            mode,
            step,
            outcome,
            before,
            after,
            caveats,
            evidence,
            took,
        });
        let count = (deed(&record.step), record.outcome.name());
        *self.status.actions.entry(count).or_default() += 1;
        if record.outcome == Outcome::Done {
            self.status.reaction.observe(took);
        }
        self.tell(&record);
        self.audit.push(Arc::clone(&record));
        record
    }

    /// Counts why an order was refused.
    pub(super) fn count(&mut self, refusal: &Refusal) {
        if let Some(class) = refusal.class.name() {
            *self.status.refusals.entry(class).or_default() += 1;
        }
    }

    /// Tells of somebody else's write.
    pub(super) fn drift(
        &mut self,
        workload: &Arc<str>,
        name: &Arc<str>,
        kind: EventKind,
        answer: &'static str,
    ) {
        *self.status.drifts.entry(answer).or_default() += 1;
        self.log.push(
            SystemTime::now(),
            Some(Arc::clone(workload)),
            Some(Arc::clone(name)),
            kind,
        );
    }

    /// Waits a moment for the audit to be on the disk.
    pub(super) fn flush(&self, patience: Duration) {
        if !self.audit.flush(patience) {
            tracing::warn!("the last records may not be in the audit");
        }
    }

    fn tell(&self, record: &Record) {
        let deed = Deed {
            action: record.id,
            by: audit::by(&record.claimant),
            summary: audit::told(record),
            outcome: record.outcome.name().to_owned(),
            reason: record.outcome.reason().map(str::to_owned),
            condition: record.evidence.condition.clone(),
            observed: record.evidence.observed.clone(),
        };
        let kind = match record.outcome {
            Outcome::DryRun | Outcome::Refused(_) => EventKind::Decision { deed },
            Outcome::Done
            | Outcome::Failed(_)
            | Outcome::Deferred(_)
            | Outcome::Yielded(_)
            | Outcome::Restored => EventKind::Action { deed },
        };
        self.log.push(
            record.time,
            Some(Arc::clone(&record.workload)),
            Some(Arc::clone(&record.name)),
            kind,
        );
    }
}

/// As counted.
fn deed(step: &Step) -> &'static str {
    match step {
        Step::Hold(_) => "hold",
        Step::Release(_) => "release",
        Step::Once(Once::Notify { .. }) => "notify",
        Step::Once(Once::Reclaim { .. }) => "reclaim",
        Step::Once(Once::Kill { .. }) => "kill",
        Step::Once(Once::Restart) => "restart",
    }
}
