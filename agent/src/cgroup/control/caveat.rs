//! What can be set and does not do all that its name promises.

use super::{Knob, io, memory};
use crate::cgroup::{Controller, Hierarchy, Layout};

const WEIGHT: &str = "only disks with io.cost enabled, or whose scheduler is bfq, heed this weight";

/// What an operator must know of a knob on this host, whatever the workload.
#[must_use]
pub fn caveat_on(layout: &Layout, knob: Knob) -> Option<&'static str> {
    let is_unified = |controller| layout.controller(controller).map(Hierarchy::is_unified);
    let unified = is_unified(knob.controller())?;
    match knob {
        Knob::IoWeight => Some(WEIGHT),
        _ => of(knob, unified, is_unified(Controller::Memory) == Some(true)),
    }
}

/// By where the knob and the memory controller are.
pub(super) fn of(knob: Knob, unified: bool, memory_unified: bool) -> Option<&'static str> {
    match (knob, unified) {
        (Knob::IoMax(_), false) => Some(io::V1_SEES_NO_BUFFERED_WRITES),
        (Knob::IoMax(_), true) if !memory_unified => Some(io::NO_WRITEBACK_WITHOUT_MEMORY),
        (Knob::MemorySwapMax, false) => Some(memory::V1_COUNTS_SWAP_WITH_MEMORY),
        _ => None,
    }
}
