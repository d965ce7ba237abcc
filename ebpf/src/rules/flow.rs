//! Pacing of the cgroup's TCP flows.
//!
//! - Hooks: `sock_ops` on the limited cgroup.
//! - Writes: `PLIMSOLL_FLOWS` (socket storage); the socket's `SO_MAX_PACING_RATE`.
//! - Cost: on each acknowledgement that measures a round trip, a look-up and two divisions; a
//!   `setsockopt` when the share moved by half a percent, or the epoch did.
//! - Needs: `BPF_SOCK_OPS_RTT_CB` (5.3), socket storage in `sock_ops` (5.8); from 6.1 on the
//!   pacing rate that the application itself had set is kept.
//! - Blind spots: sockets that were connected before have no callbacks, see `sockets`; the first
//!   ten segments of a connection are not paced (tcp_update_skb_after_send(),
//!   net/ipv4/tcp_output.c, v6.12).

use core::ffi::{c_int, c_void};
use core::ptr;

use aya_ebpf::bindings::{
    BPF_SK_STORAGE_GET_F_CREATE, BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB,
    BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB, BPF_SOCK_OPS_RTT_CB, BPF_SOCK_OPS_RTT_CB_FLAG,
    BPF_SOCK_OPS_STATE_CB, BPF_SOCK_OPS_STATE_CB_FLAG, SO_MAX_PACING_RATE, bpf_sock_ops,
};
use aya_ebpf::helpers::{bpf_getsockopt, bpf_ktime_get_ns, bpf_setsockopt, bpf_sk_storage_get};
use aya_ebpf::macros::{btf_map, sock_ops};
use aya_ebpf::programs::SockOpsContext;
use plimsoll_abi::rules::{Flow, HEADERS_V4, HEADERS_V6, demand};

use crate::packet::Packet;
use crate::share::{Share, quotient};

/// Each round trip, and each change of state.
pub(crate) const CALLBACKS: u32 = BPF_SOCK_OPS_RTT_CB_FLAG | BPF_SOCK_OPS_STATE_CB_FLAG;
/// include/net/tcp_states.h, v6.12.
const TCP_CLOSE: u32 = 7;
const SOL_SOCKET: c_int = 1;
pub(crate) const IPPROTO_TCP: c_int = 6;
/// `TCP_BPF_SNDCWND_CLAMP` (include/uapi/linux/bpf.h, v6.12).
const SEGMENTS_CLAMP: c_int = 1002;
/// What the kernel has where nobody has set it, as far as an `int` goes.
const UNBOUNDED: u32 = i32::MAX as u32;
/// A burst: so many segments, and what goes in so long and in two round trips.
const SEGMENTS_MIN: u64 = 4;
const BURST_US: u64 = 25_000;
/// Round trips longer than this have a queue in them.
const SRTT_MAX_US: u64 = 1_000_000;
/// More than this is no bound: a burst is 64 KiB at the most.
const SEGMENTS_MAX: u64 = 45;
const AF_INET6: u32 = 10;
/// No limit, for `SO_MAX_PACING_RATE`.
const UNLIMITED: u32 = u32::MAX;
/// One, as a share.
const WHOLE: u64 = 1 << 16;

/// A new flow is greedy once it has sent more than its first ten segments, which are not paced.
const NEW_BYTES: u64 = 15_000;
/// One that begins to send again, more than two.
const RESUMED_BYTES: u64 = 3_000;

/// Storage of each socket. The type is a map's definition in BTF, as the kernel wants it for socket
/// storage; nothing of it is ever read.
#[repr(C)]
pub(crate) struct SocketStorage<T> {
    r#type: *const [i32; 24],
    key: *const i32,
    value: *const T,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; 1],
}
// SAFETY: a placeholder that is never read.
unsafe impl<T> Sync for SocketStorage<T> {}

#[btf_map(name = "PLIMSOLL_FLOWS")]
static FLOWS: SocketStorage<Flow> = SocketStorage {
    r#type: ptr::null(),
    key: ptr::null(),
    value: ptr::null(),
    max_entries: ptr::null(),
    map_flags: ptr::null(),
};

