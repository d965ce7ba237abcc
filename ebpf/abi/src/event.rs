//! Records of the two ring buffers: `LIFECYCLE` (cgroup, namespace, OOM) and `PROCESS` (exec, exit).
//!
//! Every record starts with [`Header`]; `kind` tells which struct it is.

use core::mem::size_of;

use crate::namespace::KINDS;

/// Longest cgroup path a record carries, in bytes. The kernel's own trace buffer is 1024
/// (`TRACE_CGROUP_PATH_LEN`, kernel/cgroup/cgroup-internal.h, v6.12); a longer path is cut there.
pub const PATH_MAX: usize = 1024;

/// Length of a task's `comm`, the terminating NUL included (`TASK_COMM_LEN`).
pub const COMM_LEN: usize = 16;

/// Values of [`Header::kind`].
pub mod kind {
    pub const CGROUP_MKDIR: u32 = 1;
    pub const CGROUP_RMDIR: u32 = 2;
    pub const CGROUP_RELEASE: u32 = 3;
    pub const CGROUP_RENAME: u32 = 4;
    pub const CGROUP_FREEZE: u32 = 5;
    pub const CGROUP_UNFREEZE: u32 = 6;
    pub const CGROUP_ATTACH_TASK: u32 = 7;
    pub const CGROUP_TRANSFER_TASKS: u32 = 8;
    pub const CGROUP_NOTIFY_POPULATED: u32 = 9;
    pub const CGROUP_NOTIFY_FROZEN: u32 = 10;
    pub const NAMESPACE_CLONE: u32 = 20;
    pub const NAMESPACE_UNSHARE: u32 = 21;
    pub const NAMESPACE_SETNS: u32 = 22;
    pub const PROCESS_EXEC: u32 = 30;
    pub const PROCESS_EXIT: u32 = 31;
    pub const OOM_KILL: u32 = 40;
}

/// First fields of every record.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// One of [`kind`].
    pub kind: u32,
    /// Always 0.
    pub reserved: u32,
    /// `CLOCK_BOOTTIME` at the event, nanoseconds.
    pub boot_ns: u64,
}
const _: () = assert!(size_of::<Header>() == 16);

/// A cgroup was made, removed, renamed, frozen, populated, or took a task in.
///
/// The path follows the struct in the ring buffer: `path_len` bytes, without a NUL.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CgroupRecord {
    pub header: Header,
    /// kernfs inode number of the cgroup: unique within its hierarchy, never reused in it.
    pub cgroup_id: u64,
    /// `cgroup_root.hierarchy_id`: 0 is cgroup v2, others as in `/proc/cgroups`.
    pub hierarchy: u32,
    /// Depth below the hierarchy's root; the root is 0.
    pub level: u32,
    /// Process that was attached; for other kinds, the process that acted. 0: the kernel itself.
    pub tgid: u32,
    /// Task that was attached; for other kinds, the task that acted.
    pub tid: u32,
    /// `CGROUP_NOTIFY_*`: the new value, 0 or 1. `CGROUP_ATTACH_TASK`: 1 for a whole process.
    pub value: u32,
    /// Bytes of path behind this struct; at most [`PATH_MAX`].
    pub path_len: u32,
}
const _: () = assert!(size_of::<CgroupRecord>() == 48);

/// A task, named the same way in every record that has one.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskRef {
    /// cgroup v2 id of the task. 1 is the v2 root: also what a task has that only v1 holds.
    pub cgroup_id: u64,
    /// Id, in the memory controller's hierarchy, of the task's memory cgroup; 0: not known.
    pub memory_cgroup_id: u64,
    /// Process id in the initial pid namespace.
    pub tgid: u32,
    /// Task id in the initial pid namespace.
    pub tid: u32,
    /// Name of the task, NUL-padded.
    pub comm: [u8; COMM_LEN],
}
const _: () = assert!(size_of::<TaskRef>() == 40);

/// A task made or entered namespaces. A slot whose `before` equals its `after` did not change.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NamespaceRecord {
    pub header: Header,
    /// `NAMESPACE_CLONE`: the child; otherwise the task that called.
    pub task: TaskRef,
    /// nsfs inode numbers before (for a clone: of the parent), by [`crate::namespace`] slot; 0: not known.
    pub before: [u32; KINDS],
    /// nsfs inode numbers after, same order.
    pub after: [u32; KINDS],
}
const _: () = assert!(size_of::<NamespaceRecord>() == 16 + 40 + 2 * 4 * KINDS);

/// A process called exec, or ended (its last task exited).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessRecord {
    pub header: Header,
    pub task: TaskRef,
    /// `PROCESS_EXIT`: wait status as `wait(2)` has it (exit code << 8 | signal | core flag). Otherwise 0.
    pub status: u32,
    /// Always 0.
    pub reserved: u32,
}
const _: () = assert!(size_of::<ProcessRecord>() == 64);

/// The OOM killer chose a victim.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OomRecord {
    pub header: Header,
    /// The victim. `cgroup_id` 0: this kernel's hook names only its pid.
    pub victim: TaskRef,
}
const _: () = assert!(size_of::<OomRecord>() == 56);
