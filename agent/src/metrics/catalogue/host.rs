//! The host as a whole: what no workload has alone.

use crate::ledger::Life;
use crate::metrics::catalogue::Group;
use crate::metrics::exposition::Value;
use crate::metrics::family::Kind::{Counter, Info};
use crate::metrics::family::{Emit, Family, Source};

pub(super) const GROUP: Group = Group {
    title: "Host",
    about: "",
    families: &[
        Family {
            name: "plimsoll_host_info",
            kind: Info,
            help: "Kernel and operating system.",
            labels: &["kernel", "system"],
            source: Source::new("/proc/sys/kernel/osrelease, os-release"),
            emit: Emit::Once(|scrape, out| {
                let kernel = scrape.machine.kernel.as_deref().unwrap_or_default();
                let system = scrape.machine.system.as_deref().unwrap_or_default();
                out.push_with(&[("kernel", kernel), ("system", system)], 1_u64);
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_host_cpu_busy_seconds_total",
            kind: Counter,
            unit: "seconds",
            help: "Time that all CPUs together were busy.",
            source: Source::new("/proc/stat user, nice, system, irq, softirq"),
            absent: NOT_READ,
            emit: Emit::Once(|scrape, out| {
                if scrape.snapshot.tick > 0 {
                    out.push(Value::Nanoseconds(scrape.snapshot.host.cpu_busy_ns));
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_host_memory_available_bytes",
            unit: "bytes",
            help: "Memory that could be had without swapping.",
            source: Source::new("/proc/meminfo MemAvailable"),
            absent: NOT_READ,
            emit: Emit::Once(|scrape, out| {
                if scrape.snapshot.tick > 0 {
                    out.push(scrape.snapshot.host.memory_available_bytes);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_host_oom_kills_total",
            kind: Counter,
            help: "OOM kills anywhere on the host since the agent started.",
            source: Source::new("tracepoint oom/mark_victim"),
            absent: "the OOM probe is off, or before the first reading",
            probe: Some("mark_victim"),
            emit: Emit::Once(|scrape, out| {
                if scrape.snapshot.tick > 0 {
                    out.push(scrape.snapshot.host.oom_kills);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_unattributed_cpu_seconds_total",
            kind: Counter,
            unit: "seconds",
            help: "CPU time of the host that belongs to no workload alive: the root's own tasks, and workloads that were removed.",
            source: Source::new("the root's total less its alive children's"),
            absent: NOT_READ,
            emit: Emit::Once(|scrape, out| {
                if scrape.snapshot.tick > 0 {
                    out.push(Value::Nanoseconds(scrape.snapshot.unattributed.cpu_ns));
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_namespaces_alive",
            help: "Namespaces in use, by kind.",
            labels: &["kind"],
            source: Source::new("task iterator"),
            absent: "the task iterator is not attached",
            emit: Emit::Once(|scrape, out| {
                for count in &scrape.snapshot.namespaces {
                    out.push_with(&[("kind", &count.kind)], count.alive);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_namespaces_created_total",
            kind: Counter,
            help: "Namespaces made since the agent started, by kind.",
            labels: &["kind"],
            source: Source::new("system calls clone, clone3, unshare"),
            absent: NO_NAMESPACE_PROBE,
            probe: Some("sched_process_fork"),
            emit: Emit::Once(|scrape, out| {
                for count in &scrape.snapshot.namespaces {
                    out.push_with(&[("kind", &count.kind)], count.created);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_namespaces_entered_total",
            kind: Counter,
            help: "Namespaces entered by setns since the agent started, by kind.",
            labels: &["kind"],
            source: Source::new("system call setns"),
            absent: NO_NAMESPACE_PROBE,
            probe: Some("sys_exit_setns"),
            emit: Emit::Once(|scrape, out| {
                for count in &scrape.snapshot.namespaces {
                    out.push_with(&[("kind", &count.kind)], count.entered);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_workloads",
            help: "Workloads with series of their own, by state.",
            labels: &["state"],
            source: Source::new("the ledger"),
            emit: Emit::Once(|scrape, out| {
                let [mut alive, mut frozen, mut dead] = [0_u64; 3];
                for workload in &scrape.snapshot.workloads {
                    match workload.life {
                        Life::Alive => alive += 1,
                        Life::Frozen => frozen += 1,
                        Life::Dead { .. } => dead += 1,
                    }
                }
                out.push_with(&[("state", "alive")], alive);
                out.push_with(&[("state", "frozen")], frozen);
                out.push_with(&[("state", "dead")], dead);
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_folded_workloads",
            help: "Workloads beyond the configured most, which share the series with id=\"other\".",
            source: Source::new("the ledger"),
            emit: Emit::Once(|scrape, out| out.push(scrape.snapshot.folded_workloads)),
            ..Family::SINGLE
        },
    ],
};

const NOT_READ: &str = "before the first reading";
const NO_NAMESPACE_PROBE: &str = "the namespace probe is off";
