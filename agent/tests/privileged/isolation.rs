//! Containers as their configuration asks for them, from inside. The oracles are the kernel's files as
//! busybox reads them in the container, and the cgroup files of the host.

mod confinement;
mod namespaces;
mod resources;
mod workload;
