//! How enforcement does, for metrics and the API.

use std::collections::BTreeMap;
use std::time::Duration;

use super::journal::JournalStatus;
use crate::ledger::Histogram;

/// Upper bounds in seconds of the time from a reading to the effect.
const REACTION: [f64; 10] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0,
];

/// Counts since the agent started, and what is so now.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Records by deed (`hold`, `release`, `notify`, `reclaim`, `kill`, `restart`) and outcome
    /// ([`Outcome::NAMES`](super::Outcome::NAMES)).
    pub actions: BTreeMap<(&'static str, &'static str), u64>,
    /// Things held now, by the kernel's name of them (`memory.max`, `net`, `devices`).
    pub held: BTreeMap<&'static str, u64>,
    /// Foreign writes, by answer: `yielded`, `reasserted`, `alerted`.
    pub drifts: BTreeMap<&'static str, u64>,
    /// Refusals by class: one of [`Status::REFUSALS`].
    pub refusals: BTreeMap<&'static str, u64>,
    /// Things that could not be given back yet, and are tried again.
    pub owed: u64,
    pub guardian: GuardianStatus,
    pub journal: JournalReading,
    /// From the reading that a decision rests on to the effect, read back.
    pub reaction: Histogram,
    /// Why nothing is enforced at all, if so.
    pub disabled: Option<String>,
}

/// The guardian.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardianStatus {
    /// `None`: nothing was ever held, so there is none.
    pub pid: Option<u32>,
    /// Times that it had to be started again.
    pub restarts: u64,
    /// Why there is none, if there should be.
    pub failure: Option<String>,
}

/// The journal.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JournalReading {
    pub bytes: u64,
    pub syncs: u64,
    pub sync_time: Duration,
    /// Writes that failed.
    pub failures: u64,
}

impl Status {
    /// Classes of refusals.
    pub const REFUSALS: [&str; 8] = [
        "protected",
        "budget",
        "no_gain",
        "not_enforceable",
        "harmful",
        "journal",
        "guardian",
        "invalid",
    ];

    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            actions: BTreeMap::new(),
            held: BTreeMap::new(),
            drifts: BTreeMap::new(),
            refusals: BTreeMap::new(),
            owed: 0,
            guardian: GuardianStatus::default(),
            journal: JournalReading::default(),
            reaction: Histogram {
                bounds_seconds: REACTION.into(),
                counts: vec![0; REACTION.len() + 1],
                sum_seconds: 0.0,
            },
            disabled: None,
        }
    }
}

impl Default for Status {
    fn default() -> Self {
        Self::new()
    }
}

impl From<JournalStatus> for JournalReading {
    fn from(status: JournalStatus) -> Self {
        let JournalStatus {
            bytes,
            syncs,
            sync_time,
            failures,
        } = status;
        Self {
            bytes,
            syncs,
            sync_time,
            failures,
        }
    }
}
