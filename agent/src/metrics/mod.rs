//! What Prometheus scrapes: the catalogue of metrics, its exposition, the agent's own counters,
//! and the HTTP endpoint.
//!
//! In: a [`crate::ledger::Snapshot`], how policy, enforcement and launched containers do, and the metrics and containers sections of the configuration.
//! Out: `GET /metrics`, `/healthz`, `/readyz`; the tick that the last finished scrape served; and
//! `docs/metrics.md`. Must not know how a value was read, nor change anything it exports.

mod accept;
mod body;
mod catalogue;
mod devices;
mod exposition;
mod family;
mod hold;
mod identities;
mod launching;
mod machine;
mod own;
mod process;
mod reference;
mod samples;
mod scrape;
mod server;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use hold::HoldSources;
pub use launching::{LaunchingReading, LaunchingSource};
pub use reference::reference_markdown;
pub use server::{Options, ServeError, serve};
