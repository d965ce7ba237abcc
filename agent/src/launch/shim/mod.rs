//! The process that holds one workload, or one process that joined it.
//!
//! It is this same binary, executed anew (`plimsoll shim`) so that it has one thread and a small memory.
//! It may be started ahead of need: it does what needs no workload, then waits for its request on the
//! socket that is its standard input. From then on the agent is dispensable: the shim owns terminal or
//! pipes, log and exit status, and listens at `shim.sock` in the state directory for whoever comes next.
//!
//! Agent's side: [`Spare`], [`Held`], [`Line`]. The shim's: [`main`].

mod client;
mod frame;
mod held;
mod holder;
mod input;
mod line;
mod link;
mod log;
mod log_queue;
mod log_writer;
mod main;
mod memory;
mod output;
mod request;
mod wiring;

pub use frame::{Frame, FrameError, Frames, Kind};
pub use held::{Held, ShimError, Spare};
pub use line::{Hello, Line, Welcome};
pub use main::{meant, run};
pub use request::{CreateRequest, JoinRequest, LogFile, Made, Patience, Stdio};

/// Name of the socket in a state directory.
const SOCKET: &str = "shim.sock";
