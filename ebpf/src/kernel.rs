//! Reads of kernel structs.
//!
//! Two ways: [`follow`] and [`load`] dereference a BTF-typed pointer directly (the verifier checks
//! the offset against the running kernel's types, a fault reads as 0), for hot hooks; [`peek`]
//! goes through `bpf_probe_read_kernel`, for pointers the verifier does not type.

use aya_ebpf::helpers::{bpf_ktime_get_boot_ns, bpf_probe_read_kernel};
use plimsoll_abi::event::{COMM_LEN, Header, TaskRef};
use plimsoll_abi::layout::UNRESOLVED;
use plimsoll_abi::namespace::{self, KINDS};

use crate::layout::{self as at, Offset};

/// A kernel address: what a pointer member holds.
pub(crate) type Pointer = *const u8;

/// Reads the pointer member at `offset` of a BTF-typed pointer.
#[inline(always)]
pub(crate) fn follow(base: Pointer, offset: &Offset) -> Pointer {
    load(base, offset)
}

/// Reads the member at `offset` of a BTF-typed pointer.
#[inline(always)]
pub(crate) fn load<T: Copy>(base: Pointer, offset: &Offset) -> T {
    // SAFETY: the verifier accepts the load only at a member of the pointer's kernel type, and
    // makes a fault read as 0.
    unsafe { base.add(offset.load() as usize).cast::<T>().read_volatile() }
}

/// Reads the member at `inner` of the struct that is a member at `outer` of a BTF-typed pointer.
#[inline(always)]
pub(crate) fn load_within<T: Copy>(base: Pointer, outer: &Offset, inner: &Offset) -> T {
    let offset = (outer.load() + inner.load()) as usize;
    // SAFETY: as in `load`.
    unsafe { base.add(offset).cast::<T>().read_volatile() }
}

/// The id of a cgroup, read directly; 0 when the pointer is not one.
#[inline(always)]
pub(crate) fn cgroup_id_direct(cgroup: Pointer) -> u64 {
    load(follow(cgroup, &at::CGROUP_KN), &at::KERNFS_NODE_ID)
}

/// Reads the member at `offset` behind any kernel address; `None` where the page is not there.
#[inline(always)]
pub(crate) fn peek<T>(base: Pointer, offset: u32) -> Option<T> {
    // SAFETY: the helper checks the address itself and fails on a bad one.
    unsafe { bpf_probe_read_kernel(base.add(offset as usize).cast::<T>()) }.ok()
}

/// The id of a cgroup.
#[inline(always)]
pub(crate) fn cgroup_id(cgroup: Pointer) -> Option<u64> {
    let node: Pointer = peek(cgroup, at::CGROUP_KN.load())?;
    peek(node, at::KERNFS_NODE_ID.load())
}

/// The task's cgroup v2 id, read directly: three loads.
#[inline(always)]
pub(crate) fn task_cgroup_id_direct(task: Pointer) -> u64 {
    let set = follow(task, &at::TASK_CGROUPS);
    cgroup_id_direct(follow(set, &at::CSS_SET_DFL_CGRP))
}

/// The task's cgroup v2 id; 0 when it cannot be read.
#[inline(always)]
pub(crate) fn task_cgroup_id(task: Pointer) -> u64 {
    try_task_cgroup_id(task).unwrap_or(0)
}

#[inline(always)]
fn try_task_cgroup_id(task: Pointer) -> Option<u64> {
    let set: Pointer = peek(task, at::TASK_CGROUPS.load())?;
    let cgroup: Pointer = peek(set, at::CSS_SET_DFL_CGRP.load())?;
    cgroup_id(cgroup)
}

/// Id of the task's memory cgroup in the memory controller's hierarchy; 0 when not known.
#[inline(always)]
pub(crate) fn task_memory_cgroup_id(task: Pointer) -> u64 {
    try_task_memory_cgroup_id(task).unwrap_or(0)
}

#[inline(always)]
fn try_task_memory_cgroup_id(task: Pointer) -> Option<u64> {
    let id = at::MEMORY_SUBSYS_ID.load();
    if id == UNRESOLVED {
        return None;
    }
    let set: Pointer = peek(task, at::TASK_CGROUPS.load())?;
    let slot = at::CSS_SET_SUBSYS.load() + id * size_of::<Pointer>() as u32;
    let css: Pointer = peek(set, slot)?;
    let cgroup: Pointer = peek(css, at::CSS_CGROUP.load())?;
    cgroup_id(cgroup)
}

/// Identifies a task for a record.
#[inline(always)]
pub(crate) fn task_ref(task: Pointer) -> TaskRef {
    TaskRef {
        cgroup_id: task_cgroup_id(task),
        memory_cgroup_id: task_memory_cgroup_id(task),
        tgid: peek(task, at::TASK_TGID.load()).unwrap_or(0),
        tid: peek(task, at::TASK_PID.load()).unwrap_or(0),
        comm: peek::<[u8; COMM_LEN]>(task, at::TASK_COMM.load()).unwrap_or_default(),
    }
}

/// Inode numbers of the task's namespaces, by slot; 0 where one cannot be read.
#[inline(always)]
pub(crate) fn namespaces(task: Pointer) -> [u32; KINDS] {
    let mut inodes = [0; KINDS];
    if let Some(cred) = peek::<Pointer>(task, at::TASK_CRED.load()) {
        inodes[namespace::USER] = inode(cred, &at::CRED_USER_NS, &at::USER_NS_COMMON);
    }
    // A task that is exiting has given its nsproxy back already.
    let proxy: Pointer = match peek::<Pointer>(task, at::TASK_NSPROXY.load()) {
        Some(proxy) if !proxy.is_null() => proxy,
        _ => return inodes,
    };
    inodes[namespace::MNT] = inode(proxy, &at::NSPROXY_MNT, &at::MNT_NS_COMMON);
    inodes[namespace::UTS] = inode(proxy, &at::NSPROXY_UTS, &at::UTS_NS_COMMON);
    inodes[namespace::IPC] = inode(proxy, &at::NSPROXY_IPC, &at::IPC_NS_COMMON);
    inodes[namespace::PID] = inode(proxy, &at::NSPROXY_PID, &at::PID_NS_COMMON);
    inodes[namespace::NET] = inode(proxy, &at::NSPROXY_NET, &at::NET_NS_COMMON);
    inodes[namespace::CGROUP] = inode(proxy, &at::NSPROXY_CGROUP, &at::CGROUP_NS_COMMON);
    inodes[namespace::TIME] = inode(proxy, &at::NSPROXY_TIME, &at::TIME_NS_COMMON);
    inodes
}

#[inline(always)]
fn inode(holder: Pointer, member: &Offset, common: &Offset) -> u32 {
    peek::<Pointer>(holder, member.load())
        .and_then(|ns| peek(ns, common.load() + at::NS_COMMON_INUM.load()))
        .unwrap_or(0)
}

/// A record's header, stamped now.
#[inline(always)]
pub(crate) fn header(kind: u32) -> Header {
    // SAFETY: the helper has no preconditions.
    let boot_ns = unsafe { bpf_ktime_get_boot_ns() };
    Header {
        kind,
        reserved: 0,
        boot_ns,
    }
}
