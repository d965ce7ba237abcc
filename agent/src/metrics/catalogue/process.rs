//! The agent's own process.

use crate::metrics::catalogue::Group;
use crate::metrics::family::Kind::Counter;
use crate::metrics::family::{Emit, Family, Source};

pub(super) const GROUP: Group = Group {
    title: "The agent's process",
    about: "The names every Prometheus client library uses.",
    families: &[
        Family {
            name: "process_cpu_seconds_total",
            kind: Counter,
            unit: "seconds",
            help: "CPU time the agent used, in user and kernel mode.",
            emit: Emit::Once(|scrape, out| out.push_some(scrape.process.cpu)),
            ..PROCESS
        },
        Family {
            name: "process_resident_memory_bytes",
            unit: "bytes",
            help: "Resident memory of the agent.",
            emit: Emit::Once(|scrape, out| out.push_some(scrape.process.resident_bytes)),
            ..PROCESS
        },
        Family {
            name: "process_virtual_memory_bytes",
            unit: "bytes",
            help: "Virtual memory of the agent.",
            emit: Emit::Once(|scrape, out| out.push_some(scrape.process.virtual_bytes)),
            ..PROCESS
        },
        Family {
            name: "process_threads",
            help: "Threads of the agent.",
            emit: Emit::Once(|scrape, out| out.push_some(scrape.process.threads)),
            ..PROCESS
        },
        Family {
            name: "process_open_fds",
            help: "File descriptors the agent has open.",
            source: Source::new("/proc/self/fd"),
            emit: Emit::Once(|scrape, out| out.push_some(scrape.process.open_files)),
            ..PROCESS
        },
        Family {
            name: "process_max_fds",
            help: "Most file descriptors the agent may have open.",
            source: Source::new("/proc/self/limits"),
            absent: "there is no limit",
            emit: Emit::Once(|scrape, out| out.push_some(scrape.process.max_files)),
            ..PROCESS
        },
        Family {
            name: "process_start_time_seconds",
            unit: "seconds",
            help: "When the agent started, since the epoch.",
            emit: Emit::Once(|scrape, out| out.push_some(scrape.process.start)),
            ..PROCESS
        },
    ],
};

const PROCESS: Family = Family {
    source: Source::new("/proc/self/stat"),
    ..Family::SINGLE
};
