//! What travels.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The query of `GET /v1/actions`, and its answer.
pub use crate::enforce::audit::{Answer as ActionList, Query as ActionQuery};
pub use crate::enforce::audit::{Explanation, Held, summary};
pub use crate::enforce::{Outcome, Record};
pub use crate::policy::Decision;
use crate::policy::evaluate::Tally;
pub use crate::policy::evaluate::{
    Explanation as Explained, PolicyExplanation, RuleExplanation, State,
};
use crate::policy::sense::Degradation;
use crate::policy::{Limit, Mode, Process};

/// `POST /v1/workloads/{name}/limits`: hold these until they are cleared. Replaces what was asked
/// before of the same things, and leaves the others.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitRequest {
    pub limits: Vec<Limit>,
}

/// `POST /v1/workloads/{name}/freeze`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreezeRequest {
    /// Thawed after this; `None`: only when asked.
    #[serde(default, with = "humantime_serde")]
    pub at_most: Option<Duration>,
}

/// `POST /v1/workloads/{name}/kill`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KillRequest {
    pub scope: Process,
    /// Signal number.
    pub signal: i32,
    /// How long what was told to end may take; then comes `escalate`.
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
    /// Signal number; `None`: nothing more is sent.
    pub escalate: Option<i32>,
}

/// What was done, one record each.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordList {
    pub records: Vec<Arc<Record>>,
}

/// `GET /v1/policy`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PolicyView {
    pub file: PathBuf,
    /// What the policies mean, in words.
    pub text: String,
    pub tally: Tally,
    /// What this host cannot see of what they ask for.
    pub degradations: Vec<Degradation>,
}

/// `POST /v1/policy/mode`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModeRequest {
    /// `None`: of all.
    pub policy: Option<String>,
    pub mode: Mode,
}

/// `POST /v1/policy/replay`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// How far back.
    #[serde(with = "humantime_serde")]
    pub since: Duration,
    /// Text of a policy file; `None`: that in force.
    pub policy: Option<String>,
}

/// What would have been decided, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DecisionList {
    pub decisions: Vec<Decision>,
}
