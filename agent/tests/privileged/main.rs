//! Tests that need root: each makes its own cgroups and processes, and asks an oracle that is not
//! our code. What a host cannot do is skipped, with the reason.

mod burst;
mod cardinality;
mod churn;
mod cpu;
mod daemon;
mod io;
mod losses;
mod memory;
mod namespaces;
mod network;
mod oom;
mod process;
mod readings;
mod refusals;
mod retire;
mod rules;
mod state;
mod support;
