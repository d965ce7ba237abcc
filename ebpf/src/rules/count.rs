//! What was let pass and what not.

use core::arch::asm;

use aya_ebpf::macros::map;
use aya_ebpf::maps::PerCpuArray;
use plimsoll_abi::rules::{Counts, ONLY};

/// One per program set: the agent reads it by the map's name.
#[map(name = "PLIMSOLL_COUNTS")]
static COUNTS: PerCpuArray<Counts> = PerCpuArray::with_max_entries(1, 0);

/// Adds to a total that other CPUs and contexts add to: the plain BPF_XADD of every kernel.
///
/// # Safety
/// `total` points into a live map value.
#[inline(always)]
pub(crate) unsafe fn add(total: *mut u64, amount: u64) {
    // SAFETY: by contract; map values are 8-aligned.
    unsafe { asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) total, in(reg) amount) };
}

#[inline(always)]
pub(crate) fn passed(bytes: u64, packets: u64) {
    if let Some(counts) = COUNTS.get_ptr_mut(ONLY) {
        // SAFETY: the entry lives as long as the map.
        unsafe {
            add(&raw mut (*counts).passed_bytes, bytes);
            add(&raw mut (*counts).passed_packets, packets);
        }
    }
}

#[inline(always)]
pub(crate) fn dropped(bytes: u64, packets: u64) {
    if let Some(counts) = COUNTS.get_ptr_mut(ONLY) {
        // SAFETY: the entry lives as long as the map.
        unsafe {
            add(&raw mut (*counts).dropped_bytes, bytes);
            add(&raw mut (*counts).dropped_packets, packets);
        }
    }
}

#[inline(always)]
pub(crate) fn denied() {
    if let Some(counts) = COUNTS.get_ptr_mut(ONLY) {
        // SAFETY: the entry lives as long as the map.
        unsafe { add(&raw mut (*counts).denied, 1) };
    }
}