/// The flow of a full socket; `None` too when memory is short.
#[inline(always)]
pub(crate) fn of(socket: *mut c_void, create: bool) -> Option<*mut Flow> {
    let flags = if create {
        BPF_SK_STORAGE_GET_F_CREATE
    } else {
        0
    };
    // SAFETY: the helper takes the map's address and a socket that the verifier has checked.
    let flow = unsafe {
        bpf_sk_storage_get(
            (&raw const FLOWS).cast_mut().cast(),
            socket,
            ptr::null_mut(),
            u64::from(flags),
        )
    };
    (!flow.is_null()).then_some(flow.cast())
}

/// Accounts for what a flow sends. Runs under the socket's lock, like all that writes a flow.
#[inline(always)]
pub(crate) fn sent(flow: *mut Flow, share: Share, packet: &Packet) {
    let epoch = share.epoch();
    // SAFETY: a flow lives as long as its socket, which the program holds.
    unsafe {
        if (*flow).epoch != epoch {
            begin(flow, share, epoch);
        }
        (*flow).bytes += packet.wire_bytes;
        (*flow).payload += packet.payload_bytes;
        let demand = (*flow).demand;
        if demand != demand::GREEDY {
            let is_modest = demand == demand::MODEST;
            if (*flow).bytes > (*flow).greedy_above {
                (*flow).demand = demand::GREEDY;
                share.add_greedy();
                if is_modest {
                    // What it sent before was added packet by packet.
                    share.add_modest(((*flow).bytes - packet.wire_bytes).wrapping_neg());
                }
            } else if is_modest {
                share.add_modest(packet.wire_bytes);
            }
        }
        if (*flow).attended == 0 {
            share.add_unattended(packet.wire_bytes);
        }
    }
}

/// A flow that was sending before its packets were seen.
///
/// # Safety
/// `flow` is a live flow.
#[inline(always)]
pub(crate) unsafe fn count(flow: *mut Flow, share: Share) {
    // SAFETY: by contract.
    unsafe {
        if (*flow).epoch == 0 {
            (*flow).epoch = share.epoch();
            (*flow).since = share.epoch();
            share.add_greedy();
        }
    }
}

/// The flow's share goes to the others.
#[inline(always)]
fn close(flow: *mut Flow, share: Share) {
    let epoch = share.epoch();
    // SAFETY: a flow lives as long as its socket, which the program holds.
    unsafe {
        let counted = (*flow).epoch == epoch;
        let greedy = (*flow).demand == demand::GREEDY && (*flow).epoch != 0;
        if greedy && (counted || (*flow).epoch == epoch - 1) {
            share.remove_greedy(counted);
        }
    }
}

/// The flow's first packet in an epoch: by what it sent in the last one it is greedy or modest.
///
/// # Safety
/// `flow` is a live flow.
#[inline(always)]
unsafe fn begin(flow: *mut Flow, share: Share, epoch: u64) {
    // SAFETY: by contract.
    unsafe {
        let last = epoch - 1;
        if (*flow).epoch != last {
            (*flow).demand = demand::UNKNOWN;
            (*flow).greedy_above = if (*flow).epoch == 0 {
                NEW_BYTES
            } else {
                RESUMED_BYTES
            };
            (*flow).since = epoch;
        } else if (*flow).since != last {
            // Of its first epoch it had only a part.
            (*flow).greedy_above = share.greedy_bytes();
            (*flow).demand = if (*flow).bytes < (*flow).greedy_above {
                demand::MODEST
            } else {
                demand::GREEDY
            };
        }
        if (*flow).demand == demand::GREEDY {
            share.add_greedy();
        }
        let payload_share = quotient((*flow).payload * WHOLE, (*flow).bytes);
        // What only acknowledges has no data to pace; it may have some at any time.
        if payload_share > WHOLE / 8 {
            (*flow).payload_share = payload_share as u32;
        }
        (*flow).epoch = epoch;
        (*flow).bytes = 0;
        (*flow).payload = 0;
    }
}

