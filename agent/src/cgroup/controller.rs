//! The kernel's cgroup controllers by name.

/// A controller; where v1 and v2 call it differently, the v2 name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Controller {
    Cpu,
    /// v1 only; on v2 every cgroup's `cpu.stat` has the same times without any controller.
    Cpuacct,
    Cpuset,
    Memory,
    /// v1 `blkio`.
    Io,
    Pids,
    /// v1 only; v2 does it with BPF.
    Devices,
    /// v1 only; v2 has `cgroup.freeze` in every cgroup.
    Freezer,
    Hugetlb,
    PerfEvent,
    NetCls,
    NetPrio,
    Rdma,
    Misc,
    Dmem,
}

impl Controller {
    /// From a name in mount options, `/proc/PID/cgroup` or `cgroup.controllers`; `None` for one
    /// this agent has no use for.
    #[must_use]
    pub fn from_kernel_name(name: &str) -> Option<Self> {
        Some(match name {
            "cpu" => Self::Cpu,
            "cpuacct" => Self::Cpuacct,
            "cpuset" => Self::Cpuset,
            "memory" => Self::Memory,
            "io" | "blkio" => Self::Io,
            "pids" => Self::Pids,
            "devices" => Self::Devices,
            "freezer" => Self::Freezer,
            "hugetlb" => Self::Hugetlb,
            "perf_event" => Self::PerfEvent,
            "net_cls" => Self::NetCls,
            "net_prio" => Self::NetPrio,
            "rdma" => Self::Rdma,
            "misc" => Self::Misc,
            "dmem" => Self::Dmem,
            _ => return None,
        })
    }

    /// The kernel's name of it on v2, or the only one it has.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cpuacct => "cpuacct",
            Self::Cpuset => "cpuset",
            Self::Memory => "memory",
            Self::Io => "io",
            Self::Pids => "pids",
            Self::Devices => "devices",
            Self::Freezer => "freezer",
            Self::Hugetlb => "hugetlb",
            Self::PerfEvent => "perf_event",
            Self::NetCls => "net_cls",
            Self::NetPrio => "net_prio",
            Self::Rdma => "rdma",
            Self::Misc => "misc",
            Self::Dmem => "dmem",
        }
    }

    /// All those in a list; names that are not controllers are left out.
    pub(super) fn parse_list<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Self> {
        names.filter_map(Self::from_kernel_name).collect()
    }
}
