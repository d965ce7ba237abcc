//! All totals, alive and final.
//!
//! In: events of the kernel room, readings of the cgroup room, identities. Out: an immutable
//! [`Snapshot`] a tick, and [`Event`]s. Must not know Prometheus or the command line.

mod account;
mod apply;
mod event;
mod event_log;
mod host;
mod inner;
mod keeper;
mod kernel_maps;
mod namespaces;
mod network;
mod other;
mod publish;
mod reading_time;
mod rollup;
mod snapshot;
mod tick;
mod tree;

pub use event::{Deed, Event, EventKind, NamespaceChange};
pub use event_log::EventLog;
pub use keeper::{Keeper, Parts, Settings};
pub use snapshot::{
    AgentReading, EngineState, Histogram, HostReading, InterfaceTotals, Life, LossCounter, MapFill,
    NamespaceCount, NetdevTotals, Network, ProbeReading, ProbeState, Snapshot, TaskCounts,
    TaskStates, Unattributed, Workload,
};
