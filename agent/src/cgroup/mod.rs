//! The cgroup file systems: where each controller lives, what its files say, what can be set.
//!
//! In: mount table, cgroup paths, settings. Out: [`Layout`], [`CgroupKey`], [`Reading`], files written.
//! A leaf room: it knows nothing of BPF, engines or metrics.
//!
//! [`Layout`] finds the hierarchies, controller by controller; [`scan`] lists the cgroups of one;
//! [`placement_of`] says where a process is; a [`Reader`] keeps the descriptors of one workload's
//! files and turns them into a [`Reading`]; [`Gauges`] reads single values of it often, and an
//! [`Alarm`] tells when one crosses a line. A [`Control`] sets what can be set on a workload, and
//! [`disk_of`] finds the disk that `io.max` wants named. `parse` knows text, `v1` and `v2` know which file
//! means what, `file` knows descriptors: a reader that takes its numbers from elsewhere replaces
//! `file`, `v1` and `v2` behind [`Reader`] and keeps the rest.

mod alarm;
mod control;
mod controller;
mod device;
mod disk;
mod file;
mod gauge;
mod key;
mod layout;
mod mount;
mod parse;
mod place;
mod placement;
mod reader;
mod reading;
mod scan;
mod v1;
mod v2;

pub use alarm::{Alarm, AlarmError, Stall, may_watch_pressure};
pub use control::memory_for_writes;
pub use control::{
    Control, ControlError, IoCaps, Killed, Knob, Lowering, NotEnforceable, Progress, Quota,
    Setting, caveat_on, enforceable_on,
};
pub use controller::Controller;
pub use device::device_name;
pub use disk::{DiskError, disk_of};
pub use file::{Scratch, kept_files};
pub use gauge::{Gauges, MemoryEvents, Periods, Resource};
pub use key::{CgroupKey, HierarchyId, Placement};
pub use layout::{Degradation, Hierarchy, Layout, LayoutError, Mode};
pub use place::Vanished;
pub use placement::placement_of;
pub use reader::{CgroupState, Reader};
pub use reading::{
    CpuReading, DeviceIo, DeviceNumber, Limits, MemoryReading, PidsReading, Pressure,
    PressureReading, Reading, Throttling,
};
pub use scan::{Found, scan};
