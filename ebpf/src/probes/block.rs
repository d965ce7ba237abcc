//! I/O per cgroup and disk, where the kernel does not count it itself.
//!
//! - Hooks: `tp_btf/block_bio_queue`, where a bio enters the block layer, and `tp_btf/block_split`,
//!   where the rest of one that is too large for its disk enters again. That is where cgroup v2
//!   counts `io.stat` (block/blk-cgroup.c blk_cgroup_bio_start(), v6.12): the bytes once, an
//!   operation each time. What is counted here is the same.
//! - Writes: `CGROUP_IO`, by cgroup id in the io controller's hierarchy and by whole disk.
//! - Cost: ten loads and one per-CPU hash look-up a bio.
//! - Needs: BTF tracepoints (5.5). The agent attaches it only where the io controller is on v1, whose
//!   files count nothing on a disk without a throttle rule.
//! - Blind spots: I/O before the agent started.

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use plimsoll_abi::map::{IoKey, IoTotals, loss};

use crate::kernel::{Pointer, cgroup_id_direct, follow, load, load_within};
use crate::layout as at;
use crate::maps::{CGROUP_IO, add, lost};

/// Operations, the low byte of `bi_opf` (include/linux/blk_types.h enum req_op, v6.12).
const OPERATION: u32 = 0xff;
const READ: u32 = 0;
const DISCARD: u32 = 3;

#[btf_tracepoint(function = "block_bio_queue")]
pub(crate) fn block_bio_queue(ctx: BtfTracePointContext) -> i32 {
    let bio: Pointer = ctx.arg(0);
    count(bio, load_within(bio, &at::BIO_ITER, &at::BVEC_ITER_SIZE));
    0
}

#[btf_tracepoint(function = "block_split")]
pub(crate) fn block_split(ctx: BtfTracePointContext) -> i32 {
    // The part that was split off; its bytes were counted with the whole.
    count(ctx.arg(0), 0);
    0
}

/// Counts one operation of `bytes`, unless the bio is charged to no cgroup.
#[inline(always)]
fn count(bio: Pointer, bytes: u32) {
    let operation = load::<u32>(bio, &at::BIO_OPF) & OPERATION;
    let Some(totals) = totals(bio) else {
        return;
    };
    let bytes = u64::from(bytes);
    // As in blk_cgroup_bio_start(): what is neither discard nor a write is a read; a flush has odd
    // or even numbers by the same rule (op_is_write(), v6.12).
    // SAFETY: the entry lives as long as the program runs.
    unsafe {
        if operation == DISCARD {
            add(&raw mut (*totals).discard_bytes, bytes);
            add(&raw mut (*totals).discards, 1);
        } else if operation & 1 == READ {
            add(&raw mut (*totals).read_bytes, bytes);
            add(&raw mut (*totals).reads, 1);
        } else {
            add(&raw mut (*totals).write_bytes, bytes);
            add(&raw mut (*totals).writes, 1);
        }
    }
}

/// This CPU's totals of the bio's cgroup and disk; made by the first bio.
#[inline(always)]
fn totals(bio: Pointer) -> Option<*mut IoTotals> {
    let owner = follow(follow(bio, &at::BIO_BLKG), &at::BLKCG_GQ_BLKCG);
    let cgroup: Pointer = load_within(owner, &at::BLKCG_CSS, &at::CSS_CGROUP);
    let disk = follow(follow(bio, &at::BIO_BDEV), &at::BLOCK_DEVICE_DISK);
    let key = IoKey {
        cgroup_id: cgroup_id_direct(cgroup),
        major: load(disk, &at::GENDISK_MAJOR),
        minor: load(disk, &at::GENDISK_FIRST_MINOR),
    };
    // A pointer on the way was NULL: a bio that is charged to no cgroup.
    if key.cgroup_id == 0 {
        return None;
    }
    if let Some(totals) = CGROUP_IO.get_ptr_mut(key) {
        return Some(totals);
    }
    // Another CPU may have made it meanwhile: only the second look-up tells whether there was room.
    let _ = CGROUP_IO.insert(key, IoTotals::default(), u64::from(BPF_NOEXIST));
    let totals = CGROUP_IO.get_ptr_mut(key);
    if totals.is_none() {
        lost(loss::IO);
    }
    totals
}
