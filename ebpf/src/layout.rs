//! Offsets of kernel struct members, set by the agent before load (`plimsoll_abi::layout`).
//!
//! The agent does not load a program that needs an offset it could not resolve.

use aya_ebpf::Global;
use plimsoll_abi::layout::UNRESOLVED;

/// A member's byte offset; constant for the verifier, because the map behind it is frozen.
pub(crate) type Offset = Global<u32>;

#[unsafe(no_mangle)]
pub(crate) static TASK_PID: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static TASK_TGID: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static TASK_COMM: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static TASK_STATE: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static TASK_CGROUPS: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static TASK_NSPROXY: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static TASK_CRED: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static TASK_SIGNAL: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static TASK_EXIT_CODE: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static TASK_GROUP_LEADER: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static TASK_START: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static SIGNAL_LIVE: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static SIGNAL_GROUP_EXIT_CODE: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static CSS_SET_DFL_CGRP: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static CSS_SET_SUBSYS: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static CSS_CGROUP: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static CGROUP_KN: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static CGROUP_ROOT: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static CGROUP_LEVEL: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static CGROUP_ROOT_HIERARCHY_ID: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static KERNFS_NODE_ID: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static NSPROXY_UTS: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static NSPROXY_IPC: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static NSPROXY_MNT: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static NSPROXY_PID: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static NSPROXY_NET: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static NSPROXY_TIME: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static NSPROXY_CGROUP: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static CRED_USER_NS: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static UTS_NS_COMMON: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static IPC_NS_COMMON: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static MNT_NS_COMMON: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static PID_NS_COMMON: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static NET_NS_COMMON: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static TIME_NS_COMMON: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static CGROUP_NS_COMMON: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static USER_NS_COMMON: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static NS_COMMON_INUM: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static BIO_BDEV: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static BIO_OPF: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static BIO_ITER: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static BIO_BLKG: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static BVEC_ITER_SIZE: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static BLKCG_GQ_BLKCG: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static BLKCG_CSS: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static BLOCK_DEVICE_DISK: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static GENDISK_MAJOR: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static GENDISK_FIRST_MINOR: Offset = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
pub(crate) static MEMORY_SUBSYS_ID: Offset = Global::new(UNRESOLVED);

/// 1: `mark_victim` hands over the victim's task; 0: only its pid.
#[unsafe(no_mangle)]
pub(crate) static MARK_VICTIM_HAS_TASK: Global<u32> = Global::new(0);
/// 1: `sched_process_exit` tells whether the task is its process's last.
#[unsafe(no_mangle)]
pub(crate) static EXIT_TELLS_LAST: Global<u32> = Global::new(0);
/// The agent's own process, whose namespace calls are not events.
#[unsafe(no_mangle)]
pub(crate) static AGENT_TGID: Global<u32> = Global::new(0);
