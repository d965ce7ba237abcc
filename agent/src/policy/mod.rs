//! Rules: what is to be done, with which workload, when.
//!
//! In: the policy file, snapshots, events, fast readings. Out: [`Order`]s, each with its evidence.
//! Evaluation is pure: it writes nothing and asks nobody; how an order is carried out, and whether
//! it may be, is for `enforce`.

mod amount;
mod annotations;
mod check;
mod condition;
mod describe;
mod device;
mod engine;
pub mod evaluate;
mod fate;
mod file;
mod history;
mod ladder;
mod load;
mod metric;
mod order;
mod pattern;
mod problem;
mod reference;
mod selector;
pub mod sense;
mod set;
mod settle;
mod shortfall;
mod traffic;
pub mod units;

/// What limits are made of.
pub use crate::kernel::{AddressRange, PortRange, TrafficRules};
pub use amount::{AmountError, can_change, knob_named, parse_amount, parse_change, parse_setting};
pub use annotations::limits_of_annotations;
pub use check::{Clash, clashes};
pub use condition::{
    Bound, Compare, Condition, EventCondition, MetricCondition, PsiCondition, RateCondition,
    Resource, Stall, Subject, Threshold, WatchedEvent,
};
pub use describe::{describe, describe_policy, setting_value, threshold_value};
pub use device::{DeviceRuleError, parse_device_rule, shown_device_rule};
pub use engine::{Handle, HandleError, OrderCount, Parts, Status, start};
pub use fate::Fate;
pub use file::parse;
pub use history::{Decision, HistoryTally, Recording};
pub use ladder::{Action, Freeze, Hold, LadderStep, Revert, Scale, Throttle, ThrottleTarget};
pub use load::load;
pub use metric::{Metric, Unit};
pub use order::{
    Amount, Change, Claim, Claimant, Evidence, Limit, Mode, OnConflict, Once, Order, Process,
    Restore, Scope, Step, Wanted,
};
pub use pattern::Pattern;
pub use problem::{PolicyErrors, Problem};
pub use reference::policy_reference_markdown;
pub use selector::{LabelTerm, Selector, Terms};
pub use set::{MOST_PRIORITY, Policy, PolicySet, Protect, ProtectPattern, Rule};
pub use shortfall::{NO_CGROUP2, shortfalls_of, shortfalls_on};
pub use traffic::{TrafficError, parse_addresses, parse_ports, shown_address, shown_ports};

#[cfg(test)]
mod tests;
