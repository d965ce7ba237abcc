//! Every exported family, once, in the order of the exposition; and what is not exported, and why.
//!
//! The families named `container_*` and `machine_*` are cAdvisor's: name, type, labels and meaning.

mod agent;
mod cpu;
mod disk;
mod enforcement;
mod engines;
mod host;
mod launching;
mod limits;
mod load;
mod machine;
mod memory;
mod network;
mod policy;
mod pressure;
mod probes;
mod process;
mod scrapes;
mod unexported;
mod workload;

use crate::metrics::family::Family;

pub(crate) use scrapes::{SCRAPE_BYTES, SCRAPE_DURATION, SCRAPES};
pub(crate) use unexported::UNEXPORTED;

/// Families of one subject: a chapter of the reference.
pub(crate) struct Group {
    pub(crate) title: &'static str,
    /// What holds for all of them; may be empty.
    pub(crate) about: &'static str,
    pub(crate) families: &'static [Family],
}

/// The catalogue.
pub(crate) const GROUPS: &[Group] = &[
    workload::GROUP,
    cpu::GROUP,
    load::GROUP,
    memory::GROUP,
    disk::GROUP,
    network::GROUP,
    network::LOOPBACK,
    pressure::GROUP,
    limits::GROUP,
    machine::GROUP,
    host::GROUP,
    policy::GROUP,
    enforcement::GROUP,
    probes::GROUP,
    agent::GROUP,
    engines::GROUP,
    launching::GROUP,
    scrapes::GROUP,
    process::GROUP,
];

/// All families of the catalogue.
pub(crate) fn families() -> impl Iterator<Item = &'static Family> {
    GROUPS.iter().flat_map(|group| group.families)
}
