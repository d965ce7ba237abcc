//! Plimsoll, the node agent, as a library: what `main` and the tests use.
//!
//! The rooms and the arrows between them are drawn in `docs/architecture.md`; `cargo xtask check`
//! tests the arrows.

pub mod api;
pub mod app;
pub mod cgroup;
pub mod cli;
pub mod config;
pub mod enforce;
pub mod engine;
pub mod identity;
pub mod kernel;
pub mod launch;
pub mod ledger;
pub mod metrics;
mod netlink;
pub mod policy;