/// Sets the pacing rate of a socket to its share, or back to what it was when there is no limit.
/// `socket` is what `bpf_setsockopt` takes in the program at hand. Returns false when refused.
#[inline(always)]
pub(crate) fn pace(socket: *mut c_void, flow: *mut Flow, share: Share, now: u64) -> bool {
    // SAFETY: a flow lives as long as its socket, which the program holds.
    unsafe {
        if share.rate().is_none() || (*flow).loopback == 1 {
            return give_back(socket, flow);
        }
        if (*flow).original == 0 {
            (*flow).original = pacing_rate(socket);
        }
        let rate = (share.level(now) * u64::from((*flow).payload_share)) >> 16;
        let rate = rate
            .min(u64::from((*flow).original))
            .min(u64::from(UNLIMITED) - 1) as u32;
        let paced = (*flow).paced;
        if paced.abs_diff(rate) <= paced >> 8 {
            return true;
        }
        if !set(socket, SOL_SOCKET, SO_MAX_PACING_RATE as c_int, rate) {
            return false;
        }
        (*flow).paced = rate;
        true
    }
}

/// Holds a slow flow to small bursts. On a short path TCP sends up to 64 KiB at once, however slow
/// its pacing (tcp_tso_autosize(), net/ipv4/tcp_output.c, v6.12): at 20 kB/s one such is three
/// seconds' worth. What it may have under way bounds it; that is far over what the rate takes.
///
/// # Safety
/// `flow` is the live flow of `socket`.
#[inline(always)]
unsafe fn bound_bursts(socket: *mut c_void, flow: *mut Flow, srtt_us: u64, mss: u64) {
    // SAFETY: by contract.
    unsafe {
        if (*flow).paced == 0 {
            return;
        }
        let time_us = 2 * srtt_us.min(SRTT_MAX_US) + BURST_US;
        let bytes = u64::from((*flow).paced) * time_us / 1_000_000;
        let wanted = SEGMENTS_MIN + quotient(bytes, mss);
        let wanted = if wanted > SEGMENTS_MAX {
            0
        } else {
            wanted as u32
        };
        let held = (*flow).segments;
        // The kernel forgets the slow-start threshold with each change: few are made.
        if held != 0 && wanted != 0 && held.abs_diff(wanted) <= held / 4 {
            return;
        }
        if held != wanted {
            hold_segments(socket, flow, wanted);
        }
    }
}

/// # Safety
/// `flow` is the live flow of `socket`.
#[inline(always)]
unsafe fn hold_segments(socket: *mut c_void, flow: *mut Flow, segments: u32) {
    let clamp = if segments == 0 { UNBOUNDED } else { segments };
    // SAFETY: by contract.
    unsafe {
        if set(socket, IPPROTO_TCP, SEGMENTS_CLAMP, clamp) {
            (*flow).segments = segments;
        }
    }
}

/// # Safety
/// `flow` is the live flow of `socket`.
#[inline(always)]
pub(crate) unsafe fn give_back(socket: *mut c_void, flow: *mut Flow) -> bool {
    // SAFETY: by contract.
    unsafe {
        if (*flow).segments != 0 {
            hold_segments(socket, flow, 0);
        }
        if (*flow).paced == 0 {
            return true;
        }
        (*flow).paced = 0;
        set(
            socket,
            SOL_SOCKET,
            SO_MAX_PACING_RATE as c_int,
            (*flow).original,
        )
    }
}

/// As the kernel makes a socket.
#[inline(always)]
pub(crate) fn free(socket: *mut c_void) {
    set(socket, SOL_SOCKET, SO_MAX_PACING_RATE as c_int, UNLIMITED);
    set(socket, IPPROTO_TCP, SEGMENTS_CLAMP, UNBOUNDED);
}

/// What a flow is before it sends: of which size its headers are is not known yet.
///
/// # Safety
/// `flow` is a live flow.
#[inline(always)]
pub(crate) unsafe fn set_up(flow: *mut Flow, mss: u64, headers: u32) {
    // SAFETY: by contract.
    unsafe {
        if (*flow).payload_share == 0 {
            (*flow).payload_share = quotient(mss * WHOLE, mss + u64::from(headers)) as u32;
        }
    }
}

