//! Limits in force.

use crate::ledger::Workload;
use crate::metrics::catalogue::Group;
use crate::metrics::family::{Emit, Family, Source};

pub(super) const GROUP: Group = Group {
    title: "Limits",
    about: "Of the workload's own cgroup, as last read.",
    families: &[
        Family {
            name: "container_spec_cpu_period",
            unit: "microseconds",
            help: "Length of a CPU enforcement period, in microseconds.",
            source: Source::split("cpu.max", "cpu.cfs_period_us"),
            absent: "no cpu controller",
            emit: Emit::Workload(|_, workload, out| {
                out.push_some(workload.reading.limits.cpu_period_us);
            }),
            ..SPEC
        },
        Family {
            name: "container_spec_cpu_quota",
            unit: "microseconds",
            help: "CPU time it may use in a period, in microseconds.",
            source: Source::split("cpu.max", "cpu.cfs_quota_us"),
            absent: "it has no quota, or no cpu controller",
            emit: Emit::Workload(|_, workload, out| {
                out.push_some(workload.reading.limits.cpu_quota_us);
            }),
            ..SPEC
        },
        Family {
            name: "container_spec_cpu_shares",
            help: "Share of the CPU when there is not enough for all; 1024 is the norm.",
            source: Source::split(
                "cpu.weight, turned back as the OCI runtimes do",
                "cpu.shares",
            ),
            absent: "no cpu controller",
            emit: Emit::Workload(|_, workload, out| {
                out.push_some(workload.reading.limits.cpu_shares);
            }),
            ..SPEC
        },
        Family {
            name: "container_spec_memory_limit_bytes",
            unit: "bytes",
            help: "Most memory it may use; 0 is no limit.",
            source: Source::split("memory.max", "memory.limit_in_bytes"),
            absent: NO_MEMORY,
            emit: Emit::Workload(|_, workload, out| {
                let limit = workload.reading.limits.memory_max_bytes;
                out.push_some(memory_limit(workload, limit));
            }),
            ..SPEC
        },
        Family {
            name: "container_spec_memory_swap_limit_bytes",
            unit: "bytes",
            help: "Most swap it may use; 0 is no limit.",
            source: Source::split(
                "memory.swap.max",
                "memory.memsw.limit_in_bytes less the memory limit (cAdvisor: with it)",
            ),
            absent: NO_MEMORY,
            emit: Emit::Workload(|_, workload, out| {
                let limit = workload.reading.limits.swap_max_bytes;
                out.push_some(memory_limit(workload, limit));
            }),
            ..SPEC
        },
        Family {
            name: "container_spec_memory_reservation_limit_bytes",
            unit: "bytes",
            help: "Memory use above which it is reclaimed from first; 0 is no limit.",
            source: Source::split("memory.high", "memory.soft_limit_in_bytes"),
            absent: NO_MEMORY,
            emit: Emit::Workload(|_, workload, out| {
                let limit = workload.reading.limits.memory_reservation_bytes;
                out.push_some(memory_limit(workload, limit));
            }),
            ..SPEC
        },
    ],
};

const NO_MEMORY: &str = "no memory controller";

const SPEC: Family = Family {
    stamped: false,
    ..Family::WORKLOAD
};

/// "No limit" is 0, which may be said only where there is a controller to set one.
fn memory_limit(workload: &Workload, limit: Option<u64>) -> Option<u64> {
    workload.reading.memory.map(|_| limit.unwrap_or(0))
}
