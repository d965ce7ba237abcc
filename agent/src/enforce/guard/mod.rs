//! What is never to be touched, and how often anything may be.
//!
//! In: the cgroups that an action would touch, the part of the host around them, the operator's
//! protect list, budgets. Out: a refusal with its reason, or none. Knows nothing of how an action is
//! done; nobody does one without asking here.

mod budget;
mod floor;
mod gain;
mod look;
mod tree;

#[cfg(test)]
mod tests;

pub(crate) use budget::{Budgets, Spent};
pub(crate) use floor::{Protected, floor};
pub(crate) use gain::{NoGain, plausible_gain};
pub(crate) use look::Lookout;
#[cfg(test)]
pub(crate) use tree::{Anchor, Cgroup, Resident};
pub(crate) use tree::{Site, Tree};
