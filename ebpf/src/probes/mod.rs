//! One file per kernel subsystem.

mod block;
mod cgroup;
mod memory;
mod namespace;
mod network;
mod process;
mod sched;
mod tasks;
