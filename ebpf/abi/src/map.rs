//! Keys, values and sizes of the maps.

use core::mem::size_of;

use crate::namespace::KINDS;

/// Bytes of the `LIFECYCLE` ring buffer: 1,000 cgroups made and removed at once in ten
/// hierarchies are 50,000 records of about 100 bytes.
pub const LIFECYCLE_BYTES: u32 = 4 << 20;
/// Bytes of the `PROCESS` ring buffer: about 14,000 records.
pub const PROCESS_BYTES: u32 = 1 << 20;
/// Entries of `CGROUP_NETWORK`: cgroups times interfaces they use.
pub const NETWORK_ENTRIES: u32 = 16_384;
/// Entries of `CGROUP_TASKS`: cgroups that had a task run.
pub const ACTIVITY_ENTRIES: u32 = 16_384;
/// Entries of `CGROUP_IO`: cgroups times devices they use.
pub const IO_ENTRIES: u32 = 16_384;
/// Namespace calls under way at once: one per task.
pub const NAMESPACE_CALLS: u32 = 1_024;
/// OOM victims that have not exited yet, where the hook names only the pid.
pub const OOM_VICTIMS: u32 = 256;
/// Processes that ended lately: more than can end between two tasks of one process.
pub const ENDED: u32 = 4_096;

/// Key of `ENDED_LATELY`: one process.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EndedKey {
    /// `CLOCK_BOOTTIME` at which its first task started, nanoseconds: ids are used again.
    pub start_ns: u64,
    pub tgid: u32,
    /// Always 0.
    pub reserved: u32,
}
const _: () = assert!(size_of::<EndedKey>() == 16);

/// Key of `CGROUP_NETWORK`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NetworkKey {
    /// cgroup v2 id of the socket's owner.
    pub cgroup_id: u64,
    /// Interface index in the socket's network namespace; 1 is always `lo` (`LOOPBACK_IFINDEX`).
    pub ifindex: u32,
    /// Always 0.
    pub reserved: u32,
}
const _: () = assert!(size_of::<NetworkKey>() == 16);

/// Value of `CGROUP_NETWORK`, one per CPU; written by the two `cgroup_skb` programs, wraps at 2^64.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkTotals {
    /// Bytes from the IP header on, link-layer header not included.
    pub receive_bytes: u64,
    /// Packets as on the wire: a merged (GRO) buffer counts as its segments.
    pub receive_packets: u64,
    pub transmit_bytes: u64,
    pub transmit_packets: u64,
}
const _: () = assert!(size_of::<NetworkTotals>() == 32);

/// Key of `CGROUP_IO`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IoKey {
    /// Id, in the io (v1: blkio) controller's hierarchy, of the cgroup the I/O is charged to.
    pub cgroup_id: u64,
    /// Whole disk: major and first minor number.
    pub major: u32,
    pub minor: u32,
}
const _: () = assert!(size_of::<IoKey>() == 16);

/// Value of `CGROUP_IO`, one per CPU; written by `block_bio_queue`, wraps at 2^64.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoTotals {
    pub read_bytes: u64,
    pub reads: u64,
    pub write_bytes: u64,
    pub writes: u64,
    pub discard_bytes: u64,
    pub discards: u64,
}
const _: () = assert!(size_of::<IoTotals>() == 48);

/// Value of `CGROUP_ACTIVITY` (key: cgroup v2 id), one per CPU; wraps at 2^64.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Times a task of the cgroup was switched in.
    pub switches: u64,
}
const _: () = assert!(size_of::<Activity>() == 8);

/// Slots of the per-CPU array `LOSSES`: what the programs could not record.
pub mod loss {
    /// Ring buffer `LIFECYCLE` had no room.
    pub const LIFECYCLE: u32 = 0;
    /// Ring buffer `PROCESS` had no room.
    pub const PROCESS: u32 = 1;
    /// Map `CGROUP_NETWORK` had no room; the packet is in nobody's total.
    pub const NETWORK: u32 = 2;
    /// Map `CGROUP_ACTIVITY` had no room.
    pub const ACTIVITY: u32 = 3;
    /// Map `NAMESPACE_CALLS` had no room; one unshare or setns went unseen.
    pub const NAMESPACE: u32 = 4;
    /// Map `OOM_VICTIMS` had no room.
    pub const OOM: u32 = 5;
    /// Map `CGROUP_IO` had no room.
    pub const IO: u32 = 6;
    /// Number of slots.
    pub const SLOTS: u32 = 7;
    /// Names by slot.
    pub const NAMES: [&str; SLOTS as usize] = [
        "lifecycle",
        "process",
        "network",
        "activity",
        "namespace",
        "oom",
        "io",
    ];
}

/// What `iter/task` emits for each task.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskSample {
    /// cgroup v2 id.
    pub cgroup_id: u64,
    /// Id in the memory controller's hierarchy; 0: not known.
    pub memory_cgroup_id: u64,
    pub tgid: u32,
    pub tid: u32,
    /// `task_struct.__state`: 0 running, 1 interruptible, 2 uninterruptible, others as in
    /// include/linux/sched.h (v6.12).
    pub state: u32,
    /// Always 0.
    pub reserved: u32,
    /// nsfs inode numbers by [`crate::namespace`] slot; 0: none (a dying task).
    pub namespaces: [u32; KINDS],
}
const _: () = assert!(size_of::<TaskSample>() == 64);
