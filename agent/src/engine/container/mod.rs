//! A container's record, and its life from create to remove.
//!
//! In: verbs, as the Docker Engine API has them; shims' reports. Out: workloads that run, records on disk,
//! events. Each container has one lock, held by whoever starts, ends or removes it; no lock is held across
//! containers. What is on disk is written before it is told, and what `launch` has on disk is newer.
//!
//! It calls images, root filesystems, networks and volumes through [`parts`] alone.

mod adopt;
mod attach;
mod cell;
mod change;
mod claims;
mod create;
mod damaged;
mod error;
mod events;
mod exec;
mod files;
mod filter;
mod handle;
mod health;
mod image_verbs;
mod inspect;
mod list;
mod logs;
mod model;
mod name;
mod network_verbs;
mod parent;
mod part_filter;
mod parts;
mod pause;
mod readiness;
mod registry;
mod remove;
mod restart;
mod spares;
mod start;
mod status;
mod stop;
mod supervise;
mod tally;
mod top;
mod volume_verbs;
mod wait;

pub use attach::{AttachQuery, Attachment, Input};
pub use error::{EngineError, ErrorKind};
pub use events::Events;
pub use exec::AdmittedExec;
pub use filter::Filters;
pub use handle::{Engine, EngineParts, OnMade, Workload};
pub use list::ListQuery;
pub use logs::{LogChunk, LogsQuery, Stream};
pub use remove::RemoveOptions;
pub use tally::{Tally, Timings};
pub use wait::WaitCondition;
