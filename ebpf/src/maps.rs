//! The maps, and how losses are counted.

use core::arch::asm;

use aya_ebpf::bindings::BPF_F_NO_PREALLOC;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{HashMap, LruHashMap, PerCpuArray, PerCpuHashMap, RingBuf};
use plimsoll_abi::event::{CgroupRecord, PATH_MAX};
use plimsoll_abi::map::{
    ACTIVITY_ENTRIES, Activity, ENDED, EndedKey, IO_ENTRIES, IoKey, IoTotals, LIFECYCLE_BYTES,
    NAMESPACE_CALLS, NETWORK_ENTRIES, NetworkKey, NetworkTotals, OOM_VICTIMS, PROCESS_BYTES, loss,
};
use plimsoll_abi::namespace::KINDS;

/// Rare records that must not be crowded out: cgroup, namespace, OOM.
#[map]
pub(crate) static LIFECYCLE: RingBuf = RingBuf::with_byte_size(LIFECYCLE_BYTES, 0);
/// Exec and exit, which a fork storm makes by the ten thousand.
#[map]
pub(crate) static PROCESS: RingBuf = RingBuf::with_byte_size(PROCESS_BYTES, 0);

#[map]
pub(crate) static CGROUP_NETWORK: PerCpuHashMap<NetworkKey, NetworkTotals> =
    PerCpuHashMap::with_max_entries(NETWORK_ENTRIES, BPF_F_NO_PREALLOC);
#[map]
pub(crate) static CGROUP_ACTIVITY: PerCpuHashMap<u64, Activity> =
    PerCpuHashMap::with_max_entries(ACTIVITY_ENTRIES, BPF_F_NO_PREALLOC);

#[map]
pub(crate) static CGROUP_IO: PerCpuHashMap<IoKey, IoTotals> =
    PerCpuHashMap::with_max_entries(IO_ENTRIES, BPF_F_NO_PREALLOC);

/// Namespaces of a task as it entered `unshare` or `setns`, by `tgid << 32 | tid`.
#[map]
pub(crate) static NAMESPACE_CALLS_OPEN: HashMap<u64, [u32; KINDS]> =
    HashMap::with_max_entries(NAMESPACE_CALLS, 0);
/// Pids that `mark_victim` named, until they exit; only on kernels whose hook has no task.
#[map]
pub(crate) static OOM_VICTIMS_OPEN: HashMap<u32, u64> = HashMap::with_max_entries(OOM_VICTIMS, 0);

/// Processes whose end was told, on kernels whose hook does not say which task is the last.
#[map]
pub(crate) static ENDED_LATELY: LruHashMap<EndedKey, u32> = LruHashMap::with_max_entries(ENDED, 0);

#[map]
static LOSSES: PerCpuArray<u64> = PerCpuArray::with_max_entries(loss::SLOTS, 0);

/// Where a cgroup record is put together: it is too large for the 512-byte stack.
#[repr(C)]
pub(crate) struct CgroupScratch {
    pub(crate) record: CgroupRecord,
    pub(crate) path: [u8; PATH_MAX],
}
#[map]
pub(crate) static CGROUP_SCRATCH: PerCpuArray<CgroupScratch> = PerCpuArray::with_max_entries(1, 0);

/// Adds to a total that another context of this CPU may be adding to: a softirq or another task
/// may come in between load and store. The target has no atomic read-modify-write in `core`; this
/// is the plain BPF_XADD of every kernel.
///
/// # Safety
/// `total` points into a live map value.
#[inline(always)]
pub(crate) unsafe fn add(total: *mut u64, amount: u64) {
    // SAFETY: by contract; map values are 8-aligned.
    unsafe { asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) total, in(reg) amount) };
}

/// Counts one loss in `slot` of `plimsoll_abi::map::loss`.
#[inline(always)]
pub(crate) fn lost(slot: u32) {
    if let Some(count) = LOSSES.get_ptr_mut(slot) {
        // SAFETY: the slot is this CPU's own and lives as long as the map.
        unsafe { *count = (*count).wrapping_add(1) };
    }
}
