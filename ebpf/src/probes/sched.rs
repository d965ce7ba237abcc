//! Scheduler.
//!
//! - Hooks: `tp_btf/sched_switch`.
//! - Writes: `CGROUP_ACTIVITY`, by the cgroup v2 id of the task that is switched in.
//! - Cost: three loads and one per-CPU hash look-up a switch; see `docs/journal/`.
//! - Needs: BTF tracepoints (5.5).
//! - Blind spots: a task that only cgroup v1 holds counts for the v2 root. CPU *time* is the
//!   kernel's own (`cpu.stat`, `cpuacct`); this only counts.

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use plimsoll_abi::map::{Activity, loss};

use crate::kernel::{Pointer, task_cgroup_id_direct};
use crate::maps::{CGROUP_ACTIVITY, lost};

#[btf_tracepoint(function = "sched_switch")]
pub(crate) fn sched_switch(ctx: BtfTracePointContext) -> i32 {
    try_sched_switch(&ctx);
    0
}

#[inline(always)]
fn try_sched_switch(ctx: &BtfTracePointContext) {
    // (bool preempt, struct task_struct *prev, struct task_struct *next, …)
    let next: Pointer = ctx.arg(2);
    let id = task_cgroup_id_direct(next);
    let Some(activity) = activity(id) else {
        return lost(loss::ACTIVITY);
    };
    // SAFETY: the value is this CPU's own, and this hook does not nest on a CPU.
    unsafe { (*activity).switches = (*activity).switches.wrapping_add(1) };
}

/// This CPU's value of the cgroup; made by the first switch.
#[inline(always)]
fn activity(id: u64) -> Option<*mut Activity> {
    if let Some(activity) = CGROUP_ACTIVITY.get_ptr_mut(id) {
        return Some(activity);
    }
    // Another CPU may have made it meanwhile: only the second look-up tells whether there was room.
    let _ = CGROUP_ACTIVITY.insert(id, Activity { switches: 0 }, u64::from(BPF_NOEXIST));
    CGROUP_ACTIVITY.get_ptr_mut(id)
}
