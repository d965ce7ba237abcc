//! The containers that Plimsoll runs itself: images, root filesystems, networks, volumes, and who is alive.
//!
//! In: what the Docker Engine API calls a container's configuration. Out: workloads that `launch` makes, kept
//! as their restart policies say; what is on disk is the truth that the next agent starts from.

pub mod container;
pub mod image;
pub mod network;
pub mod rootfs;
pub mod spec;
pub mod volume;

pub use container::{
    AttachQuery, Attachment, Engine, EngineError, EngineParts, ErrorKind, Events, Filters, Input,
    ListQuery, LogChunk, LogsQuery, OnMade, RemoveOptions, Stream, Tally, Timings, WaitCondition,
    Workload,
};
