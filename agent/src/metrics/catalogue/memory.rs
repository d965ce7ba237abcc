//! Memory, as the memory controller tells it.

use crate::cgroup::MemoryReading;
use crate::ledger::Workload;
use crate::metrics::catalogue::Group;
use crate::metrics::family::Kind::Counter;
use crate::metrics::family::{Emit, Family, Source};
use crate::metrics::samples::Samples;

pub(super) const GROUP: Group = Group {
    title: "Memory",
    about: "Descendants included. Absent without a memory controller.",
    families: &[
        Family {
            name: "container_memory_usage_bytes",
            unit: "bytes",
            help: "Memory in use, page cache and kernel memory included.",
            source: Source::split("memory.current", "memory.usage_in_bytes"),
            emit: Emit::Workload(|_, workload, out| {
                one(workload, out, |memory| Some(memory.usage_bytes));
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_memory_working_set_bytes",
            unit: "bytes",
            help: "Memory in use less inactive file pages, as Kubernetes has it.",
            source: Source::split(
                "memory.current less memory.stat inactive_file",
                "memory.usage_in_bytes less memory.stat total_inactive_file",
            ),
            emit: Emit::Workload(|_, workload, out| {
                one(workload, out, |memory| Some(memory.working_set_bytes));
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_memory_rss",
            unit: "bytes",
            help: "Anonymous memory, transparent huge pages included.",
            source: Source::split("memory.stat anon", "memory.stat total_rss"),
            emit: Emit::Workload(|_, workload, out| {
                one(workload, out, |memory| Some(memory.rss_bytes));
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_memory_cache",
            unit: "bytes",
            help: "Page cache, tmpfs and shared memory included.",
            source: Source::split("memory.stat file", "memory.stat total_cache"),
            emit: Emit::Workload(|_, workload, out| {
                one(workload, out, |memory| Some(memory.cache_bytes));
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_memory_mapped_file",
            unit: "bytes",
            help: "Page cache mapped by processes.",
            source: Source::split("memory.stat file_mapped", "memory.stat total_mapped_file"),
            emit: Emit::Workload(|_, workload, out| {
                one(workload, out, |memory| Some(memory.mapped_file_bytes));
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_memory_swap",
            unit: "bytes",
            help: "Swap in use.",
            source: Source::split("memory.swap.current", "memory.stat total_swap"),
            absent: "no swap accounting",
            emit: Emit::Workload(|_, workload, out| one(workload, out, |memory| memory.swap_bytes)),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_memory_max_usage_bytes",
            unit: "bytes",
            help: "Most memory that was ever in use.",
            source: Source::split("memory.peak", "memory.max_usage_in_bytes"),
            absent: "v2 before Linux 5.19",
            emit: Emit::Workload(|_, workload, out| one(workload, out, |memory| memory.peak_bytes)),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_memory_kernel_usage",
            unit: "bytes",
            help: "Kernel memory in use.",
            source: Source::split("memory.stat kernel", "memory.kmem.usage_in_bytes"),
            absent: "v2 before Linux 5.18",
            emit: Emit::Workload(|_, workload, out| {
                one(workload, out, |memory| memory.kernel_bytes);
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_memory_total_active_file_bytes",
            unit: "bytes",
            help: "Page cache used not long ago.",
            source: Source::split("memory.stat active_file", "memory.stat total_active_file"),
            emit: Emit::Workload(|_, workload, out| {
                one(workload, out, |memory| Some(memory.active_file_bytes));
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_memory_total_inactive_file_bytes",
            unit: "bytes",
            help: "Page cache not used for long.",
            source: Source::split(
                "memory.stat inactive_file",
                "memory.stat total_inactive_file",
            ),
            emit: Emit::Workload(|_, workload, out| {
                one(workload, out, |memory| Some(memory.inactive_file_bytes));
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_memory_file_dirty_bytes",
            unit: "bytes",
            help: "Page cache that waits to be written.",
            source: Source::split("memory.stat file_dirty", "memory.stat total_dirty"),
            absent: "the kernel does not tell",
            emit: Emit::Workload(|_, workload, out| {
                one(workload, out, |memory| memory.file_dirty_bytes);
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_memory_file_writeback_bytes",
            unit: "bytes",
            help: "Page cache that is being written.",
            source: Source::split("memory.stat file_writeback", "memory.stat total_writeback"),
            absent: "the kernel does not tell",
            emit: Emit::Workload(|_, workload, out| {
                one(workload, out, |memory| memory.file_writeback_bytes);
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_memory_failcnt",
            kind: Counter,
            help: "Times the memory limit was hit.",
            source: Source::split("memory.events max", "memory.failcnt"),
            absent: "the cgroup has no limit file (the root)",
            emit: Emit::Workload(|_, workload, out| one(workload, out, |memory| memory.failures)),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_memory_failures_total",
            kind: Counter,
            help: "Page faults, by type; both scopes are with descendants, as in cAdvisor.",
            labels: &["failure_type", "scope"],
            source: Source::split(
                "memory.stat pgfault, pgmajfault",
                "memory.stat total_pgfault, total_pgmajfault",
            ),
            emit: Emit::Workload(|_, workload, out| {
                if let Some(memory) = workload.reading.memory {
                    let faults = [
                        ("pgfault", memory.page_faults),
                        ("pgmajfault", memory.major_page_faults),
                    ];
                    for scope in ["container", "hierarchy"] {
                        for (failure, count) in faults {
                            out.push_with(&[("failure_type", failure), ("scope", scope)], count);
                        }
                    }
                }
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_memory_pgscan_total",
            kind: Counter,
            help: "Pages looked at for reclaim.",
            source: Source::new("memory.stat pgscan"),
            absent: "v1",
            emit: Emit::Workload(|_, workload, out| {
                one(workload, out, |memory| memory.pages_scanned);
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_memory_pgsteal_total",
            kind: Counter,
            help: "Pages reclaimed.",
            source: Source::new("memory.stat pgsteal"),
            absent: "v1",
            emit: Emit::Workload(|_, workload, out| {
                one(workload, out, |memory| memory.pages_stolen);
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_memory_workingset_refault_file_total",
            kind: Counter,
            help: "File pages read again soon after they were reclaimed.",
            source: Source::new("memory.stat workingset_refault_file"),
            absent: "the kernel does not tell",
            emit: Emit::Workload(|_, workload, out| {
                one(workload, out, |memory| memory.workingset_refault_file);
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_memory_workingset_refault_anon_total",
            kind: Counter,
            help: "Anonymous pages read again soon after they were reclaimed.",
            source: Source::new("memory.stat workingset_refault_anon"),
            absent: "the kernel does not tell",
            emit: Emit::Workload(|_, workload, out| {
                one(workload, out, |memory| memory.workingset_refault_anon);
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_memory_events_high_total",
            kind: Counter,
            help: "Times its tasks were slowed down because it was over memory.high.",
            source: Source::new("memory.events high"),
            absent: "v1",
            emit: Emit::Workload(|_, workload, out| {
                one(workload, out, |memory| memory.events_high);
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_memory_events_max_total",
            kind: Counter,
            help: "Times it was about to go over its memory limit.",
            source: Source::new("memory.events max"),
            absent: "v1",
            emit: Emit::Workload(|_, workload, out| one(workload, out, |memory| memory.events_max)),
            ..Family::WORKLOAD
        },
        Family {
            name: "plimsoll_container_memory_oom_kills_total",
            kind: Counter,
            help: "Processes that the OOM killer took, as the memory controller counts them.",
            source: Source::split("memory.events oom_kill", "memory.oom_control oom_kill"),
            absent: "the kernel does not tell",
            emit: Emit::Workload(|_, workload, out| {
                one(workload, out, |memory| memory.events_oom_kill);
            }),
            ..Family::WORKLOAD
        },
    ],
};

fn one(workload: &Workload, out: &mut Samples<'_>, value: fn(&MemoryReading) -> Option<u64>) {
    out.push_some(workload.reading.memory.as_ref().and_then(value));
}
