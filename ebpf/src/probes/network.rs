//! Network per cgroup.
//!
//! - Hooks: `cgroup_skb/ingress` and `cgroup_skb/egress` at the cgroup v2 root.
//! - Writes: `CGROUP_NETWORK`, by cgroup v2 id of the socket's owner and interface index.
//! - Cost: one helper and one per-CPU hash look-up a packet (a GSO buffer is one).
//! - Needs: a cgroup2 mount; `bpf_skb_cgroup_id` in `cgroup_skb` (5.8).
//! - Blind spots: packets of no socket (forwarded, the kernel's own resets and ICMP replies),
//!   packets to a socket in TIME_WAIT, link-layer headers. Both verdicts are always "keep".

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::bpf_skb_cgroup_id;
use aya_ebpf::macros::cgroup_skb;
use aya_ebpf::programs::SkBuffContext;
use plimsoll_abi::map::{NetworkKey, NetworkTotals, loss};

use crate::maps::{CGROUP_NETWORK, add, lost};

/// Let the packet through.
const KEEP: i32 = 1;

#[cgroup_skb(ingress)]
pub(crate) fn skb_ingress(ctx: SkBuffContext) -> i32 {
    if let Some(totals) = totals(&ctx) {
        let (bytes, packets) = size(&ctx);
        // SAFETY: the entry lives as long as the program runs.
        unsafe {
            add(&raw mut (*totals).receive_bytes, bytes);
            add(&raw mut (*totals).receive_packets, packets);
        }
    }
    KEEP
}

#[cgroup_skb(egress)]
pub(crate) fn skb_egress(ctx: SkBuffContext) -> i32 {
    if let Some(totals) = totals(&ctx) {
        let (bytes, packets) = size(&ctx);
        // SAFETY: the entry lives as long as the program runs.
        unsafe {
            add(&raw mut (*totals).transmit_bytes, bytes);
            add(&raw mut (*totals).transmit_packets, packets);
        }
    }
    KEEP
}

/// This CPU's totals of the packet's cgroup and interface; made on the first packet.
#[inline(always)]
fn totals(ctx: &SkBuffContext) -> Option<*mut NetworkTotals> {
    // SAFETY: the context is valid while the program runs.
    let cgroup_id = unsafe { bpf_skb_cgroup_id(ctx.skb.skb) };
    // SAFETY: as above.
    let ifindex = unsafe { (*ctx.skb.skb).ifindex };
    let key = NetworkKey {
        cgroup_id,
        ifindex,
        reserved: 0,
    };
    if let Some(totals) = CGROUP_NETWORK.get_ptr_mut(key) {
        return Some(totals);
    }
    // Another CPU may have made it meanwhile: only the second look-up tells whether there was room.
    let _ = CGROUP_NETWORK.insert(key, NetworkTotals::default(), u64::from(BPF_NOEXIST));
    let totals = CGROUP_NETWORK.get_ptr_mut(key);
    if totals.is_none() {
        lost(loss::NETWORK);
    }
    totals
}

/// Bytes from the IP header on, and packets: the segments of a GSO or GRO buffer.
#[inline(always)]
fn size(ctx: &SkBuffContext) -> (u64, u64) {
    // SAFETY: the context is valid while the program runs.
    let segments = unsafe { (*ctx.skb.skb).gso_segs };
    (u64::from(ctx.len()), u64::from(segments.max(1)))
}
