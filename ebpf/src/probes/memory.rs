//! OOM kills.
//!
//! - Hooks: `tp_btf/mark_victim`.
//! - Writes: ring buffer `LIFECYCLE`; before v6.8, where the hook names only a pid, the map
//!   `OOM_VICTIMS_OPEN`, from which the victim's exit makes the record.
//! - Cost: an OOM kill takes milliseconds anyway.
//! - Needs: BTF tracepoints (5.5), ring buffer (5.8).
//! - Blind spots: before v6.8 a victim that never exits has no record.

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use plimsoll_abi::event::{OomRecord, kind};
use plimsoll_abi::map::loss;

use crate::kernel::{Pointer, header, task_ref};
use crate::layout::MARK_VICTIM_HAS_TASK;
use crate::maps::{LIFECYCLE, OOM_VICTIMS_OPEN, lost};

#[btf_tracepoint(function = "mark_victim")]
pub(crate) fn mark_victim(ctx: BtfTracePointContext) -> i32 {
    if MARK_VICTIM_HAS_TASK.load() == 1 {
        let task: Pointer = ctx.arg(0);
        let record = OomRecord {
            header: header(kind::OOM_KILL),
            victim: task_ref(task),
        };
        if LIFECYCLE.output::<OomRecord>(&record, 0).is_err() {
            lost(loss::LIFECYCLE);
        }
    } else {
        let pid: i32 = ctx.arg(0);
        let now = header(kind::OOM_KILL).boot_ns;
        if OOM_VICTIMS_OPEN.insert(pid as u32, now, 0).is_err() {
            lost(loss::OOM);
        }
    }
    0
}
