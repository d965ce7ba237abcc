//! The cgroup file systems: where each controller lives, what its files say.
//!
//! In: mount table, cgroup paths. Out: [`Layout`], [`CgroupKey`], [`Reading`].
//! A leaf room: it knows nothing of BPF, engines or metrics.

mod key;
mod reading;

pub use key::{CgroupKey, HierarchyId, Placement};
pub use reading::{
    CpuReading, DeviceIo, DeviceNumber, Limits, MemoryReading, PidsReading, Pressure,
    PressureReading, Reading, Throttling,
};
