//! The readings of own cgroups against the kernel's files, which the tests read and parse anew.
//!
//! Counters run on between two looks, so a value is held between what the oracle said before and
//! after it: tighter than any percentage, and independent of the machine's load.
#![allow(clippy::unwrap_used)]

mod cost;
mod io;
mod memory;
mod state;
mod time;
mod unified;

use plimsoll::cgroup::{Layout, Placement, Reader, Reading, Scratch};

use crate::support::OwnCgroup;

/// Our side of a comparison: a reader of the cgroup under test.
struct Ours {
    reader: Reader,
    scratch: Scratch,
}

impl Ours {
    fn of(own: &OwnCgroup, hierarchies: &[&str]) -> Self {
        let reader = Reader::open(&Layout::detect().unwrap(), &placement(own, hierarchies));
        Self {
            reader,
            scratch: Scratch::default(),
        }
    }

    fn read(&mut self) -> Reading {
        self.reader.read(&mut self.scratch).unwrap()
    }
}

/// Where the cgroup is, in the layout's terms.
fn placement(own: &OwnCgroup, hierarchies: &[&str]) -> Placement {
    let layout = Layout::detect().unwrap();
    let mounted = hierarchies.iter().map(|hierarchy| {
        let mount = own.directory(hierarchy).parent().unwrap();
        let found = layout
            .hierarchies()
            .iter()
            .find(|hierarchy| hierarchy.mount == mount);
        (found.unwrap().id, own.path())
    });
    Placement {
        paths: mounted.collect(),
    }
}

/// Is `value` what the oracle said before, after, or between?
#[track_caller]
fn assert_between(what: &str, before: u64, value: u64, after: u64) {
    assert!(
        (before..=after).contains(&value),
        "{what}: {value} is not in {before}..={after}"
    );
}
