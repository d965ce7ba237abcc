//! Tasks: how many, in which state, and the load they make.

use crate::metrics::catalogue::Group;
use crate::metrics::family::{Emit, Family, Source};

const NO_ITERATOR: &str = "the task iterator is not attached";

pub(super) const GROUP: Group = Group {
    title: "Tasks and load",
    about: "Counted by a BPF task iterator, on v1 and v2 alike; cAdvisor has these on v1 only. \
            `iowaiting` is not told apart from `uninterruptible`.",
    families: &[
        Family {
            name: "container_tasks_state",
            help: "Tasks by state.",
            labels: &["state"],
            source: Source::new("task iterator"),
            absent: NO_ITERATOR,
            emit: Emit::Workload(|_, workload, out| {
                if let Some(tasks) = workload.tasks.counted {
                    out.push_with(&[("state", "sleeping")], tasks.sleeping);
                    out.push_with(&[("state", "running")], tasks.running);
                    out.push_with(&[("state", "stopped")], tasks.stopped);
                    out.push_with(&[("state", "uninterruptible")], tasks.uninterruptible);
                }
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_cpu_load_average_10s",
            help: "Runnable and uninterruptible tasks, smoothed over 10 s, times 1000 as cAdvisor has it.",
            source: Source::new("task iterator"),
            absent: NO_ITERATOR,
            emit: Emit::Workload(|_, workload, out| {
                out.push_some(workload.tasks.load_average_10s.map(|load| load * 1_000.0));
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_cpu_load_d_average_10s",
            help: "Uninterruptible tasks, smoothed over 10 s, times 1000 as cAdvisor has it.",
            source: Source::new("task iterator"),
            absent: NO_ITERATOR,
            emit: Emit::Workload(|_, workload, out| {
                out.push_some(workload.tasks.load_d_average_10s.map(|load| load * 1_000.0));
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_processes",
            help: "Processes.",
            source: Source::new("task iterator"),
            absent: NO_ITERATOR,
            emit: Emit::Workload(|_, workload, out| {
                out.push_some(workload.tasks.counted.map(|tasks| tasks.processes));
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_threads",
            help: "Threads.",
            source: Source::new("pids.current, else the task iterator"),
            absent: "no pids controller, and the task iterator is not attached",
            emit: Emit::Workload(|_, workload, out| {
                let controller = workload.reading.pids.map(|pids| pids.current);
                let counted = workload.tasks.counted.map(|tasks| tasks.threads);
                out.push_some(controller.or(counted));
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_threads_max",
            help: "Most threads it may have; 0 is no limit.",
            source: Source::new("pids.max"),
            absent: "no pids controller",
            emit: Emit::Workload(|_, workload, out| {
                out.push_some(workload.reading.pids.map(|pids| pids.max.unwrap_or(0)));
            }),
            ..Family::WORKLOAD
        },
    ],
};
