//! A walk over the TCP sockets of a network namespace: those that were connected before the limit
//! was, and those that have to lose it.
//!
//! - Hooks: `iter/tcp`; runs when the agent reads it.
//! - Writes: `PLIMSOLL_FLOWS`, `PLIMSOLL_PASS`; the sockets' `SO_MAX_PACING_RATE` and callback flags.
//! - Cost: some hundred nanoseconds a socket, on the agent's own time, each socket locked meanwhile.
//! - Needs: `bpf_setsockopt` in `iter/tcp` (5.15); callbacks for sockets found here need 6.12, on
//!   kernels before the agent walks again while such a socket sends.
//! - Blind spots: sockets of namespaces that no process of the cgroup is in.

use core::ffi::{c_int, c_void};

use aya_ebpf::Global;
use aya_ebpf::helpers::{
    bpf_getsockopt, bpf_ktime_get_ns, bpf_probe_read_kernel, bpf_skc_to_tcp_sock,
};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap};
use plimsoll_abi::layout::UNRESOLVED;
use plimsoll_abi::rules::{Flow, HEADERS_V4, ONLY, Pass, TREE_ENTRIES, pass};

use crate::pacing::{self, IPPROTO_TCP};
use crate::share::Share;
use crate::{connection, flow};

#[map(name = "PLIMSOLL_PASS")]
static PASS: Array<Pass> = Array::with_max_entries(1, 0);
#[map(name = "PLIMSOLL_TREE")]
static TREE: HashMap<u64, u32> = HashMap::with_max_entries(TREE_ENTRIES, 1);

#[unsafe(no_mangle)]
static SOCK_STATE: Global<u32> = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
static TCP_PACKETS_OUT: Global<u32> = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
static SOCK_CGROUP_DATA: Global<u32> = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
static CGROUP_DATA_CGROUP: Global<u32> = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
static CGROUP_KN: Global<u32> = Global::new(UNRESOLVED);
#[unsafe(no_mangle)]
static KERNFS_NODE_ID: Global<u32> = Global::new(UNRESOLVED);

/// `TCP_BPF_SOCK_OPS_CB_FLAGS` (include/uapi/linux/bpf.h, v6.12).
const CALLBACK_FLAGS: c_int = 1008;
/// `TCP_TIME_WAIT`, `TCP_CLOSE`, `TCP_LISTEN`, `TCP_NEW_SYN_RECV` (include/net/tcp_states.h, v6.12).
const NOT_CONNECTED: u32 = 1 << 6 | 1 << 7 | 1 << 10 | 1 << 12;
const MSS: u64 = 1_448;

/// `struct bpf_iter__tcp` (net/ipv4/tcp_ipv4.c, v6.12).
#[repr(C)]
struct TcpContext {
    meta: *const c_void,
    /// NULL at the end of the walk.
    socket: *const u8,
}

/// aya has no macro for iterators; the section name is the interface.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/tcp")]
extern "C" fn hold_iter_tcp(ctx: *const TcpContext) -> i32 {
    // SAFETY: the kernel passes a valid context.
    let socket = unsafe { (&raw const (*ctx).socket).read_volatile() };
    if !socket.is_null() {
        visit(socket);
    }
    0
}

#[inline(always)]
fn visit(socket: *const u8) -> Option<()> {
    let state: *mut Pass = PASS.get_ptr_mut(ONLY)?;
    let tcp_state: u8 = peek(socket, SOCK_STATE.load())?;
    if tcp_state < 32 && NOT_CONNECTED & (1 << tcp_state) != 0 {
        return None;
    }
    // SAFETY: the map's only entry lives as long as the program runs.
    let task = unsafe { (*state).task };
    if task != pass::GIVE_BACK {
        let cgroup: *const u8 = peek(socket, SOCK_CGROUP_DATA.load() + CGROUP_DATA_CGROUP.load())?;
        let node: *const u8 = peek(cgroup, CGROUP_KN.load())?;
        let id: u64 = peek(node, KERNFS_NODE_ID.load())?;
        TREE.get_ptr(id)?;
    }
    // SAFETY: the helper takes any socket, not NULL.
    let full = unsafe { bpf_skc_to_tcp_sock(socket.cast_mut().cast()) };
    if full.is_null() {
        return None;
    }
    let full: *mut c_void = full.cast();
    if task == pass::FREE {
        pacing::free(full);
        return None;
    }
    let flow = flow::of(full, task != pass::GIVE_BACK)?;
    // SAFETY: the flow of this socket, which the walk holds and has locked; here and below.
    let done = match task {
        pass::COUNT => {
            let under_way: u32 = peek(socket, TCP_PACKETS_OUT.load())?;
            if under_way > 0 {
                // SAFETY: as above.
                unsafe { flow::count(flow, Share::get()?) };
            }
            true
        }
        pass::SET => set(full, flow)?,
        // SAFETY: as above.
        _ => unsafe { pacing::give_back(full, flow) },
    };
    // SAFETY: as above; one walk at a time runs.
    unsafe {
        (*state).sockets += 1;
        (*state).unattended += u32::from((*flow).attended == 0);
        (*state).failed += u32::from(!done);
    }
    Some(())
}

#[inline(always)]
fn set(socket: *mut c_void, flow: *mut Flow) -> Option<bool> {
    let share = Share::get()?;
    // SAFETY: the flow of this socket, which the walk holds and has locked.
    unsafe {
        flow::set_up(flow, MSS, HEADERS_V4);
        if (*flow).attended == 0 && attend(socket) {
            (*flow).attended = 1;
        }
    }
    // SAFETY: the helper has no preconditions.
    let now = unsafe { bpf_ktime_get_ns() };
    Some(pacing::pace(socket, flow, share, now))
}

/// Makes the kernel call `sock_ops` for this socket too.
#[inline(always)]
fn attend(socket: *mut c_void) -> bool {
    let mut flags = 0u32;
    // SAFETY: the value is on our stack and of the length given.
    let unknown = unsafe {
        bpf_getsockopt(
            socket,
            IPPROTO_TCP,
            CALLBACK_FLAGS,
            (&raw mut flags).cast(),
            4,
        )
    };
    if unknown != 0 {
        return false;
    }
    let flags = flags | connection::CALLBACKS;
    pacing::set(socket, IPPROTO_TCP, CALLBACK_FLAGS, flags)
}

/// Reads the member at `offset` behind a kernel address.
#[inline(always)]
fn peek<T>(base: *const u8, offset: u32) -> Option<T> {
    // SAFETY: the helper checks the address itself and fails on a bad one.
    unsafe { bpf_probe_read_kernel(base.add(offset as usize).cast::<T>()) }.ok()
}
