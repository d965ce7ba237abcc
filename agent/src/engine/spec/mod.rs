//! From a container's configuration to the OCI runtime specification that `launch` carries out.
//!
//! In: what the Docker Engine API calls a container's configuration, its image's, and what the engine
//! made ready ([`Parts`]). Out: a specification with Docker's defaults, and warnings for the user. What
//! Docker refuses is refused in its words, what this host or `launch` cannot do by name. It starts
//! nothing and keeps nothing.

mod build;
mod capability;
mod command;
mod defaults;
mod devices;
mod environment;
mod error;
mod exec;
mod foresee;
mod init;
mod limits_check;
mod mode;
mod mounts;
mod mounts_check;
mod namespaces;
mod parts;
mod paths;
mod resources;
mod rlimits;
mod seccomp;
mod security;
mod sysctls;
mod tmpfs;
mod user;
mod validate;
mod working_directory;

pub use build::build;
pub use command::command;
pub use defaults::show_defaults;
pub use error::SpecError;
pub use exec::exec_process;
pub use foresee::foresee;
pub use mounts::shm_bytes;
pub use namespaces::user_range;
pub use parts::{Files, Joined, Parts, ResolvedMount};
pub use resources::{can_limit_swap, update};
pub use validate::{validate, validate_update};
