//! Pacing of TCP sockets: each at its flow's share, and slow ones in small bursts.
//!
//! - Hooks: none of its own; `connection` and `sockets` call it.
//! - Writes: the socket's `SO_MAX_PACING_RATE` and `TCP_BPF_SNDCWND_CLAMP`.
//! - Cost: two divisions; a `setsockopt` when the share moved by half a percent, or the epoch did.
//! - Needs: from 6.1 on the pacing rate that the application itself had set is kept.
//! - Blind spots: the first ten segments of a connection are not paced (tcp_update_skb_after_send(),
//!   net/ipv4/tcp_output.c, v6.12).

use core::ffi::{c_int, c_void};

use aya_ebpf::bindings::SO_MAX_PACING_RATE;
use aya_ebpf::helpers::{bpf_getsockopt, bpf_setsockopt};
use plimsoll_abi::rules::Flow;

use crate::share::{Share, quotient};

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
/// No limit, for `SO_MAX_PACING_RATE`.
const UNLIMITED: u32 = u32::MAX;

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
pub(crate) unsafe fn bound_bursts(socket: *mut c_void, flow: *mut Flow, srtt_us: u64, mss: u64) {
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
