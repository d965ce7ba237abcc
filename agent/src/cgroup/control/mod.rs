//! What can be set on a cgroup: one [`Setting`] for each [`Knob`], in cgroup v2's words on every kind
//! of host.
//!
//! In: a placement and a setting. Out: files written and read back, processes listed and signalled.
//! [`Control`] knows which file of which hierarchy means what, and what the kernel would refuse or
//! do harm with; why something is set, and what it was before, is for others to know.

mod absent;
mod caveat;
mod cpu;
mod cpuset;
mod error;
mod freeze;
mod hazard;
mod io;
mod kill;
mod knob;
mod limits;
mod lowering;
mod memory;
mod own;
mod pids;
mod processes;
mod reclaim;
mod route;
mod setting;
mod site;
mod slow;
mod weight;

pub use caveat::caveat_on;
pub use error::{ControlError, NotEnforceable};
pub use hazard::memory_for_writes;
pub use kill::Killed;
pub use knob::Knob;
pub use lowering::{Lowering, Progress};
pub use own::Control;
pub use route::enforceable_on;
pub use setting::{IoCaps, Quota, Setting};

#[cfg(test)]
mod tests;
