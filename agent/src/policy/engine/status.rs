//! How the engine is doing.

use serde::{Deserialize, Serialize};

use crate::ledger::Histogram;
use crate::policy::evaluate::Tally;
use crate::policy::history::HistoryTally;
use crate::policy::sense::{Degradation, SenseTally};

/// Published after every snapshot and command, and some times a second while something happens.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Status {
    /// Policies, rules by state, evaluations.
    pub tally: Tally,
    /// Orders since the start, those of monitor mode too.
    pub orders: Vec<OrderCount>,
    /// Orders that wait for room in the channel now.
    pub waiting: u64,
    /// Times an order found no room at once.
    pub delayed: u64,
    /// Orders that were given up because too many waited.
    pub dropped: u64,
    /// Events that were lost before they could be counted.
    pub lost_events: u64,
    /// From the reading that decided to the order sent.
    pub reaction: Histogram,
    pub sense: SenseTally,
    /// What this host lacks for the policies in force.
    pub degradations: Vec<Degradation>,
    /// `None` before the first snapshot.
    pub history: Option<HistoryTally>,
    /// CPU time of the engine's thread.
    pub cpu_seconds: f64,
}

/// Orders of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCount {
    pub policy: String,
    /// `None`: of the policy's limits.
    pub rule: Option<String>,
    /// `hold`, `release`, `notify`, `reclaim`, `kill`, `restart`.
    pub step: String,
    /// `monitor` or `enforce`.
    pub mode: String,
    pub count: u64,
}
