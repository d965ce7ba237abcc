//! What a workload is, whether it lives, and what its processes did.

use crate::identity::{Identity, Kind};
use crate::ledger::Life;
use crate::metrics::catalogue::Group;
use crate::metrics::family::Kind::{Counter, Info};
use crate::metrics::family::{Emit, Family, Source};
use crate::metrics::samples::Samples;

pub(super) const GROUP: Group = Group {
    title: "Workloads",
    about: "One series for each workload. `container_scrape_error` alone has no labels.",
    families: &[
        Family {
            name: "container_last_seen",
            unit: "seconds",
            help: "Last time the workload was seen: now for one that lives, else the time of its end.",
            source: Source::new("clock, or cgroup_release or cgroup_rmdir for the end"),
            emit: Emit::Workload(|scrape, workload, out| {
                out.push(match workload.life {
                    Life::Alive | Life::Frozen => scrape.now,
                    Life::Dead { since } => since,
                });
            }),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_start_time_seconds",
            unit: "seconds",
            help: "When the workload's cgroup was made, since the epoch.",
            source: Source::new(
                "cgroup_mkdir, or the directory's time for what was there before the agent",
            ),
            stamped: false,
            emit: Emit::Workload(|_, workload, out| out.push(workload.created)),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_creation_time_seconds",
            unit: "seconds",
            help: "When the workload's cgroup was made, since the epoch; an engine that restarts a container makes a new one.",
            source: Source::new("as container_start_time_seconds"),
            stamped: false,
            emit: Emit::Workload(|_, workload, out| out.push(workload.created)),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_oom_events_total",
            kind: Counter,
            help: "OOM kills in the workload since the agent first saw it.",
            source: Source::new("tracepoint oom/mark_victim"),
            absent: "the OOM probe is off",
            probe: Some("mark_victim"),
            emit: Emit::Workload(|_, workload, out| out.push(workload.oom_kills)),
            ..Family::WORKLOAD
        },
        Family {
            name: "container_scrape_error",
            help: "1 if there is no reading of any workload yet, else 0.",
            source: Source::new("the agent"),
            emit: Emit::Once(|scrape, out| out.push(scrape.snapshot.tick == 0)),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_container_info",
            kind: Info,
            help: "What the workload is and who made it.",
            labels: &["runtime", "kind", "container_id", "pod_uid", "unit"],
            source: Source::new("cgroup path, engine"),
            stamped: false,
            emit: Emit::Workload(|_, workload, out| info(&workload.identity, out)),
            ..Family::WORKLOAD
        },
        Family {
            name: "plimsoll_container_frozen",
            help: "1 while the workload is frozen, else 0.",
            source: Source::split("cgroup.events, cgroup_notify_frozen", "freezer.state"),
            emit: Emit::Workload(|_, workload, out| out.push(workload.life == Life::Frozen)),
            ..Family::WORKLOAD
        },
        Family {
            name: "plimsoll_container_context_switches_total",
            kind: Counter,
            help: "Times a task of the workload was switched in.",
            source: Source::new("tracepoint sched/sched_switch"),
            absent: "the scheduler probe is off, or the workload is in no cgroup v2 of its own",
            emit: Emit::Workload(|_, workload, out| out.push_some(workload.switches)),
            ..Family::WORKLOAD
        },
        Family {
            name: "plimsoll_container_execs_total",
            kind: Counter,
            help: "Programs started in the workload.",
            source: Source::new("tracepoint sched/sched_process_exec"),
            absent: "the process probe is off",
            probe: Some("sched_process_exec"),
            emit: Emit::Workload(|_, workload, out| out.push(workload.execs)),
            ..Family::WORKLOAD
        },
        Family {
            name: "plimsoll_container_exits_total",
            kind: Counter,
            help: "Processes of the workload that ended.",
            source: Source::new("tracepoint sched/sched_process_exit"),
            absent: "the process probe is off",
            probe: Some("sched_process_exit"),
            emit: Emit::Workload(|_, workload, out| out.push(workload.exits)),
            ..Family::WORKLOAD
        },
        Family {
            name: "plimsoll_container_foreign_namespace_enters_total",
            kind: Counter,
            help: "Tasks of other workloads that entered a namespace of this one.",
            source: Source::new("system call setns"),
            absent: "the namespace probe is off",
            probe: Some("sys_exit_setns"),
            emit: Emit::Workload(|_, workload, out| out.push(workload.foreign_namespace_enters)),
            ..Family::WORKLOAD
        },
    ],
};

/// Labels that are not set are not written: they come last, and the slice ends before them.
fn info(identity: &Identity, out: &mut Samples<'_>) {
    let mut labels = [
        ("runtime", identity.runtime.name()),
        ("kind", identity.kind.name()),
        ("", ""),
        ("", ""),
        ("", ""),
    ];
    let unit = matches!(identity.kind, Kind::Unit | Kind::Slice);
    let optional = [
        ("container_id", identity.container_id.as_deref()),
        ("pod_uid", identity.pod_uid.as_deref()),
        ("unit", identity.name.as_deref().filter(|_| unit)),
    ];
    let set = optional
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let mut used = 2;
    for (slot, label) in labels.iter_mut().skip(2).zip(set) {
        *slot = label;
        used += 1;
    }
    out.push_with(labels.get(..used).unwrap_or_default(), 1_u64);
}
