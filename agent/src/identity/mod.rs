//! cgroup → workload: which engine, which container, which name, image, labels, pod.
//!
//! In: cgroup paths and, later, what engines say. Out: [`Identity`]. Knows nothing of readings.

mod workload;

pub use workload::{Identity, Kind, Runtime};
