//! What the agent counts about scrapes. This very scrape is not among them yet.

use crate::metrics::catalogue::Group;
use crate::metrics::family::Kind::{Counter, Histogram};
use crate::metrics::family::{Emit, Family, Source};

pub(super) const GROUP: Group = Group {
    title: "Scrapes",
    about: "A scrape shows up in the next one.",
    families: &[SCRAPES, SCRAPE_DURATION, SCRAPE_BYTES],
};

pub(crate) const SCRAPES: Family = Family {
    name: "plimsoll_scrapes_total",
    kind: Counter,
    help: "Scrapes by outcome: finished, aborted (the client hung up or took nothing for long), refused (too many at once).",
    labels: &["outcome"],
    source: Source::new("the agent"),
    emit: Emit::Registry,
    ..Family::SINGLE
};

pub(crate) const SCRAPE_DURATION: Family = Family {
    name: "plimsoll_scrape_duration_seconds",
    kind: Histogram,
    unit: "seconds",
    help: "Time from request to the last byte handed over, of finished scrapes.",
    source: Source::new("the agent"),
    emit: Emit::Registry,
    ..Family::SINGLE
};

pub(crate) const SCRAPE_BYTES: Family = Family {
    name: "plimsoll_scrape_bytes_total",
    kind: Counter,
    unit: "bytes",
    help: "Bytes of text handed over.",
    source: Source::new("the agent"),
    emit: Emit::Registry,
    ..Family::SINGLE
};
