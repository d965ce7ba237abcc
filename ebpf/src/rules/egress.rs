//! The egress rate: counts and, where pacing does not hold, drops.
//!
//! - Hooks: `cgroup_skb/egress` on the limited cgroup.
//! - Writes: `PLIMSOLL_EGRESS`, `PLIMSOLL_FLOWS`, `PLIMSOLL_COUNTS`.
//! - Cost: per packet (a GSO buffer is one) three reads of its headers, two look-ups, up to five
//!   atomic additions, two divisions.
//! - Needs: `bpf_sk_storage_get` in `cgroup_skb` (5.2), return code 2 (5.1).
//! - Blind spots: packets of no socket; loopback, which is not limited. What is dropped tells TCP of
//!   congestion; a UDP socket with `IP_RECVERR` gets ENOBUFS, as from a full device queue.

use aya_ebpf::helpers::{bpf_ktime_get_ns, bpf_sk_fullsock};
use aya_ebpf::macros::cgroup_skb;
use aya_ebpf::programs::SkBuffContext;
use plimsoll_abi::rules::{Flow, HEADERS_V4};

use crate::count;
use crate::flow;
use crate::packet::{self, Packet};
use crate::share::Share;

/// `__cgroup_bpf_run_filter_skb()`, kernel/bpf/cgroup.c, v6.12: 0 would be EPERM to the application.
const KEEP: i32 = 1;
const DROP_WITH_CONGESTION: i32 = 2;

/// Segment size until the flow tells its own.
const MSS: u64 = 1_448;

#[cgroup_skb(egress)]
pub(crate) fn hold_egress(ctx: SkBuffContext) -> i32 {
    let Some(share) = Share::get() else {
        return KEEP;
    };
    let Some(rate) = share.rate() else {
        return KEEP;
    };
    if packet::is_loopback(&ctx) {
        if let Some(flow) = flow_of(&ctx, false) {
            // SAFETY: a flow lives as long as its socket, which the packet holds.
            unsafe { (*flow).loopback = 1 };
        }
        return KEEP;
    }
    let packet = Packet::of(&ctx);
    // SAFETY: the helper has no preconditions.
    let now = unsafe { bpf_ktime_get_ns() };
    share.turn(rate, now);
    if !share.admit(rate, &packet, now) {
        count::dropped(packet.wire_bytes, packet.segments);
        return DROP_WITH_CONGESTION;
    }
    if packet.is_tcp
        && let Some(flow) = flow_of(&ctx, true)
    {
        // SAFETY: as above.
        unsafe { flow::set_up(flow, MSS, HEADERS_V4) };
        flow::sent(flow, share, &packet);
    }
    count::passed(packet.wire_bytes, packet.segments);
    KEEP
}

/// The flow of the packet's socket; `None` for one that is not connected yet or any more.
#[inline(always)]
fn flow_of(ctx: &SkBuffContext, create: bool) -> Option<*mut Flow> {
    // SAFETY: the context is valid while the program runs.
    let socket = unsafe { (&raw const (*ctx.skb.skb).__bindgen_anon_2.sk).read_volatile() };
    if socket.is_null() {
        return None;
    }
    // SAFETY: the helper takes the socket of a packet, not NULL.
    let socket = unsafe { bpf_sk_fullsock(socket) };
    if socket.is_null() {
        return None;
    }
    flow::of(socket.cast(), create)
}
