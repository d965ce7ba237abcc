//! The process that holds one workload, or one process that joined it.
//!
//! It is cloned from a [`zygote`](Zygote), which is this same binary, executed anew (`plimsoll shim`) so that it
//! has one thread and a small memory. A shim waits for its request on a socket, its link with the agent. From then
//! on the agent is dispensable: the shim owns terminal or pipes, log and exit status, and listens at `shim.sock` in
//! the state directory for whoever comes next.
//!
//! Agent's side: [`Zygote`], [`Spare`], [`Held`], [`Line`]. The shim's: [`main`].

mod client;
mod farewell;
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
mod zygote;

pub use frame::{Frame, FrameError, Frames, Kind};
pub use held::{Held, ShimError, Spare};
pub use line::{Call, Hello, Line, LogEnd, Welcome};
pub use main::{meant, run};
pub use request::{CreateRequest, JoinRequest, LogFile, Made, Patience, PrepareRequest, Stdio};
pub use zygote::{Asked, Zygote};

/// Name of the socket in a state directory.
const SOCKET: &str = "shim.sock";
