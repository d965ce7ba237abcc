//! Who wants what of which cgroup, and what is in force.
//!
//! In: claims, and what the kernel says is set. Out: the value to be set next. Pure: it reads and
//! writes no file; `hold` does.

mod held;
mod range;
mod resolve;
mod sequence;
mod value;

pub use held::{Claimed, Held, Owner};
pub use range::Machine;
pub use resolve::{Ground, ResolveError, resolve};
pub use sequence::{Change, sequence};
pub use value::{Slot, Thing, Value};
