//! The unix socket: what the running agent answers, and the client that asks.
//!
//! In: the latest [`Snapshot`] and the [`EventLog`](crate::ledger::EventLog). Out: HTTP with JSON
//! (`/v1/workloads`, `/v1/events`, `/v1/probes`, `/v1/version`; to hold: `/v1/actions`, `/v1/policy`; to
//! launch: the Docker Engine API).
//! Changes nothing itself: what is to be done is handed on. Who may ask is decided by the socket's mode. The command line uses the types and the client of this room only.

mod client;
mod engine;
mod event_stream;
mod filter;
mod hold;
mod moment;
mod name;
mod query;
mod server;
mod socket;
mod types;

pub use client::{Client, ClientError, EventReader};
pub use engine::fill_unset;
pub use filter::{Filter, Filterable, Term};
pub use hold::{
    ActionList, ActionQuery, Decision, DecisionList, Explained, Explanation, FreezeRequest, Held,
    Hold, KillRequest, LimitRequest, ModeRequest, Outcome, PolicyExplanation, PolicyView, Record,
    RecordList, ReloadError, ReplayRequest, RuleExplanation, State, policies_of, summary,
};
pub use moment::{nanoseconds, seconds_of_moment};
pub use name::{SelectorError, display_name, select, short_id};
pub use query::{EventQuery, Since, WorkloadQuery};
pub use server::{ApiState, serve};
pub use socket::{BindError, SocketGuard, bind};
pub use types::{
    EngineState, ErrorBody, Event, EventKind, HostReading, Identity, Kind, Life, LossCounter,
    NamespaceChange, Network, ProbeList, ProbeReading, ProbeState, Runtime, Snapshot, TaskStates,
    Version, Workload, WorkloadDetail, WorkloadList,
};
