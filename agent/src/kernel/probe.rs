//! The table of probes: which program, on which hook, what it needs.

/// One program of the object.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// Name of the program in the object.
    pub program: &'static str,
    pub hook: Hook,
    pub group: Group,
    /// Globals without which it reads wrong memory.
    pub needs: Needs,
}

/// Names of globals, in groups that programs share.
pub type Needs = &'static [&'static [&'static str]];

/// Where a program attaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// BTF tracepoint of the program's own name.
    BtfTracepoint,
    /// `tracepoint/syscalls/<program>`.
    SystemCall,
    CgroupIngress,
    CgroupEgress,
    /// `iter/task`: runs when the agent reads it.
    TaskIterator,
}

/// Switch in the configuration (`[probes]`); the life of cgroups cannot be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Cgroup,
    Namespace,
    Process,
    Scheduler,
    Oom,
    Network,
    /// I/O per cgroup; only where the io controller is on v1.
    Io,
    Tasks,
}

/// How a probe is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    Attached,
    Degraded(String),
    Unsupported(String),
    Failed(String),
    /// Not wanted: switched off, or this host does not need it.
    Disabled,
}

/// A probe's health and the kernel's own account of it.
#[derive(Clone, Debug)]
pub struct ProbeReport {
    pub probe: &'static Probe,
    pub health: Health,
    pub run_count: u64,
    pub run_ns: u64,
    pub verified_instructions: Option<u32>,
}

impl Probe {
    /// The hook in the kernel's words.
    #[must_use]
    pub fn hook_name(&self) -> String {
        match self.hook {
            Hook::BtfTracepoint => format!("tp_btf/{}", self.program),
            Hook::SystemCall => format!("tracepoint/syscalls/{}", self.program),
            Hook::CgroupIngress => "cgroup_skb/ingress".to_owned(),
            Hook::CgroupEgress => "cgroup_skb/egress".to_owned(),
            Hook::TaskIterator => "iter/task".to_owned(),
        }
    }
}

/// A cgroup's id, hierarchy and level.
const CGROUP: &[&str] = &[
    "CGROUP_KN",
    "CGROUP_ROOT",
    "CGROUP_LEVEL",
    "CGROUP_ROOT_HIERARCHY_ID",
    "KERNFS_NODE_ID",
];
const TASK_IDS: &[&str] = &["TASK_PID", "TASK_TGID"];
/// The task's cgroup v2.
const TASK_CGROUP: &[&str] = &[
    "TASK_CGROUPS",
    "CSS_SET_DFL_CGRP",
    "CGROUP_KN",
    "KERNFS_NODE_ID",
];
/// The rest of what a record says of a task: its memory cgroup and its name.
const TASK_RECORD: &[&str] = &["CSS_SET_SUBSYS", "CSS_CGROUP", "TASK_COMM"];
const EXIT: &[&str] = &[
    "TASK_SIGNAL",
    "TASK_EXIT_CODE",
    "SIGNAL_LIVE",
    "SIGNAL_GROUP_EXIT_CODE",
    "TASK_GROUP_LEADER",
    "TASK_START",
];
const NAMESPACES: &[&str] = &[
    "TASK_NSPROXY",
    "TASK_CRED",
    "NSPROXY_UTS",
    "NSPROXY_IPC",
    "NSPROXY_MNT",
    "NSPROXY_PID",
    "NSPROXY_NET",
    "NSPROXY_TIME",
    "NSPROXY_CGROUP",
    "CRED_USER_NS",
    "UTS_NS_COMMON",
    "IPC_NS_COMMON",
    "MNT_NS_COMMON",
    "PID_NS_COMMON",
    "NET_NS_COMMON",
    "TIME_NS_COMMON",
    "CGROUP_NS_COMMON",
    "USER_NS_COMMON",
    "NS_COMMON_INUM",
];
const TASK_STATE: &[&str] = &["TASK_STATE"];
/// A bio's size, operation, disk, and the cgroup it is charged to.
const BIO: &[&str] = &[
    "BIO_BDEV",
    "BIO_OPF",
    "BIO_ITER",
    "BIO_BLKG",
    "BVEC_ITER_SIZE",
    "BLKCG_GQ_BLKCG",
    "BLKCG_CSS",
    "CSS_CGROUP",
    "CGROUP_KN",
    "KERNFS_NODE_ID",
    "BLOCK_DEVICE_DISK",
    "GENDISK_MAJOR",
    "GENDISK_FIRST_MINOR",
];

