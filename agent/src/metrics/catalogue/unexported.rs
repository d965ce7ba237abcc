//! What cAdvisor exports by default, or is known for, and this agent does not: a number that would
//! be made up is worse than none.

/// Families that are left out for one reason.
pub(crate) struct Unexported {
    pub(crate) names: &'static [&'static str],
    pub(crate) why: &'static str,
}

/// By reason.
pub(crate) const UNEXPORTED: &[Unexported] = &[
    Unexported {
        names: &[
            "container_fs_usage_bytes",
            "container_fs_limit_bytes",
            "container_fs_inodes_free",
            "container_fs_inodes_total",
        ],
        why: "The kernel accounts file-system space to no cgroup. cAdvisor walks the writable layer of \
              Docker and Podman containers; this agent does not.",
    },
    Unexported {
        names: &[
            "container_fs_reads_merged_total",
            "container_fs_writes_merged_total",
        ],
        why: "Merges are counted per device (on v1 with BFQ also per cgroup). cAdvisor shows the whole \
              device's number in every container.",
    },
    Unexported {
        names: &[
            "container_fs_read_seconds_total",
            "container_fs_write_seconds_total",
            "container_fs_io_current",
            "container_fs_io_time_seconds_total",
            "container_fs_io_time_weighted_seconds_total",
        ],
        why: "The kernel keeps these per device, not per cgroup. cAdvisor shows the whole device's number, \
              or 0, in every container.",
    },
    Unexported {
        names: &[
            "container_fs_io_cost_usage_seconds_total",
            "container_fs_io_cost_wait_seconds_total",
            "container_fs_io_cost_indebt_seconds_total",
            "container_fs_io_cost_indelay_seconds_total",
        ],
        why: "Only with the iocost controller switched on for a device (`io.cost.qos`), which the readers do \
              not read yet.",
    },
    Unexported {
        names: &["container_health_state"],
        why: "A health check is the engine's affair, and the agent asks engines for names only. cAdvisor says \
              -1 where it does not know.",
    },
    Unexported {
        names: &["machine_nvm_capacity", "machine_nvm_avg_power_budget_watts"],
        why: "Needs a vendor's library; cAdvisor's own builds are without it too.",
    },
    Unexported {
        names: &["cadvisor_version_info"],
        why: "This is not cAdvisor, and a version of it would be a lie. `plimsoll_build_info` has the agent's \
              version, `plimsoll_host_info` the kernel and the operating system.",
    },
];
