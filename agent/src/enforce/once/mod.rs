//! What is done once and cannot be undone: telling, reclaiming, killing, restarting.
//!
//! In: [`Errand`]s that were decided and are allowed. Out: for each of them one [`Finished`]. All of
//! it runs on a thread of its own with a runtime of its own, so that a receiver that hangs, a command
//! that does not end or a long grace delays nobody. It asks no guard, keeps no budget and writes no
//! record: that is done by whoever sends the errand.

mod errand;
mod errands;
mod kill;
mod lane;
mod notify;
mod process;
mod reclaim;
mod restart;

pub use errand::{Errand, Finished};
pub use errands::{Errands, Settings, Status};
