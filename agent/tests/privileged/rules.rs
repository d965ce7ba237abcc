//! Rules on single cgroups, measured by the workload's own tools: iperf3's receiver, system calls.
#![allow(clippy::unwrap_used)]

mod addresses;
mod afterlife;
mod change;
mod devices;
mod ingress;
mod ports;
mod rate;
pub(crate) mod wire;
