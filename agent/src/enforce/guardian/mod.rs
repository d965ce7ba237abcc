//! A process that outlives the agent by a moment, to give back what it held.
//!
//! The agent starts it before it changes anything, from its own binary. It waits for the agent's end,
//! however that comes; unless the agent said goodbye before, it takes up the journal and gives
//! everything back that does not stay. It holds no lock while the agent lives.

mod post;
mod watch;

pub(crate) use post::{Guardian, Program};
pub use watch::run;

/// From the guardian: it watches.
const READY: u8 = b'r';
/// From the agent: all is given back.
const GOODBYE: u8 = b'g';
