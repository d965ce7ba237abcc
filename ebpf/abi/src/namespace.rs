//! The kinds of namespace, and their slots in every array of inode numbers.

/// Number of kinds.
pub const KINDS: usize = 8;

pub const MNT: usize = 0;
pub const UTS: usize = 1;
pub const IPC: usize = 2;
/// The namespace a task's *children* are born in; `unshare(CLONE_NEWPID)` moves no caller.
pub const PID: usize = 3;
pub const NET: usize = 4;
pub const USER: usize = 5;
pub const CGROUP: usize = 6;
/// As with [`PID`], of the children.
pub const TIME: usize = 7;

/// Names by slot, as `/proc/PID/ns` has them.
pub const NAMES: [&str; KINDS] = ["mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time"];