const OF_CGROUP: Needs = &[CGROUP];
const OF_CGROUP_AND_TASK: Needs = &[CGROUP, TASK_IDS];
const OF_TASK: Needs = &[TASK_IDS, TASK_CGROUP, TASK_RECORD];
const OF_EXIT: Needs = &[TASK_IDS, TASK_CGROUP, TASK_RECORD, EXIT];
const OF_NAMESPACES: Needs = &[TASK_IDS, TASK_CGROUP, TASK_RECORD, NAMESPACES];
const OF_ALL_TASKS: Needs = &[TASK_IDS, TASK_CGROUP, TASK_RECORD, NAMESPACES, TASK_STATE];

const fn probe(program: &'static str, hook: Hook, group: Group, needs: Needs) -> Probe {
    Probe {
        program,
        hook,
        group,
        needs,
    }
}

/// Every probe. Cgroup life comes first, so that a cgroup is known before its processes are.
pub const PROBES: &[Probe] = &[
    probe(
        "cgroup_mkdir",
        Hook::BtfTracepoint,
        Group::Cgroup,
        OF_CGROUP,
    ),
    probe(
        "cgroup_rmdir",
        Hook::BtfTracepoint,
        Group::Cgroup,
        OF_CGROUP,
    ),
    probe(
        "cgroup_release",
        Hook::BtfTracepoint,
        Group::Cgroup,
        OF_CGROUP,
    ),
    probe(
        "cgroup_rename",
        Hook::BtfTracepoint,
        Group::Cgroup,
        OF_CGROUP,
    ),
    probe(
        "cgroup_freeze",
        Hook::BtfTracepoint,
        Group::Cgroup,
        OF_CGROUP,
    ),
    probe(
        "cgroup_unfreeze",
        Hook::BtfTracepoint,
        Group::Cgroup,
        OF_CGROUP,
    ),
    probe(
        "cgroup_attach_task",
        Hook::BtfTracepoint,
        Group::Cgroup,
        OF_CGROUP_AND_TASK,
    ),
    probe(
        "cgroup_transfer_tasks",
        Hook::BtfTracepoint,
        Group::Cgroup,
        OF_CGROUP_AND_TASK,
    ),
    probe(
        "cgroup_notify_populated",
        Hook::BtfTracepoint,
        Group::Cgroup,
        OF_CGROUP,
    ),
    probe(
        "cgroup_notify_frozen",
        Hook::BtfTracepoint,
        Group::Cgroup,
        OF_CGROUP,
    ),
    probe("mark_victim", Hook::BtfTracepoint, Group::Oom, OF_TASK),
    probe(
        "sched_process_exec",
        Hook::BtfTracepoint,
        Group::Process,
        OF_TASK,
    ),
    probe(
        "sched_process_exit",
        Hook::BtfTracepoint,
        Group::Process,
        OF_EXIT,
    ),
    probe(
        "sched_process_fork",
        Hook::BtfTracepoint,
        Group::Namespace,
        OF_NAMESPACES,
    ),
    probe(
        "sys_enter_unshare",
        Hook::SystemCall,
        Group::Namespace,
        OF_NAMESPACES,
    ),
    probe(
        "sys_exit_unshare",
        Hook::SystemCall,
        Group::Namespace,
        OF_NAMESPACES,
    ),
    probe(
        "sys_enter_setns",
        Hook::SystemCall,
        Group::Namespace,
        OF_NAMESPACES,
    ),
    probe(
        "sys_exit_setns",
        Hook::SystemCall,
        Group::Namespace,
        OF_NAMESPACES,
    ),
    probe(
        "sched_switch",
        Hook::BtfTracepoint,
        Group::Scheduler,
        &[TASK_CGROUP],
    ),
    probe("block_bio_queue", Hook::BtfTracepoint, Group::Io, &[BIO]),
    probe("block_split", Hook::BtfTracepoint, Group::Io, &[BIO]),
    probe("skb_ingress", Hook::CgroupIngress, Group::Network, &[]),
    probe("skb_egress", Hook::CgroupEgress, Group::Network, &[]),
    probe(
        "task_iterator",
        Hook::TaskIterator,
        Group::Tasks,
        OF_ALL_TASKS,
    ),
];

#[cfg(test)]
mod tests {
    use plimsoll_abi::layout;

    use super::PROBES;

    #[test]
    fn needs_are_globals_of_the_object() {
        for probe in PROBES {
            for symbol in probe.needs.iter().copied().flatten() {
                assert!(
                    layout::OFFSETS
                        .iter()
                        .any(|offset| offset.symbol == *symbol),
                    "{}: {symbol}",
                    probe.program
                );
            }
        }
    }
}
