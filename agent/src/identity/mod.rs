//! cgroup → workload: which engine, which container, which name, image, labels, pod.
//!
//! In: cgroup paths and, later, what engines say. Out: [`Identity`] at once from [`classify`], and
//! [`Update`]s from [`Attribution`] when an engine has answered. Knows nothing of readings.

mod attribution;
mod book;
mod classify;
mod details;
mod engine;
mod workload;

pub use attribution::{Attribution, Update};
pub use classify::classify;
pub use details::Details;
pub use engine::{Engine, Presence};
pub use workload::{Identity, Kind, Runtime};
