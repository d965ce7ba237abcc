//! One workload: from an OCI bundle to a running, isolated process, and back to nothing.
//!
//! In: a bundle, and what is to be done. Out: a process that is confined before it runs, in its own
//! cgroup in every hierarchy; its state on disk; its exit. It knows nothing of images, networks or
//! restart policies: `engine` does.
//!
//! `libcontainer` clones without executing, which hangs where other threads hold locks. So nothing here
//! that makes a process may be called from the agent itself: it runs in processes of their own, the
//! [`shim`] of a workload or `plimsoll oci`.

mod apart;
mod builder;
mod cgroups;
mod clone;
mod confinement;
mod console;
mod container;
mod create;
mod device_program;
mod error;
mod executor;
mod filter;
mod foreground;
mod id;
mod join;
mod limits;
mod loopback;
mod maker;
pub(crate) mod mount;
mod neighbours;
mod owner;
mod process;
mod seal;
mod settle;
pub mod shim;
mod signal;
mod site;
mod spec;
mod state;
mod state_dir;
mod trace;
mod users;
mod view;

pub use cgroups::{CgroupError, Cgroups};
pub use container::Container;
pub use create::{Created, Order, Terminal, create, create_at};
pub use error::LaunchError;
#[cfg(test)]
pub(crate) use filter::Filter;
pub use filter::FilterError;
pub use foreground::Foreground;
pub use id::{Id, InvalidId};
pub use join::{JoinOrder, Joined, join};
pub use maker::Maker;
pub use process::Process;
pub use seal::{SealError, Sealed, ensure_sealed};
pub use settle::{Fate, settle, settle_one};
pub use signal::{Signal, signal_of_name, signal_of_number};
pub use site::Site;
pub use spec::{LimitError, SpecError, Warning, foresee};
pub use state::{Exit, Joiner, Phase, State, Status};
pub use state_dir::StateDir;
pub use trace::Trace;
