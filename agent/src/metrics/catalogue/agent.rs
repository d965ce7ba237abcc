//! The agent's readings.

use crate::metrics::catalogue::Group;
use crate::metrics::family::Kind::{Counter, Histogram, Info};
use crate::metrics::family::{Emit, Family, Source};

pub(super) const GROUP: Group = Group {
    title: "The agent's readings",
    about: "",
    families: &[
        Family {
            name: "plimsoll_build_info",
            kind: Info,
            help: "Version of the agent.",
            labels: &["version", "architecture"],
            source: Source::new("the build"),
            emit: Emit::Once(|_, out| {
                let labels = [
                    ("version", env!("CARGO_PKG_VERSION")),
                    ("architecture", std::env::consts::ARCH),
                ];
                out.push_with(&labels, 1_u64);
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_ticks_total",
            kind: Counter,
            help: "Readings taken of everything.",
            source: Source::new("the ledger"),
            emit: Emit::Once(|scrape, out| out.push(scrape.snapshot.tick)),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_snapshot_timestamp_seconds",
            unit: "seconds",
            help: "When what this scrape shows was read, since the epoch.",
            source: Source::new("the ledger"),
            absent: "before the first reading",
            emit: Emit::Once(|scrape, out| {
                if scrape.snapshot.tick > 0 {
                    out.push(scrape.snapshot.taken);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_reading_duration_seconds",
            kind: Histogram,
            unit: "seconds",
            help: "Time that the readings of one tick took.",
            source: Source::new("the ledger"),
            absent: "before the first reading",
            emit: Emit::Once(|scrape, out| {
                out.whole_histogram(&scrape.snapshot.agent.reading_time);
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_last_reading_duration_seconds",
            unit: "seconds",
            help: "Time that the readings of the last tick took.",
            source: Source::new("the ledger"),
            absent: "before the first reading",
            emit: Emit::Once(|scrape, out| {
                if scrape.snapshot.tick > 0 {
                    out.push(scrape.snapshot.agent.last_reading_time.as_secs_f64());
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_cgroups_read",
            help: "Cgroups whose files were read in the last tick; the others were idle.",
            source: Source::new("the ledger"),
            emit: Emit::Once(|scrape, out| out.push(scrape.snapshot.agent.cgroups_read)),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_reader_open_files",
            help: "Files kept open for reading.",
            source: Source::new("the readers"),
            emit: Emit::Once(|scrape, out| out.push(scrape.snapshot.agent.open_files)),
            ..Family::SINGLE
        },
    ],
};
