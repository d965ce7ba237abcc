//! All tasks in one pass, when the agent reads the iterator.
//!
//! - Hooks: `iter/task`.
//! - Writes: one `TaskSample` a task into the iterator's seq_file.
//! - Cost: some hundred nanoseconds a task, on the agent's own time.
//! - Needs: BPF iterators (5.8).
//! - Blind spots: tasks that come and go between two passes.

use core::ffi::c_void;

use aya_ebpf::helpers::bpf_seq_write;
use plimsoll_abi::map::TaskSample;

use crate::kernel::{Pointer, namespaces, peek, task_cgroup_id, task_memory_cgroup_id};
use crate::layout as at;

/// `struct bpf_iter__task` (kernel/bpf/task_iter.c, v6.12).
#[repr(C)]
struct TaskContext {
    meta: *const Meta,
    /// NULL at the end of the walk.
    task: Pointer,
}

/// `struct bpf_iter_meta` (include/linux/bpf.h, v6.12): fixed layout, part of the BPF ABI.
#[repr(C)]
struct Meta {
    seq: *mut c_void,
}

/// aya has no macro for iterators; the section name is the interface.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
extern "C" fn task_iterator(ctx: *const TaskContext) -> i32 {
    // SAFETY: the kernel passes a valid context.
    let (meta, task) = unsafe { ((*ctx).meta, (*ctx).task) };
    if task.is_null() {
        return 0;
    }
    let sample = TaskSample {
        cgroup_id: task_cgroup_id(task),
        memory_cgroup_id: task_memory_cgroup_id(task),
        tgid: peek(task, at::TASK_TGID.load()).unwrap_or(0),
        tid: peek(task, at::TASK_PID.load()).unwrap_or(0),
        state: peek(task, at::TASK_STATE.load()).unwrap_or(0),
        reserved: 0,
        namespaces: namespaces(task),
    };
    // A full buffer makes the kernel end this read and call again for the same task.
    // SAFETY: `meta` and its seq_file are valid in this call; the sample is on our stack.
    unsafe {
        bpf_seq_write(
            (*meta).seq.cast(),
            core::ptr::from_ref(&sample).cast_mut().cast(),
            size_of::<TaskSample>() as u32,
        )
    };
    0
}
