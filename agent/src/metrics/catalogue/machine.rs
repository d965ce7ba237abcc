//! The machine.

use crate::metrics::catalogue::Group;
use crate::metrics::family::{Emit, Family, Source};

pub(super) const GROUP: Group = Group {
    title: "Machine",
    about: "Read once, when the agent starts. Labels `machine_id`, `system_uuid` and `boot_id` are those \
            the machine has; a virtual machine without DMI has no `system_uuid`.",
    families: &[
        Family {
            name: "machine_cpu_cores",
            help: "Logical CPUs that are online.",
            source: Source::new("/sys/devices/system/cpu"),
            emit: Emit::Machine(|machine, out| {
                out.push_some(machine.topology.count(|thread| Some(thread.cpu)));
            }),
            ..Family::SINGLE
        },
        Family {
            name: "machine_cpu_physical_cores",
            help: "Physical cores.",
            source: Source::new(TOPOLOGY),
            emit: Emit::Machine(|machine, out| {
                let cores = |of: &crate::metrics::machine::Thread| Some((of.package, of.core));
                out.push_some(machine.topology.count(cores));
            }),
            ..Family::SINGLE
        },
        Family {
            name: "machine_cpu_sockets",
            help: "CPU sockets.",
            source: Source::new(TOPOLOGY),
            emit: Emit::Machine(|machine, out| {
                out.push_some(machine.topology.count(|thread| Some(thread.package)));
            }),
            ..Family::SINGLE
        },
        Family {
            name: "machine_cpu_books",
            help: "CPU books.",
            source: Source::new(TOPOLOGY),
            absent: "not an s390 machine",
            emit: Emit::Machine(|machine, out| {
                out.push_some(machine.topology.count(|thread| thread.book));
            }),
            ..Family::SINGLE
        },
        Family {
            name: "machine_cpu_drawers",
            help: "CPU drawers.",
            source: Source::new(TOPOLOGY),
            absent: "not an s390 machine",
            emit: Emit::Machine(|machine, out| {
                out.push_some(machine.topology.count(|thread| thread.drawer));
            }),
            ..Family::SINGLE
        },
        Family {
            name: "machine_memory_bytes",
            unit: "bytes",
            help: "Memory of the machine.",
            source: Source::new("/proc/meminfo MemTotal"),
            emit: Emit::Machine(|machine, out| out.push_some(machine.memory_bytes)),
            ..Family::SINGLE
        },
        Family {
            name: "machine_swap_bytes",
            unit: "bytes",
            help: "Swap of the machine.",
            source: Source::new("/proc/meminfo SwapTotal"),
            emit: Emit::Machine(|machine, out| out.push_some(machine.swap_bytes)),
            ..Family::SINGLE
        },
        Family {
            name: "machine_dimm_count",
            help: "Memory modules, by type.",
            labels: &["type"],
            source: Source::new(EDAC),
            absent: NO_EDAC,
            emit: Emit::Machine(|machine, out| {
                for dimms in &machine.dimms {
                    out.push_with(&[("type", &dimms.kind)], dimms.count);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "machine_dimm_capacity_bytes",
            unit: "bytes",
            help: "Capacity of the memory modules, by type.",
            labels: &["type"],
            source: Source::new(EDAC),
            absent: NO_EDAC,
            emit: Emit::Machine(|machine, out| {
                for dimms in &machine.dimms {
                    out.push_with(&[("type", &dimms.kind)], dimms.bytes);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "machine_cpu_cache_capacity_bytes",
            unit: "bytes",
            help: "Capacity of a CPU cache; without core_id, of those that cores of the node share.",
            labels: &["node_id", "core_id", "type", "level"],
            source: Source::new("/sys/devices/system/cpu/cpuN/cache"),
            absent: "the machine does not tell its caches",
            emit: Emit::Machine(|machine, out| {
                for cache in &machine.caches {
                    let [node, level] = [cache.node, cache.level].map(|id| id.to_string());
                    let core = cache.core.map(|id| id.to_string()).unwrap_or_default();
                    let labels = [
                        ("node_id", node.as_str()),
                        ("type", &cache.kind),
                        ("level", &level),
                        ("core_id", &core),
                    ];
                    let told = if cache.core.is_some() { 4 } else { 3 };
                    out.push_with(labels.get(..told).unwrap_or_default(), cache.bytes);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "machine_thread_siblings_count",
            help: "Threads of the same core, this one included.",
            labels: &["node_id", "core_id", "thread_id"],
            source: Source::new(TOPOLOGY),
            emit: Emit::Machine(|machine, out| {
                for thread in &machine.topology.threads {
                    let ids = [thread.node, thread.core, thread.cpu].map(|id| id.to_string());
                    let [node, core, cpu] = ids.each_ref().map(String::as_str);
                    let labels = [("node_id", node), ("core_id", core), ("thread_id", cpu)];
                    out.push_with(&labels, machine.topology.siblings(thread));
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "machine_node_memory_capacity_bytes",
            unit: "bytes",
            help: "Memory of a NUMA node.",
            labels: &["node_id"],
            source: Source::new("/sys/devices/system/node/nodeN/meminfo"),
            absent: NO_NUMA,
            emit: Emit::Machine(|machine, out| {
                for node in &machine.nodes {
                    if let Some(bytes) = node.memory_bytes {
                        out.push_with(&[("node_id", &node.id.to_string())], bytes);
                    }
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "machine_node_hugepages_count",
            help: "Huge pages in a NUMA node's pool, by size in KiB.",
            labels: &["node_id", "page_size"],
            source: Source::new("/sys/devices/system/node/nodeN/hugepages"),
            absent: NO_NUMA,
            emit: Emit::Machine(|machine, out| {
                for node in &machine.nodes {
                    for pool in &node.huge_pages {
                        let ids = [node.id, pool.page_kib].map(|id| id.to_string());
                        let [node, size] = ids.each_ref().map(String::as_str);
                        out.push_with(&[("node_id", node), ("page_size", size)], pool.count);
                    }
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "machine_node_distance",
            help: "Distance between NUMA nodes; 10 is a node's own memory.",
            labels: &["node_id", "target_node_id"],
            source: Source::new("/sys/devices/system/node/nodeN/distance"),
            absent: NO_NUMA,
            emit: Emit::Machine(|machine, out| {
                for node in &machine.nodes {
                    for (target, distance) in &node.distances {
                        let ids = [node.id, *target].map(|id| id.to_string());
                        let [from, to] = ids.each_ref().map(String::as_str);
                        out.push_with(&[("node_id", from), ("target_node_id", to)], *distance);
                    }
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "machine_scrape_error",
            help: "1 if the CPUs or the memory of the machine could not be read, else 0.",
            source: Source::new("the agent"),
            emit: Emit::Machine(|machine, out| {
                let cpus = !machine.topology.threads.is_empty();
                out.push(!(cpus && machine.memory_bytes.is_some()));
            }),
            ..Family::SINGLE
        },
    ],
};

const TOPOLOGY: &str = "/sys/devices/system/cpu/cpuN/topology";
const EDAC: &str = "/sys/devices/system/edac/mc";
const NO_EDAC: &str = "no EDAC driver for the memory controller";
const NO_NUMA: &str = "the kernel has no NUMA support";
