//! What operators ask to be held, done and undone; and what policy does and why.
//!
//! In: requests with a workload's name in the path. Out: [`Record`](crate::enforce::Record)s, claims,
//! the state of the policy. What may be done is for `enforce` to say, here names are resolved only.

mod ask;
mod routes;
mod state;
mod types;

pub(super) use routes::routes;
pub use state::{Hold, ReloadError, policies_of};
pub use types::{
    ActionList, ActionQuery, Decision, DecisionList, Explained, Explanation, FreezeRequest, Held,
    KillRequest, LimitRequest, ModeRequest, Outcome, PolicyExplanation, PolicyView, Record,
    RecordList, ReplayRequest, RuleExplanation, State, summary,
};
