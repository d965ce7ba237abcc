//! What can be set on a cgroup: one [`Setting`] for each [`Knob`], in cgroup v2's words on every kind
//! of host.
//!
//! In: a placement and a setting. Out: files written and read back. [`Control`] knows which file of
//! which hierarchy means what; why something is set, and what it was before, is for others to know.

mod knob;
mod setting;

pub use knob::Knob;
pub use setting::{IoCaps, Quota, Setting};
