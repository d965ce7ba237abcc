//! Debian's Prometheus with our rules, and every query of our dashboard, against a live agent that
//! watches workloads under load and holds one of them.
//!
//! Nothing of the host is used but its kernel: cgroups, network namespaces, ports and files are the
//! test's own and go with it. The oracle for CPU time is the kernel's own counter file.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agent;
mod cgroup;
mod cpu_oracle;
mod dashboard;
mod disk;
mod files;
mod held;
mod launched;
mod live;
mod load;
mod peer;
mod poll;
mod process;
mod promtool;
mod server;
mod skip;
