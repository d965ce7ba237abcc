//! The containers that the agent runs itself.

use crate::metrics::catalogue::Group;
use crate::metrics::family::Kind::{Counter, Histogram};
use crate::metrics::family::{Emit, Family, Source};
use crate::metrics::launching::LaunchingReading;
use crate::metrics::samples::Samples;
use crate::metrics::scrape::Scrape;

const RECORDS: Source = Source::new("the records of the containers that the agent runs");
const AGENT: Source = Source::new("the agent, since it started");
const ABSENT: &str = "`engine.enable = false`";

pub(super) const GROUP: Group = Group {
    title: "Launched containers",
    about: "Containers that the agent runs itself; what each uses is in the families above, with its name.",
    families: &[
        Family {
            name: "plimsoll_launch_containers",
            help: "Containers by state: created, running, paused, restarting (waits for its restart policy), exited, removing.",
            labels: &["state"],
            source: RECORDS,
            absent: ABSENT,
            emit: Emit::Once(|scrape, out| {
                let Some(launching) = &scrape.launching else {
                    return;
                };
                for (state, count) in &launching.states {
                    out.push_with(&[("state", state)], *count);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_launch_images",
            help: "Images that are kept.",
            source: Source::new("the records of images"),
            absent: ABSENT,
            emit: Emit::Once(|scrape, out| one(scrape, out, |now| now.images)),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_launch_container_restarts",
            help: "Starts of a container by its restart policy since somebody started it: Docker's RestartCount.",
            labels: &["name"],
            source: RECORDS,
            absent: "no container has a restart policy",
            emit: Emit::Once(|scrape, out| {
                let Some(launching) = &scrape.launching else {
                    return;
                };
                for (name, count) in &launching.restarts {
                    out.push_with(&[("name", name)], *count);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_launch_container_health",
            help: "1 for what the health check of a running container says: starting, healthy or unhealthy.",
            labels: &["name", "health"],
            source: RECORDS,
            absent: "no container that runs has a health check",
            emit: Emit::Once(|scrape, out| {
                let Some(launching) = &scrape.launching else {
                    return;
                };
                for (name, health) in &launching.health {
                    out.push_with(&[("name", name), ("health", health)], 1_u64);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_launch_start_duration_seconds",
            kind: Histogram,
            unit: "seconds",
            help: "Time from the order to start a container to its first instruction.",
            source: AGENT,
            absent: "none was started yet",
            emit: Emit::Once(|scrape, out| {
                if let Some(launching) = &scrape.launching {
                    out.whole_histogram(&launching.starts);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_launch_start_failures_total",
            kind: Counter,
            help: "Containers that could not be started.",
            source: AGENT,
            absent: ABSENT,
            emit: Emit::Once(|scrape, out| one(scrape, out, |now| now.failed_starts)),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_launch_restarts_total",
            kind: Counter,
            help: "Starts by restart policies.",
            source: AGENT,
            absent: ABSENT,
            emit: Emit::Once(|scrape, out| one(scrape, out, |now| now.policy_restarts)),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_launch_health_checks_total",
            kind: Counter,
            help: "Health checks that were run.",
            source: AGENT,
            absent: ABSENT,
            emit: Emit::Once(|scrape, out| one(scrape, out, |now| now.health_checks)),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_launch_health_checks_failed_total",
            kind: Counter,
            help: "Health checks that failed or took too long.",
            source: AGENT,
            absent: ABSENT,
            emit: Emit::Once(|scrape, out| one(scrape, out, |now| now.failed_health_checks)),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_launch_shims_lost_total",
            kind: Counter,
            help: "Containers that ended because the process was killed that held them.",
            source: AGENT,
            absent: ABSENT,
            emit: Emit::Once(|scrape, out| one(scrape, out, |now| now.lost_shims)),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_launch_log_lines_lost_total",
            kind: Counter,
            help: "Lines of output that did not get into a container's log, counted when it ends.",
            source: AGENT,
            absent: ABSENT,
            emit: Emit::Once(|scrape, out| one(scrape, out, |now| now.lost_log_lines)),
            ..Family::SINGLE
        },
    ],
};

fn one(scrape: &Scrape<'_>, out: &mut Samples<'_>, of: impl Fn(&LaunchingReading) -> u64) {
    out.push_some(scrape.launching.as_ref().map(of));
}
