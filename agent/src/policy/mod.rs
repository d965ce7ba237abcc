//! Rules: what is to be done, with which workload, when.
//!
//! In: the policy file, snapshots, events, fast readings. Out: [`Order`]s, each with its evidence.
//! Evaluation is pure: it writes nothing and asks nobody; how an order is carried out, and whether
//! it may be, is for `enforce`.

mod condition;
mod engine;
pub mod evaluate;
mod history;
mod ladder;
mod metric;
mod order;
mod pattern;
mod selector;
pub mod sense;
mod set;
pub mod units;

pub use condition::{
    Bound, Compare, Condition, EventCondition, MetricCondition, PsiCondition, RateCondition,
    Resource, Stall, Subject, Threshold, WatchedEvent,
};
pub use engine::{Handle, HandleError, OrderCount, Parts, Status, start};
pub use history::{Decision, HistoryTally, Recording};
pub use ladder::{Action, Freeze, Hold, LadderStep, Revert, Scale, Throttle, ThrottleTarget};
pub use metric::{Metric, Unit};
pub use order::{
    Amount, Change, Claim, Claimant, Evidence, Limit, Mode, OnConflict, Once, Order, Process,
    Restore, Scope, Step, Wanted,
};
pub use pattern::Pattern;
pub use selector::{LabelTerm, Selector, Terms};
pub use set::{MOST_PRIORITY, Policy, PolicySet, Protect, ProtectPattern, Rule};
