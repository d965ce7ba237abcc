//! The cgroup's TCP connections, as they come, go, and make round trips.
//!
//! - Hooks: `sock_ops` on the limited cgroup.
//! - Writes: `PLIMSOLL_FLOWS` (socket storage); what `pacing` sets.
//! - Cost: on each acknowledgement that measures a round trip, a look-up and what `pacing` takes.
//! - Needs: `BPF_SOCK_OPS_RTT_CB` (5.3), socket storage in `sock_ops` (5.8).
//! - Blind spots: sockets that were connected before have no callbacks, see `sockets`.

use aya_ebpf::bindings::{
    BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB, BPF_SOCK_OPS_RTT_CB,
    BPF_SOCK_OPS_RTT_CB_FLAG, BPF_SOCK_OPS_STATE_CB, BPF_SOCK_OPS_STATE_CB_FLAG, bpf_sock_ops,
};
use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::macros::sock_ops;
use aya_ebpf::programs::SockOpsContext;
use plimsoll_abi::rules::{HEADERS_V4, HEADERS_V6};

use crate::share::Share;
use crate::{flow, pacing};

/// Each round trip, and each change of state.
pub(crate) const CALLBACKS: u32 = BPF_SOCK_OPS_RTT_CB_FLAG | BPF_SOCK_OPS_STATE_CB_FLAG;
/// include/net/tcp_states.h, v6.12.
const TCP_CLOSE: u32 = 7;
const AF_INET6: u32 = 10;

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
    let flow = flow::of(socket.cast(), begins)?;
    if ctx.op() == BPF_SOCK_OPS_STATE_CB {
        if ctx.arg(1) == TCP_CLOSE {
            flow::close(flow, share);
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
        unsafe { flow::set_up(flow, u64::from(mss), headers) };
        ctx.set_cb_flags((ctx.cb_flags() | CALLBACKS) as i32).ok()?;
        // SAFETY: as above.
        unsafe { (*flow).attended = 1 };
    }
    // SAFETY: the helper has no preconditions.
    let now = unsafe { bpf_ktime_get_ns() };
    pacing::pace(ctx.ops.cast(), flow, share, now);
    // SAFETY: as above; the kernel keeps eighths of microseconds.
    unsafe {
        let srtt_us = (&raw const (*ctx.ops).srtt_us).read_volatile() >> 3;
        let mss = (&raw const (*ctx.ops).mss_cache).read_volatile();
        pacing::bound_bursts(ctx.ops.cast(), flow, u64::from(srtt_us), u64::from(mss));
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
