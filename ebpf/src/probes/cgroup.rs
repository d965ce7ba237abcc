//! Life of cgroups, in every hierarchy.
//!
//! - Hooks: `tp_btf/cgroup_{mkdir,rmdir,release,rename,freeze,unfreeze,attach_task,
//!   transfer_tasks,notify_populated,notify_frozen}`.
//! - Writes: ring buffer `LIFECYCLE`, one record each, with the path as the kernel prints it.
//! - Cost: about a microsecond an event; events are rare.
//! - Needs: BTF tracepoints (5.5), ring buffer (5.8).
//! - Blind spots: none known; a path over 1,023 bytes is cut (by the kernel).

use aya_ebpf::helpers::{bpf_get_current_pid_tgid, bpf_probe_read_kernel_str_bytes};
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use aya_log_ebpf::debug;
use plimsoll_abi::event::{CgroupRecord, PATH_MAX, kind};
use plimsoll_abi::map::loss;

use crate::kernel::{self, Pointer, header, peek};
use crate::layout as at;
use crate::maps::{CGROUP_SCRATCH, LIFECYCLE, lost};

#[btf_tracepoint(function = "cgroup_mkdir")]
pub(crate) fn cgroup_mkdir(ctx: BtfTracePointContext) -> i32 {
    record(&ctx, kind::CGROUP_MKDIR, acting_task(), 0)
}

#[btf_tracepoint(function = "cgroup_rmdir")]
pub(crate) fn cgroup_rmdir(ctx: BtfTracePointContext) -> i32 {
    record(&ctx, kind::CGROUP_RMDIR, acting_task(), 0)
}

#[btf_tracepoint(function = "cgroup_release")]
pub(crate) fn cgroup_release(ctx: BtfTracePointContext) -> i32 {
    record(&ctx, kind::CGROUP_RELEASE, acting_task(), 0)
}

#[btf_tracepoint(function = "cgroup_rename")]
pub(crate) fn cgroup_rename(ctx: BtfTracePointContext) -> i32 {
    record(&ctx, kind::CGROUP_RENAME, acting_task(), 0)
}

#[btf_tracepoint(function = "cgroup_freeze")]
pub(crate) fn cgroup_freeze(ctx: BtfTracePointContext) -> i32 {
    record(&ctx, kind::CGROUP_FREEZE, acting_task(), 0)
}

#[btf_tracepoint(function = "cgroup_unfreeze")]
pub(crate) fn cgroup_unfreeze(ctx: BtfTracePointContext) -> i32 {
    record(&ctx, kind::CGROUP_UNFREEZE, acting_task(), 0)
}

#[btf_tracepoint(function = "cgroup_notify_populated")]
pub(crate) fn cgroup_notify_populated(ctx: BtfTracePointContext) -> i32 {
    let value: i32 = ctx.arg(2);
    record(
        &ctx,
        kind::CGROUP_NOTIFY_POPULATED,
        acting_task(),
        value as u32,
    )
}

#[btf_tracepoint(function = "cgroup_notify_frozen")]
pub(crate) fn cgroup_notify_frozen(ctx: BtfTracePointContext) -> i32 {
    let value: i32 = ctx.arg(2);
    record(
        &ctx,
        kind::CGROUP_NOTIFY_FROZEN,
        acting_task(),
        value as u32,
    )
}

#[btf_tracepoint(function = "cgroup_attach_task")]
pub(crate) fn cgroup_attach_task(ctx: BtfTracePointContext) -> i32 {
    let whole_process: i32 = ctx.arg(3);
    record(
        &ctx,
        kind::CGROUP_ATTACH_TASK,
        attached_task(&ctx),
        (whole_process & 1) as u32,
    )
}

#[btf_tracepoint(function = "cgroup_transfer_tasks")]
pub(crate) fn cgroup_transfer_tasks(ctx: BtfTracePointContext) -> i32 {
    let whole_process: i32 = ctx.arg(3);
    record(
        &ctx,
        kind::CGROUP_TRANSFER_TASKS,
        attached_task(&ctx),
        (whole_process & 1) as u32,
    )
}

/// tgid and tid of the task that runs.
#[inline(always)]
fn acting_task() -> (u32, u32) {
    let both = bpf_get_current_pid_tgid();
    ((both >> 32) as u32, both as u32)
}

/// tgid and tid of the third argument.
#[inline(always)]
fn attached_task(ctx: &BtfTracePointContext) -> (u32, u32) {
    let task: Pointer = ctx.arg(2);
    (
        peek(task, at::TASK_TGID.load()).unwrap_or(0),
        peek(task, at::TASK_PID.load()).unwrap_or(0),
    )
}

#[inline(always)]
fn record(ctx: &BtfTracePointContext, kind: u32, (tgid, tid): (u32, u32), value: u32) -> i32 {
    if try_record(ctx, kind, tgid, tid, value).is_none() {
        lost(loss::LIFECYCLE);
        debug!(ctx, "cgroup record of kind {} lost", kind);
    }
    0
}

/// All these hooks start with (struct cgroup *, const char *path).
#[inline(always)]
fn try_record(
    ctx: &BtfTracePointContext,
    kind: u32,
    tgid: u32,
    tid: u32,
    value: u32,
) -> Option<()> {
    let cgroup: Pointer = ctx.arg(0);
    let path: *const u8 = ctx.arg(1);
    let scratch = CGROUP_SCRATCH.get_ptr_mut(0)?;
    // SAFETY: the slot is this CPU's own. A BPF program is not preempted by another of the same
    // tracepoint on its CPU, and the kernel holds `trace_cgroup_path_lock` around these hooks
    // with interrupts off (kernel/cgroup/cgroup-internal.h TRACE_CGROUP_PATH(), v6.12).
    let scratch = unsafe { &mut *scratch };
    let root: Pointer = peek(cgroup, at::CGROUP_ROOT.load())?;
    // SAFETY: the helper checks the source address and is bounded by the destination.
    let path_len =
        unsafe { bpf_probe_read_kernel_str_bytes(path, &mut scratch.path) }.map_or(0, <[u8]>::len);
    scratch.record = CgroupRecord {
        header: header(kind),
        cgroup_id: kernel::cgroup_id(cgroup)?,
        hierarchy: peek(root, at::CGROUP_ROOT_HIERARCHY_ID.load())?,
        level: peek(cgroup, at::CGROUP_LEVEL.load())?,
        tgid,
        tid,
        value,
        path_len: path_len as u32,
    };
    if path_len >= PATH_MAX {
        return None;
    }
    let length = size_of::<CgroupRecord>() + path_len;
    let start = core::ptr::from_ref(scratch).cast::<u8>();
    // SAFETY: `length` is within the scratch value: checked above.
    let bytes = unsafe { core::slice::from_raw_parts(start, length) };
    LIFECYCLE.output::<[u8]>(bytes, 0).ok()
}
