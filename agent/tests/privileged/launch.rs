//! Workloads that Plimsoll launches itself. The oracles are the kernel's files, busybox's own words in
//! the workload, and what is left on the host when it is gone.

mod backpressure;
mod birth;
pub(crate) mod bundle;
mod cgroups;
mod confinement;
mod descriptors;
mod kernel;
mod kills;
mod many;
mod memory;
mod streams;
mod terminal;
