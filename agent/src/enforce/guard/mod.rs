//! What is never to be touched, and how often anything may be.
//!
//! In: the cgroups that an action would touch, the part of the host around them, the operator's
//! protect list, budgets. Out: a refusal with its reason, or none. Knows nothing of how an action is
//! done; nobody does one without asking here.

mod budget;
mod floor;
mod gain;
mod look;
mod protect;
mod tree;

#[cfg(test)]
mod tests;

pub use budget::{Budgets, Spent};
pub use floor::{Protected, floor};
pub use gain::{NoGain, plausible_gain};
pub use look::Lookout;
pub use protect::{PatternError, Protect};
pub use tree::{Anchor, Cgroup, Resident, Site, Tree};
