//! Names of the read-only globals through which the agent tells the programs where kernel
//! struct members are. Rust programs carry no CO-RE relocations, so the agent reads the
//! offsets from the running kernel's BTF and sets these before it loads a program.

/// Value of an offset that the running kernel's BTF does not have.
pub const UNRESOLVED: u32 = u32::MAX;

/// One global: the symbol, and the member it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    /// Symbol of the global in the object.
    pub symbol: &'static str,
    /// Kernel struct.
    pub of: &'static str,
    /// Member, or its older names, the newest kernel's first.
    pub member: &'static [&'static str],
}

pub(crate) const fn offset(
    symbol: &'static str,
    of: &'static str,
    member: &'static [&'static str],
) -> Offset {
    Offset { symbol, of, member }
}

/// Every offset that some program reads.
pub const OFFSETS: &[Offset] = &[
    offset("TASK_PID", "task_struct", &["pid"]),
    offset("TASK_TGID", "task_struct", &["tgid"]),
    offset("TASK_COMM", "task_struct", &["comm"]),
    offset("TASK_STATE", "task_struct", &["__state", "state"]),
    offset("TASK_CGROUPS", "task_struct", &["cgroups"]),
    offset("TASK_NSPROXY", "task_struct", &["nsproxy"]),
    offset("TASK_CRED", "task_struct", &["real_cred"]),
    offset("TASK_SIGNAL", "task_struct", &["signal"]),
    offset("TASK_EXIT_CODE", "task_struct", &["exit_code"]),
    offset("TASK_GROUP_LEADER", "task_struct", &["group_leader"]),
    offset("TASK_START", "task_struct", &["start_boottime"]),
    offset("SIGNAL_LIVE", "signal_struct", &["live"]),
    offset(
        "SIGNAL_GROUP_EXIT_CODE",
        "signal_struct",
        &["group_exit_code"],
    ),
    offset("CSS_SET_DFL_CGRP", "css_set", &["dfl_cgrp"]),
    offset("CSS_SET_SUBSYS", "css_set", &["subsys"]),
    offset("CSS_CGROUP", "cgroup_subsys_state", &["cgroup"]),
    offset("CGROUP_KN", "cgroup", &["kn"]),
    offset("CGROUP_ROOT", "cgroup", &["root"]),
    offset("CGROUP_LEVEL", "cgroup", &["level"]),
    offset("CGROUP_ROOT_HIERARCHY_ID", "cgroup_root", &["hierarchy_id"]),
    offset("KERNFS_NODE_ID", "kernfs_node", &["id"]),
    offset("NSPROXY_UTS", "nsproxy", &["uts_ns"]),
    offset("NSPROXY_IPC", "nsproxy", &["ipc_ns"]),
    offset("NSPROXY_MNT", "nsproxy", &["mnt_ns"]),
    offset("NSPROXY_PID", "nsproxy", &["pid_ns_for_children"]),
    offset("NSPROXY_NET", "nsproxy", &["net_ns"]),
    offset("NSPROXY_TIME", "nsproxy", &["time_ns_for_children"]),
    offset("NSPROXY_CGROUP", "nsproxy", &["cgroup_ns"]),
    offset("CRED_USER_NS", "cred", &["user_ns"]),
    offset("UTS_NS_COMMON", "uts_namespace", &["ns"]),
    offset("IPC_NS_COMMON", "ipc_namespace", &["ns"]),
    offset("MNT_NS_COMMON", "mnt_namespace", &["ns"]),
    offset("PID_NS_COMMON", "pid_namespace", &["ns"]),
    offset("NET_NS_COMMON", "net", &["ns"]),
    offset("TIME_NS_COMMON", "time_namespace", &["ns"]),
    offset("CGROUP_NS_COMMON", "cgroup_namespace", &["ns"]),
    offset("USER_NS_COMMON", "user_namespace", &["ns"]),
    offset("NS_COMMON_INUM", "ns_common", &["inum"]),
    offset("BIO_BDEV", "bio", &["bi_bdev"]),
    offset("BIO_OPF", "bio", &["bi_opf"]),
    offset("BIO_ITER", "bio", &["bi_iter"]),
    offset("BIO_BLKG", "bio", &["bi_blkg"]),
    offset("BVEC_ITER_SIZE", "bvec_iter", &["bi_size"]),
    offset("BLKCG_GQ_BLKCG", "blkcg_gq", &["blkcg"]),
    offset("BLKCG_CSS", "blkcg", &["css"]),
    offset("BLOCK_DEVICE_DISK", "block_device", &["bd_disk"]),
    offset("GENDISK_MAJOR", "gendisk", &["major"]),
    offset("GENDISK_FIRST_MINOR", "gendisk", &["first_minor"]),
];

/// `memory_cgrp_id` of `enum cgroup_subsys_id`: index into `css_set.subsys`. [`UNRESOLVED`]: no memory controller.
pub const MEMORY_SUBSYS_ID: &str = "MEMORY_SUBSYS_ID";

/// 1 when `mark_victim` hands over the victim's `task_struct` (v6.8 and newer), 0 when only its pid.
pub const MARK_VICTIM_HAS_TASK: &str = "MARK_VICTIM_HAS_TASK";

/// 1 when `sched_process_exit` tells whether the task is its process's last (v6.16 and newer).
pub const EXIT_TELLS_LAST: &str = "EXIT_TELLS_LAST";

/// Process id of the agent, whose own namespace entries are not events.
pub const AGENT_TGID: &str = "AGENT_TGID";
