//! From lines to state.

use std::collections::BTreeMap;

use super::entry::{Entry, Returned, decode};
use crate::enforce::claims::{Held, Slot};

/// What a journal says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) held: BTreeMap<Slot, Held>,
    /// What a guardian gave back, in this boot.
    pub(crate) returned: Vec<Returned>,
    /// Numbers of actions below this one are taken.
    pub(crate) next_action: u64,
    /// Lines, counted from 1, that are damaged; what they said is not known.
    pub(crate) damaged: Vec<u64>,
    /// Bytes at the end that are no whole line: a write that was cut short.
    pub(crate) torn_bytes: u64,
    /// Things held in another boot, which are gone with it.
    pub(crate) of_another_boot: u64,
}

/// Reads a journal in the boot `boot`. Total: any bytes have a state.
#[must_use]
pub(crate) fn fold(text: &[u8], boot: &str) -> State {
    let mut state = State {
        next_action: 1,
        ..State::default()
    };
    let mut earlier: BTreeMap<Slot, ()> = BTreeMap::new();
    let mut rest = text;
    let mut number = 0;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = rest.split_at(end);
        rest = after.strip_prefix(b"\n").unwrap_or_default();
        number += 1;
        let Some(line) = decode(line) else {
            state.damaged.push(number);
            continue;
        };
        if let Entry::Numbers { below } = line.entry {
            state.next_action = state.next_action.max(below);
            continue;
        }
        match (line.entry, line.boot == boot) {
            (Entry::Held(held), true) => {
                let last = held.claims().iter().map(|claim| claim.action).max();
                state.next_action = state.next_action.max(last.unwrap_or(0) + 1);
                state.held.insert(held.slot, *held);
            }
            (Entry::Gone(slot), true) => {
                state.held.remove(&slot);
            }
            (Entry::Held(held), false) => {
                earlier.insert(held.slot, ());
            }
            (Entry::Gone(slot), false) => {
                earlier.remove(&slot);
            }
            (Entry::Returned(returned), true) => state.returned.push(returned),
            (Entry::Numbers { .. } | Entry::Returned(_), _) => {}
        }
    }
    state.torn_bytes = rest.len() as u64;
    state.of_another_boot = earlier.len() as u64;
    state
}
