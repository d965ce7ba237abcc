//! CPU time and throttling.

use crate::ledger::Workload;
use crate::metrics::catalogue::Group;
use crate::metrics::exposition::Value;
use crate::metrics::family::Kind::Counter;
use crate::metrics::family::{Emit, Family, Source};

const NO_QUOTA: &str = "the workload has no CPU quota, or no cpu controller";

pub(super) const GROUP: Group = Group {
    title: "CPU",
    about: "Totals of the kernel, descendants included.",
    families: &[
        Family {
            name: "container_cpu_usage_seconds_total",
            kind: Counter,
            unit: "seconds",
            help: "CPU time used; cpu=\"total\" is all CPUs.",
            labels: &["cpu"],
            source: Source::split("cpu.stat usage_usec", "cpuacct.usage"),
            absent: "nothing ran in it yet",
            emit: Emit::Workload(|_, workload, out| {
                if let Some(cpu) = workload.reading.cpu.filter(|cpu| cpu.usage_ns > 0) {
                    out.push_with(&[("cpu", "total")], Value::Nanoseconds(cpu.usage_ns));
                }
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_cpu_user_seconds_total",
            kind: Counter,
            unit: "seconds",
            help: "CPU time used in user mode.",
            source: Source::split("cpu.stat user_usec", "cpuacct.stat user (steps of 10 ms)"),
            absent: "no CPU accounting for it",
            emit: Emit::Workload(|_, workload, out| {
                let cpu = workload.reading.cpu;
                out.push_some(cpu.map(|cpu| Value::Nanoseconds(cpu.user_ns)));
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_cpu_system_seconds_total",
            kind: Counter,
            unit: "seconds",
            help: "CPU time used in kernel mode.",
            source: Source::split(
                "cpu.stat system_usec",
                "cpuacct.stat system (steps of 10 ms)",
            ),
            absent: "no CPU accounting for it",
            emit: Emit::Workload(|_, workload, out| {
                let cpu = workload.reading.cpu;
                out.push_some(cpu.map(|cpu| Value::Nanoseconds(cpu.system_ns)));
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_cpu_cfs_periods_total",
            kind: Counter,
            help: "Enforcement periods that passed.",
            source: Source::new("cpu.stat nr_periods"),
            absent: NO_QUOTA,
            emit: Emit::Workload(|_, workload, out| {
                out.push_some(throttling(workload).map(|cpu| cpu.periods));
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_cpu_cfs_throttled_periods_total",
            kind: Counter,
            help: "Enforcement periods in which it was throttled.",
            source: Source::new("cpu.stat nr_throttled"),
            absent: NO_QUOTA,
            emit: Emit::Workload(|_, workload, out| {
                out.push_some(throttling(workload).map(|cpu| cpu.throttled_periods));
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_cpu_cfs_throttled_seconds_total",
            kind: Counter,
            unit: "seconds",
            help: "Time it was throttled, summed over its run queues.",
            source: Source::split("cpu.stat throttled_usec", "cpu.stat throttled_time"),
            absent: NO_QUOTA,
            emit: Emit::Workload(|_, workload, out| {
                let throttled = throttling(workload).map(|cpu| cpu.throttled_ns);
                out.push_some(throttled.map(Value::Nanoseconds));
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_cpu_cfs_burst_periods_total",
            kind: Counter,
            help: "Enforcement periods in which it used saved-up quota.",
            source: Source::new("cpu.stat nr_bursts"),
            absent: NO_QUOTA,
            emit: Emit::Workload(|_, workload, out| {
                out.push_some(throttling(workload).map(|cpu| cpu.burst_periods));
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_cpu_cfs_burst_seconds_total",
            kind: Counter,
            unit: "seconds",
            help: "Time it ran on saved-up quota.",
            source: Source::split("cpu.stat burst_usec", "cpu.stat burst_time"),
            absent: NO_QUOTA,
            emit: Emit::Workload(|_, workload, out| {
                let burst = throttling(workload).map(|cpu| cpu.burst_ns);
                out.push_some(burst.map(Value::Nanoseconds));
            }),
            ..Family::WORKLOAD
        },
    ],
};

/// Only of a workload with a quota: the counters of the others never move.
fn throttling(workload: &Workload) -> Option<crate::cgroup::Throttling> {
    workload.reading.limits.cpu_quota_us?;
    workload.reading.cpu?.throttling
}