#[inline(always)]
pub(crate) fn set(socket: *mut c_void, level: c_int, option: c_int, value: u32) -> bool {
    let mut value = value;
    // SAFETY: the value is on our stack, and of the length given.
    let failed = unsafe { bpf_setsockopt(socket, level, option, (&raw mut value).cast(), 4) };
    failed == 0
}

/// What the application set; kernels before 6.1 do not tell, and nearly none sets it.
#[inline(always)]
fn pacing_rate(socket: *mut c_void) -> u32 {
    let mut value = 0u32;
    // SAFETY: as above.
    let failed = unsafe {
        bpf_getsockopt(
            socket,
            SOL_SOCKET,
            SO_MAX_PACING_RATE as c_int,
            (&raw mut value).cast(),
            4,
        )
    };
    if failed == 0 && value != 0 {
        value
    } else {
        UNLIMITED
    }
}

#[sock_ops]
pub(crate) fn hold_sock_ops(ctx: SockOpsContext) -> u32 {
    try_hold_sock_ops(&ctx);
    1
}

#[inline(always)]
fn try_hold_sock_ops(ctx: &SockOpsContext) -> Option<()> {
    let begins = match ctx.op() {
        BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB | BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB => true,
        BPF_SOCK_OPS_RTT_CB | BPF_SOCK_OPS_STATE_CB => false,
        _ => return None,
    };
    let share = Share::get()?;
    if begins && (share.rate().is_none() || is_local(ctx.ops)) {
        return None;
    }
    // SAFETY: the context is valid while the program runs.
    let socket = unsafe { (&raw const (*ctx.ops).__bindgen_anon_2.sk).read_volatile() };
    if socket.is_null() {
        return None;
    }
    let flow = of(socket.cast(), begins)?;
    if ctx.op() == BPF_SOCK_OPS_STATE_CB {
        if ctx.arg(1) == TCP_CLOSE {
            close(flow, share);
        }
        return None;
    }
    if begins {
        // SAFETY: as above.
        let mss = unsafe { (&raw const (*ctx.ops).mss_cache).read_volatile() };
        let headers = if ctx.family() == AF_INET6 {
            HEADERS_V6
        } else {
            HEADERS_V4
        };
        // SAFETY: the storage of a socket that the program holds.
        unsafe { set_up(flow, u64::from(mss), headers) };
        ctx.set_cb_flags((ctx.cb_flags() | CALLBACKS) as i32).ok()?;
        // SAFETY: as above.
        unsafe { (*flow).attended = 1 };
    }
    // SAFETY: the helper has no preconditions.
    let now = unsafe { bpf_ktime_get_ns() };
    pace(ctx.ops.cast(), flow, share, now);
    // SAFETY: as above; the kernel keeps eighths of microseconds.
    unsafe {
        let srtt_us = (&raw const (*ctx.ops).srtt_us).read_volatile() >> 3;
        let mss = (&raw const (*ctx.ops).mss_cache).read_volatile();
        bound_bursts(ctx.ops.cast(), flow, u64::from(srtt_us), u64::from(mss));
    }
    Some(())
}

/// Both ends on this host, as far as their addresses tell: such a connection goes over loopback.
#[inline(always)]
fn is_local(ops: *mut bpf_sock_ops) -> bool {
    // SAFETY: the context is valid while the program runs; each is one word of it.
    unsafe {
        if (&raw const (*ops).family).read_volatile() == AF_INET6 {
            let remote = [
                (&raw const (*ops).remote_ip6[0]).read_volatile(),
                (&raw const (*ops).remote_ip6[1]).read_volatile(),
                (&raw const (*ops).remote_ip6[2]).read_volatile(),
                (&raw const (*ops).remote_ip6[3]).read_volatile(),
            ];
            let local = [
                (&raw const (*ops).local_ip6[0]).read_volatile(),
                (&raw const (*ops).local_ip6[1]).read_volatile(),
                (&raw const (*ops).local_ip6[2]).read_volatile(),
                (&raw const (*ops).local_ip6[3]).read_volatile(),
            ];
            remote == local
        } else {
            let remote = (&raw const (*ops).remote_ip4).read_volatile();
            let local = (&raw const (*ops).local_ip4).read_volatile();
            remote == local || u32::from_be(remote) >> 24 == 127
        }
    }
}
