//! Life of processes.
//!
//! - Hooks: `tp_btf/sched_process_exec`, `tp_btf/sched_process_exit`.
//! - Writes: ring buffer `PROCESS`, one record an exec and one when a process's last task exits;
//!   on kernels whose `mark_victim` has no task, also the OOM record of a victim, in `LIFECYCLE`.
//! - Cost: under a microsecond an event.
//! - Needs: BTF tracepoints (5.5), ring buffer (5.8).
//!   Before v6.16 tasks that end at once may each look like the last: `ENDED_LATELY` lets one through.
//! - Blind spots: a fork that never calls exec has no record of its start.

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use plimsoll_abi::event::{OomRecord, ProcessRecord, kind};
use plimsoll_abi::map::{EndedKey, loss};

use crate::kernel::{Pointer, header, peek, task_ref};
use crate::layout as at;
use crate::maps::{ENDED_LATELY, LIFECYCLE, OOM_VICTIMS_OPEN, PROCESS, lost};

/// The key is there (include/uapi/asm-generic/errno-base.h).
const EEXIST: i32 = -17;

#[btf_tracepoint(function = "sched_process_exec")]
pub(crate) fn sched_process_exec(ctx: BtfTracePointContext) -> i32 {
    let task: Pointer = ctx.arg(0);
    emit(ProcessRecord {
        header: header(kind::PROCESS_EXEC),
        task: task_ref(task),
        status: 0,
        reserved: 0,
    });
    0
}

#[btf_tracepoint(function = "sched_process_exit")]
pub(crate) fn sched_process_exit(ctx: BtfTracePointContext) -> i32 {
    let task: Pointer = ctx.arg(0);
    let _ = try_sched_process_exit(&ctx, task); // None: not the last task, or a kernel thread.
    0
}

#[inline(always)]
fn try_sched_process_exit(ctx: &BtfTracePointContext, task: Pointer) -> Option<()> {
    let signal: Pointer = peek(task, at::TASK_SIGNAL.load())?;
    if at::EXIT_TELLS_LAST.load() == 1 {
        let last: i32 = ctx.arg(1);
        if last & 1 == 0 {
            return None;
        }
    } else if !ends_process(task, signal)? {
        return None;
    }
    // exit_group() leaves its code in the signal struct; a lone exit() only in the task.
    let group: i32 = peek(signal, at::SIGNAL_GROUP_EXIT_CODE.load())?;
    let own: i32 = peek(task, at::TASK_EXIT_CODE.load())?;
    let task = task_ref(task);
    if at::MARK_VICTIM_HAS_TASK.load() == 0 && OOM_VICTIMS_OPEN.remove(task.tgid).is_ok() {
        let record = OomRecord {
            header: header(kind::OOM_KILL),
            victim: task,
        };
        if LIFECYCLE.output::<OomRecord>(&record, 0).is_err() {
            lost(loss::LIFECYCLE);
        }
    }
    emit(ProcessRecord {
        header: header(kind::PROCESS_EXIT),
        task,
        status: (if group != 0 { group } else { own }) as u32,
        reserved: 0,
    });
    Some(())
}

/// Whether the process ends with this task, and was not told of already.
#[inline(always)]
fn ends_process(task: Pointer, signal: Pointer) -> Option<bool> {
    // do_exit() has taken this task off: 0 is the last, or one of several that are on their way
    // from there to the hook (kernel/exit.c, v6.12).
    if peek::<i32>(signal, at::SIGNAL_LIVE.load())? != 0 {
        return Some(false);
    }
    let leader: Pointer = peek(task, at::TASK_GROUP_LEADER.load())?;
    let process = EndedKey {
        start_ns: peek(leader, at::TASK_START.load())?,
        tgid: peek(task, at::TASK_TGID.load())?,
        reserved: 0,
    };
    let told = ENDED_LATELY.insert(process, 1, u64::from(BPF_NOEXIST));
    Some(told != Err(EEXIST))
}

#[inline(always)]
fn emit(record: ProcessRecord) {
    if PROCESS.output::<ProcessRecord>(&record, 0).is_err() {
        lost(loss::PROCESS);
    }
}
