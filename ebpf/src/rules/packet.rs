//! Size of a packet as it is on the wire.

use aya_ebpf::helpers::bpf_skb_load_bytes;
use aya_ebpf::programs::SkBuffContext;

/// `lo` in every network namespace (LOOPBACK_IFINDEX, include/net/flow.h, v6.12).
const LOOPBACK: u32 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const UDP_HEADER: u32 = 8;

/// What the rules count of a packet, or of the segments of a GSO or GRO buffer together.
#[derive(Clone, Copy)]
pub(crate) struct Packet {
    /// Bytes from the IP header on, the headers of every segment counted.
    pub(crate) wire_bytes: u64,
    /// Bytes after TCP's or UDP's header; of another protocol, all after IP's.
    pub(crate) payload_bytes: u64,
    pub(crate) segments: u64,
    pub(crate) is_tcp: bool,
}

#[inline(always)]
pub(crate) fn is_loopback(ctx: &SkBuffContext) -> bool {
    // SAFETY: the context is valid while the program runs.
    let ifindex = unsafe { (&raw const (*ctx.skb.skb).ifindex).read_volatile() };
    ifindex == LOOPBACK
}

impl Packet {
    /// Reads the headers; a packet whose headers cannot be read counts as it is.
    #[inline(always)]
    pub(crate) fn of(ctx: &SkBuffContext) -> Self {
        let length = ctx.len();
        // SAFETY: the context is valid while the program runs.
        let segments = unsafe { (&raw const (*ctx.skb.skb).gso_segs).read_volatile() }.max(1);
        let (headers, is_tcp) = headers(ctx);
        Self {
            wire_bytes: u64::from(length) + u64::from(segments - 1) * u64::from(headers),
            payload_bytes: u64::from(length.saturating_sub(headers)),
            segments: u64::from(segments),
            is_tcp,
        }
    }
}

/// Length of IP's and the transport's header together, and whether it is TCP. Extension headers of
/// IPv6 hide the transport: such a packet is "not TCP".
#[inline(always)]
fn headers(ctx: &SkBuffContext) -> (u32, bool) {
    let Some(first) = byte(ctx, 0) else {
        return (0, false);
    };
    let (ip, protocol) = match first >> 4 {
        4 => (u32::from(first & 0xf) * 4, byte(ctx, 9)),
        6 => (40, byte(ctx, 6)),
        _ => return (0, false),
    };
    match protocol {
        Some(TCP) => match byte(ctx, ip + 12) {
            Some(offset) => (ip + u32::from(offset >> 4) * 4, true),
            None => (ip, true),
        },
        Some(UDP) => (ip + UDP_HEADER, false),
        _ => (ip, false),
    }
}

#[inline(always)]
fn byte(ctx: &SkBuffContext, offset: u32) -> Option<u8> {
    let mut value = 0u8;
    // SAFETY: the helper checks the bounds of the packet; one byte is written.
    let failed =
        unsafe { bpf_skb_load_bytes(ctx.skb.skb.cast(), offset, (&raw mut value).cast(), 1) };
    (failed == 0).then_some(value)
}
