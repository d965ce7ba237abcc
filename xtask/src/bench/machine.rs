//! What the numbers were measured on; no names.

use std::fs;

/// One line about kernel and processor.
pub(crate) fn describe() -> String {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let kernel = text("/proc/sys/kernel/osrelease");
    let cpus = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let processors = text("/proc/cpuinfo");
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let memory_kib: u64 = text("/proc/meminfo")
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    let virtual_machine = processors.contains(" hypervisor");
    format!(
        "Linux {}, {cpus} CPUs ({model}{}), {} GiB",
        kernel.trim(),
        if virtual_machine { ", virtual" } else { "" },
        memory_kib >> 20
    )
}

/// The three load averages.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Agents that run already: their probes are in every number.
pub(crate) fn other_agents() -> usize {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| fs::read_to_string(process.path().join("cmdline")).ok())
        .filter(|line| {
            let mut words = line.split('\0');
            let program = words.next().unwrap_or_default();
            program.ends_with("/plimsoll") && words.any(|word| word == "agent")
        })
        .count()
}
