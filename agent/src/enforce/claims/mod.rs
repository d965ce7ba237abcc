//! Who wants what of which cgroup, and what is in force.
//!
//! In: claims, and what the kernel says is set. Out: the value to be set next. Pure: it reads and
//! writes no file; `hold` does.

mod held;
mod range;
mod resolve;
mod sequence;
mod value;

pub(crate) use held::{Aside, Claimed, Held, Owner};
pub(crate) use range::Machine;
pub(crate) use resolve::{Ground, resolve};
pub(crate) use sequence::{Change, sequence};
pub(crate) use value::{Slot, Thing, Value};
