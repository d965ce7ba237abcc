//! Namespaces made and entered.
//!
//! - Hooks: `tp_btf/sched_process_fork` for clone and clone3 (parent and child are compared);
//!   `tracepoint/syscalls/sys_{enter,exit}_{unshare,setns}` for the others.
//! - Writes: ring buffer `LIFECYCLE`, one record when an inode number changed;
//!   `NAMESPACE_CALLS_OPEN` between enter and exit.
//! - Cost: a fork: two pointer comparisons. An attached system-call tracepoint sends *every*
//!   system call of the host through the kernel's slow entry path; see `docs/journal/`.
//! - Needs: BTF tracepoints (5.5); CONFIG_FTRACE_SYSCALLS and tracefs for unshare and setns.
//! - Blind spots: 32-bit system calls have tracepoints of their own name and are not traced.

use aya_ebpf::helpers::{bpf_get_current_pid_tgid, bpf_get_current_task};
use aya_ebpf::macros::{btf_tracepoint, tracepoint};
use aya_ebpf::programs::{BtfTracePointContext, TracePointContext};
use plimsoll_abi::event::{NamespaceRecord, kind};
use plimsoll_abi::map::loss;
use plimsoll_abi::namespace::KINDS;

use crate::kernel::{Pointer, header, namespaces, peek, task_ref};
use crate::layout as at;
use crate::maps::{LIFECYCLE, NAMESPACE_CALLS_OPEN, lost};

#[btf_tracepoint(function = "sched_process_fork")]
pub(crate) fn sched_process_fork(ctx: BtfTracePointContext) -> i32 {
    let _ = try_sched_process_fork(ctx.arg(0), ctx.arg(1)); // None: nothing new, the usual case.
    0
}

#[inline(always)]
fn try_sched_process_fork(parent: Pointer, child: Pointer) -> Option<()> {
    let same_proxy = peek::<Pointer>(parent, at::TASK_NSPROXY.load())?
        == peek::<Pointer>(child, at::TASK_NSPROXY.load())?;
    if same_proxy && user_namespace(parent)? == user_namespace(child)? {
        return None;
    }
    emit(
        kind::NAMESPACE_CLONE,
        child,
        namespaces(parent),
        namespaces(child),
    );
    Some(())
}

#[inline(always)]
fn user_namespace(task: Pointer) -> Option<Pointer> {
    let cred: Pointer = peek(task, at::TASK_CRED.load())?;
    peek(cred, at::CRED_USER_NS.load())
}

#[tracepoint(category = "syscalls", name = "sys_enter_unshare")]
pub(crate) fn sys_enter_unshare(_: TracePointContext) -> u32 {
    enter()
}

#[tracepoint(category = "syscalls", name = "sys_enter_setns")]
pub(crate) fn sys_enter_setns(_: TracePointContext) -> u32 {
    enter()
}

#[tracepoint(category = "syscalls", name = "sys_exit_unshare")]
pub(crate) fn sys_exit_unshare(_: TracePointContext) -> u32 {
    exit(kind::NAMESPACE_UNSHARE)
}

#[tracepoint(category = "syscalls", name = "sys_exit_setns")]
pub(crate) fn sys_exit_setns(_: TracePointContext) -> u32 {
    exit(kind::NAMESPACE_SETNS)
}

#[inline(always)]
fn enter() -> u32 {
    let caller = bpf_get_current_pid_tgid();
    if (caller >> 32) as u32 == at::AGENT_TGID.load() {
        return 0;
    }
    if NAMESPACE_CALLS_OPEN
        .insert(caller, namespaces(current()), 0)
        .is_err()
    {
        lost(loss::NAMESPACE);
    }
    0
}

/// A call that failed changed nothing, so comparing tells success too.
#[inline(always)]
fn exit(kind: u32) -> u32 {
    let caller = bpf_get_current_pid_tgid();
    // SAFETY: only this task writes the entry under its key.
    let Some(before) = (unsafe { NAMESPACE_CALLS_OPEN.get(caller) }).copied() else {
        return 0;
    };
    // It was there a moment ago and only this task removes it.
    let _ = NAMESPACE_CALLS_OPEN.remove(caller);
    emit(kind, current(), before, namespaces(current()));
    0
}

#[inline(always)]
fn current() -> Pointer {
    // SAFETY: the helper has no preconditions.
    (unsafe { bpf_get_current_task() }) as Pointer
}

#[inline(always)]
fn emit(kind: u32, task: Pointer, before: [u32; KINDS], after: [u32; KINDS]) {
    if before == after {
        return;
    }
    let record = NamespaceRecord {
        header: header(kind),
        task: task_ref(task),
        before,
        after,
    };
    if LIFECYCLE.output::<NamespaceRecord>(&record, 0).is_err() {
        lost(loss::LIFECYCLE);
    }
}
