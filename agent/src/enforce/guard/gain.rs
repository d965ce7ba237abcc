//! Would a kill help?
//!
//! A kill by policy must plausibly relieve what it is for. Which resource that is, the condition
//! names; of that the target must use a fair part: of what the host has in use, or of its own limit,
//! where it is the limit that it is about. Where there is no figure to tell by, the policy decides: tasks
//! are nobody's but the target's own, and a fork bomb is to end before it is at its limit.

use crate::ledger::{HostReading, Workload};

/// Least part of what the whole host uses.
const OF_HOST: f64 = 0.05;
/// Least part of the workload's own limit.
const OF_LIMIT: f64 = 0.5;

/// A kill that would not help.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "killing it would not help: it uses {percent:.1} % of the host's {resource}, and little of its own limit"
)]
pub(crate) struct NoGain {
    resource: &'static str,
    percent: f64,
}

/// Is something gained, for this condition, when the workload ends?
///
/// # Errors
/// No: the figures say otherwise for every resource that the condition names.
pub(crate) fn plausible_gain(
    condition: &str,
    workload: &Workload,
    host: &HostReading,
) -> Result<(), NoGain> {
    let parts = [
        ("memory", "memory.", memory(workload, host)),
        ("CPU time", "cpu.", cpu(workload, host)),
    ];
    let named = parts
        .into_iter()
        .filter(|(_, name, _)| condition.contains(name));
    let mut refused = None;
    for (resource, _, part) in named {
        match part {
            Some(part) if !part.is_fair() => {
                let percent = part.of_host.unwrap_or(0.0) * 100.0;
                refused.get_or_insert(NoGain { resource, percent });
            }
            // Fair, or not known.
            Some(_) | None => return Ok(()),
        }
    }
    // Others (`io`, `net`, events) have no figure of one moment, or none of the host's.
    let others = [
        "io.",
        "net.",
        "pids.",
        "oom_kill",
        "exec",
        "exit",
        "namespace",
    ];
    match refused {
        Some(refused) if !others.iter().any(|other| condition.contains(other)) => Err(refused),
        Some(_) | None => Ok(()),
    }
}

/// What part of a resource the workload uses.
struct Part {
    of_host: Option<f64>,
    of_limit: Option<f64>,
}

impl Part {
    fn is_fair(&self) -> bool {
        self.of_host.is_some_and(|part| part >= OF_HOST)
            || self.of_limit.is_some_and(|part| part >= OF_LIMIT)
    }
}

fn memory(workload: &Workload, host: &HostReading) -> Option<Part> {
    let memory = workload.reading.memory?;
    let used = memory.usage_bytes + memory.swap_bytes.unwrap_or(0);
    let in_use = host.memory_bytes.checked_sub(host.memory_available_bytes);
    let max = workload.reading.limits.memory_max_bytes;
    Some(Part {
        of_host: in_use.and_then(|all| share(used, all)),
        of_limit: max.and_then(|max| share(memory.usage_bytes, max)),
    })
}

fn cpu(workload: &Workload, host: &HostReading) -> Option<Part> {
    let limits = &workload.reading.limits;
    let quota = limits
        .cpu_quota_us
        .zip(limits.cpu_period_us)
        .filter(|(_, period)| *period > 0)
        .map(|(quota, period)| quota as f64 / period as f64);
    let of_host = (host.cpus > 0).then(|| workload.cpu_cores / f64::from(host.cpus));
    Some(Part {
        of_host,
        of_limit: quota.map(|quota| workload.cpu_cores / quota),
    })
}

fn share(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cgroup::{MemoryReading, PidsReading};
    use crate::enforce::fixture::workload;

    const GIB: u64 = 1 << 30;

    fn host() -> HostReading {
        HostReading {
            cpus: 4,
            memory_bytes: 16 * GIB,
            memory_available_bytes: 4 * GIB,
            ..HostReading::default()
        }
    }

    fn using(bytes: u64, max: Option<u64>) -> Workload {
        let mut workload = workload("/a");
        workload.reading.memory = Some(MemoryReading {
            usage_bytes: bytes,
            ..MemoryReading::default()
        });
        workload.reading.limits.memory_max_bytes = max;
        workload
    }

    fn gain(condition: &str, workload: &Workload) -> bool {
        plausible_gain(condition, workload, &host()).is_ok()
    }

    #[test]
    fn who_uses_little_memory_is_not_killed_for_it() {
        let condition = "memory.usage above 90% of memory.max";
        // Of 12 GiB in use.
        assert!(!gain(condition, &using(GIB / 2, None)));
        assert!(gain(condition, &using(GIB, None)));
        // Its own limit is what it is about.
        assert!(gain(condition, &using(90 << 20, Some(100 << 20))));
        assert!(!gain(condition, &using(20 << 20, Some(100 << 20))));
        let refused = plausible_gain(condition, &using(GIB / 10, None), &host());
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("0.8 % of the host's memory"), "{said}");
    }

    #[test]
    fn cpu_is_held_against_the_host_and_the_quota() {
        let mut workload = workload("/a");
        workload.cpu_cores = 0.1;
        assert!(!gain("cpu.some pressure above 40%", &workload));
        workload.reading.limits.cpu_quota_us = Some(10_000);
        workload.reading.limits.cpu_period_us = Some(100_000);
        assert!(gain("cpu.throttled_ratio above 10%", &workload));
        workload.reading.limits.cpu_quota_us = None;
        workload.cpu_cores = 0.3;
        assert!(gain("cpu.usage above 20%", &workload));
    }

    #[test]
    fn one_resource_of_several_is_enough_and_the_unknown_is_left_to_the_policy() {
        let mut small = using(1 << 20, None);
        assert!(!gain(
            "memory.usage above 1MiB or memory.full above 2%",
            &small
        ));
        assert!(gain("memory.usage above 1MiB or io.full above 2%", &small));
        assert!(gain("oom_kill", &small));
        small.reading.pids = Some(PidsReading {
            current: 101,
            max: Some(400),
        });
        assert!(gain("pids.current above 100", &small));
        small.reading.memory = None;
        assert!(gain("memory.usage above 1MiB", &small));
    }
}
