//! The command line and the API over a real unix socket, against a made-up snapshot.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod api;
mod documents;
mod events;
mod failures;
mod probes;
mod ps;
mod snapshot;
mod stats;
mod workloads;
mod world;
