//! The whole agent on a kernel of its own: `cargo xtask vm-test` runs these in guests.
//!
//! Each test is one feature, and one line of `docs/kernel-support.md`. It starts the agent's
//! binary, makes what the agent is to see, and asks the kernel for the same number. The guest is
//! the tests' alone, so they change it as they like; outside of one they skip themselves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agent;
mod api;
mod cgroups;
mod guest;

mod attribution;
mod life;
mod namespaces;
mod network;
mod oom;
mod probes;
mod systemd;
mod usage;
