//! Tests that need root: each makes its own cgroups and processes, and asks an oracle that is not
//! our code. What a host cannot do is skipped, with the reason.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod audit;
mod burst;
mod cardinality;
mod churn;
mod control;
mod cpu;
mod daemon;
mod engine;
mod hold;
mod images;
mod io;
mod isolation;
mod launch;
mod losses;
mod memory;
mod namespaces;
mod network;
mod networks;
mod once;
mod oom;
mod process;
mod readings;
mod refusals;
mod retire;
mod rules;
mod state;
mod support;
