//! One line of the audit: what was decided, what became of it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::policy::{Claimant, Evidence, Mode, Step};

/// What became of one order, or of what somebody else did to a claim.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Number of the action, from 1 up for as long as the journal lives; what `plimsoll undo` takes.
    pub id: u64,
    #[serde(with = "humantime_serde")]
    pub time: SystemTime,
    pub claimant: Claimant,
    /// The workload's id: its cgroup path.
    pub workload: Arc<str>,
    /// What people call it.
    pub name: Arc<str>,
    pub mode: Mode,
    pub step: Step,
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What was in force before and after, in the kernel's words: `memory.max 512MiB`.
    pub before: Option<String>,
    pub after: Option<String>,
    /// What of it this host does less well than its name promises.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caveats: Vec<String>,
    pub evidence: Evidence,
    /// From the reading to the effect, read back.
    #[serde(with = "humantime_serde")]
    pub took: Duration,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "reason")]
pub enum Outcome {
    /// Written and read back.
    Done,
    /// Monitor mode: nothing was written.
    DryRun,
    /// The guard, a budget or the kernel's rules forbid it.
    Refused(String),
    /// Tried, and it did not work.
    Failed(String),
    /// Begun; the kernel needs time, and it is tried again.
    Deferred(String),
    /// Given up for somebody else's write.
    Yielded(String),
    /// Let go; the original, or the next claim, is in force.
    Restored,
}
