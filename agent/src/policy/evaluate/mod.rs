//! What is to be done, by what is known: readings and events in, orders out.
//!
//! Pure: it reads nothing, writes nothing and asks no clock; times are passed in, and the same input
//! gives the same orders, which is what a replay is. One thing comes back: that an order was put off, in
//! its [`Fate`](crate::policy::Fate), and in a replay nobody puts off. For each workload, policy and rule there is a
//! state: *idle* until the condition is met, *pending* for as long as the rule says, then *firing*,
//! step by step, for as long as the condition goes on; after it has not held for a while, *settling*
//! until what was scaled is back, then *cooling down*.
//!
//! A condition has two edges. A step is taken only while values are past their thresholds; but what
//! was past them is over only when it is back where it counts as clear. What cannot be read is neither
//! above nor below anything: it starts nothing, keeps nothing going, and clears nothing.

mod context;
mod evaluator;
mod explain;
mod figures;
mod governed;
mod held;
mod judge;
mod miss;
mod needs;
mod roster;
mod rule;
mod scaler;
mod series;
mod sources;
mod subject;
mod tally;
mod thing;
mod throttler;
mod track;
mod words;

pub use evaluator::Evaluator;
pub use explain::{Explanation, LeafExplanation, PolicyExplanation, RuleExplanation, State};
pub(super) use needs::series_of_leaf;
pub use needs::{LATEST, Needs, SOONEST, StallWant, Want};
pub use roster::NoSuchPolicy;
pub use series::{Moment, Observation, Series};
pub use tally::{PolicyTally, RuleTally, Tally};

#[cfg(test)]
pub(super) mod tests;
