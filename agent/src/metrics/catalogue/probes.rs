//! The BPF programs: which are attached, and what they cost.

use crate::ledger::{ProbeReading, ProbeState};
use crate::metrics::catalogue::Group;
use crate::metrics::exposition::Value;
use crate::metrics::family::Kind::Counter;
use crate::metrics::family::{Emit, Family, Source};

const STATES: [&str; 5] = ["attached", "degraded", "unsupported", "failed", "disabled"];

pub(super) const GROUP: Group = Group {
    title: "Probes",
    about: "The reason for a state is in `plimsoll probes` and in the log.",
    families: &[
        Family {
            name: "plimsoll_probe_state",
            help: "1 for the state the probe is in, 0 for the others.",
            labels: &["probe", "hook", "state"],
            source: Source::new("the kernel's answer to load and attach"),
            emit: Emit::Once(|scrape, out| {
                for probe in &scrape.snapshot.agent.probes {
                    let current = state(&probe.state);
                    for state in STATES {
                        let [name, hook] = labels(probe);
                        out.push_with(&[name, hook, ("state", state)], state == current);
                    }
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_probe_runs_total",
            kind: Counter,
            help: "Times the probe ran.",
            labels: &["probe", "hook"],
            source: Source::new("kernel.bpf_stats_enabled run_cnt"),
            absent: NO_STATISTICS,
            emit: Emit::Once(|scrape, out| {
                for probe in ran(&scrape.snapshot.agent.probes) {
                    out.push_with(&labels(probe), probe.run_count);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_probe_run_seconds_total",
            kind: Counter,
            unit: "seconds",
            help: "CPU time spent in the probe.",
            labels: &["probe", "hook"],
            source: Source::new("kernel.bpf_stats_enabled run_time_ns"),
            absent: NO_STATISTICS,
            emit: Emit::Once(|scrape, out| {
                for probe in ran(&scrape.snapshot.agent.probes) {
                    out.push_with(&labels(probe), Value::Nanoseconds(probe.run_ns));
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_probe_verified_instructions",
            help: "Instructions that the kernel's verifier walked.",
            labels: &["probe", "hook"],
            source: Source::new("bpf_prog_info verified_insns"),
            absent: "not loaded, or before Linux 5.16",
            emit: Emit::Once(|scrape, out| {
                for probe in &scrape.snapshot.agent.probes {
                    if let Some(count) = probe.verified_instructions {
                        out.push_with(&labels(probe), u64::from(count));
                    }
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_events_total",
            kind: Counter,
            help: "Events taken from a ring buffer.",
            labels: &["ring"],
            source: Source::new("the event stream"),
            emit: Emit::Once(|scrape, out| {
                for ring in &scrape.snapshot.agent.events {
                    out.push_with(&[("ring", &ring.name)], ring.count);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_losses_total",
            kind: Counter,
            help: "What could not be recorded, because a ring buffer, map or queue was full.",
            labels: &["what"],
            source: Source::new("the programs' own count, and that of the agent's queues"),
            emit: Emit::Once(|scrape, out| {
                for loss in &scrape.snapshot.agent.losses {
                    out.push_with(&[("what", &loss.name)], loss.count);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_map_used",
            help: "Entries (of a ring buffer: bytes) in use.",
            labels: &["map"],
            source: Source::new("the maps"),
            emit: Emit::Once(|scrape, out| {
                for map in &scrape.snapshot.agent.maps {
                    out.push_with(&[("map", &map.map)], map.used);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_map_capacity",
            help: "Entries (of a ring buffer: bytes) there is room for.",
            labels: &["map"],
            source: Source::new("the maps"),
            emit: Emit::Once(|scrape, out| {
                for map in &scrape.snapshot.agent.maps {
                    out.push_with(&[("map", &map.map)], map.capacity);
                }
            }),
            ..Family::SINGLE
        },
    ],
};

const NO_STATISTICS: &str = "it never ran, or `probes.run_time_stats` is off";

fn labels(probe: &ProbeReading) -> [(&'static str, &str); 2] {
    [("probe", &probe.name), ("hook", &probe.hook)]
}

/// A count of 0 may be no count at all.
fn ran(probes: &[ProbeReading]) -> impl Iterator<Item = &ProbeReading> {
    probes.iter().filter(|probe| probe.run_count > 0)
}

const fn state(state: &ProbeState) -> &'static str {
    match state {
        ProbeState::Attached => "attached",
        ProbeState::Degraded(_) => "degraded",
        ProbeState::Unsupported(_) => "unsupported",
        ProbeState::Failed(_) => "failed",
        ProbeState::Disabled => "disabled",
    }
}
