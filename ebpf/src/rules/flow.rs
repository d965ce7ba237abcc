//! One TCP flow of the cgroup: its state, and what is made of what it sends.
//!
//! - Hooks: none of its own; `egress`, `connection` and `sockets` call it.
//! - Writes: `PLIMSOLL_FLOWS` (socket storage), and through `share` `PLIMSOLL_EGRESS`.
//! - Cost: per packet a look-up and up to three atomic additions; a division in each epoch.
//! - Needs: socket storage in `cgroup_skb` (5.2).
//! - Blind spots: of a flow that began less than an epoch ago nothing is known.

use core::ffi::c_void;
use core::ptr;

use aya_ebpf::bindings::BPF_SK_STORAGE_GET_F_CREATE;
use aya_ebpf::helpers::bpf_sk_storage_get;
use aya_ebpf::macros::btf_map;
use plimsoll_abi::rules::{Flow, demand};

use crate::packet::Packet;
use crate::share::{Share, quotient};

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
pub(crate) fn close(flow: *mut Flow, share: Share) {
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
