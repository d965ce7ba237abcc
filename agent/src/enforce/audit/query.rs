//! Finding records again.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::line::Line;
use super::read::{Files, Seen};
use super::recent::Recent;
use crate::enforce::Record;
use crate::policy::Claimant;

/// Which records; what is `None` does not restrict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Id (cgroup path) or name of the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// A policy (`batch-pressure`), one of its rules (`batch-pressure/thrash`), or `operator`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// One of [`Outcome::NAMES`](crate::enforce::Outcome::NAMES).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Not before then.
    #[serde(
        default,
        with = "humantime_serde",
        skip_serializing_if = "Option::is_none"
    )]
    pub since: Option<SystemTime>,
    /// The last so many.
    pub limit: usize,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Answer {
    /// The oldest first.
    pub records: Vec<Arc<Record>>,
    /// Records that the files say are missing, in the part that was read.
    pub lost: u64,
    /// Lines that could not be read, in that part.
    pub damaged: u64,
}

impl Query {
    /// The last `limit` records of any kind.
    #[must_use]
    pub fn last(limit: usize) -> Self {
        Self {
            workload: None,
            policy: None,
            outcome: None,
            since: None,
            limit,
        }
    }

    /// Whether a record is wanted.
    #[must_use]
    pub fn matches(&self, record: &Record) -> bool {
        let is =
            |wanted: &Option<String>, is: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(is);
        is(&self.workload, &|wanted| {
            *record.workload == *wanted || *record.name == *wanted
        }) && is(&self.policy, &|wanted| is_by(&record.claimant, wanted))
            && is(&self.outcome, &|wanted| record.outcome.name() == wanted)
            && self.since.is_none_or(|since| record.time >= since)
    }

    pub(super) fn run(&self, recent: &Recent, files: Option<&Files>) -> Answer {
        let mut answer = Answer::default();
        let remembered = recent.newest_first();
        let wanted = remembered.iter().filter(|record| self.matches(record));
        answer.records.extend(wanted.take(self.limit).cloned());
        if answer.records.len() < self.limit
            && let Some(files) = files
        {
            // A long action has two records of one number.
            let known: HashSet<_> = remembered.iter().map(|r| (r.id, r.time)).collect();
            files.newest_first(self.since, |seen| {
                match seen {
                    Seen::Line(Line::Record(record)) => {
                        if self.matches(&record) && !known.contains(&(record.id, record.time)) {
                            answer.records.push(Arc::from(record));
                        }
                    }
                    Seen::Line(Line::Lost(lost)) => {
                        if self.since.is_none_or(|since| lost.time >= since) {
                            answer.lost += lost.lost;
                        }
                    }
                    Seen::Damaged => answer.damaged += 1,
                }
                if answer.records.len() < self.limit {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
        }
        answer.records.reverse();
        answer
    }
}

fn is_by(claimant: &Claimant, wanted: &str) -> bool {
    match claimant {
        Claimant::Operator => wanted == "operator",
        Claimant::Policy { policy, rule, .. } => {
            let of_rule = || {
                let (of, name) = wanted.rsplit_once('/')?;
                Some(of == &**policy && Some(name) == rule.as_deref())
            };
            wanted == &**policy || of_rule().unwrap_or(false)
        }
    }
}
