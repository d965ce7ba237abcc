//! The two ring buffers.

use std::os::fd::{AsFd, BorrowedFd};

use aya::Ebpf;
use aya::maps::{MapData, RingBuf};
use plimsoll_abi::map::{LIFECYCLE_BYTES, PROCESS_BYTES};

use super::event::KernelEvent;
use super::maps::MapReadError;

/// Bytes the kernel puts before each record (`BPF_RINGBUF_HDR_SZ`).
const RECORD_HEADER: u64 = 8;

/// Both rings.
pub struct Rings {
    pub lifecycle: Ring,
    pub process: Ring,
}

/// One ring and what came out of it.
pub struct Ring {
    name: &'static str,
    buffer: RingBuf<MapData>,
    counters: RingCounters,
}

/// Account of one ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingCounters {
    /// Records taken.
    pub records: u64,
    /// Records that could not be decoded: the object and the agent do not match.
    pub undecodable: u64,
    /// Most bytes found waiting since the last look.
    pub peak_bytes: u64,
    pub capacity_bytes: u64,
}

impl Rings {
    pub(super) fn take(object: &mut Ebpf) -> Result<Self, MapReadError> {
        Ok(Self {
            lifecycle: Ring::take(object, "LIFECYCLE", "lifecycle", LIFECYCLE_BYTES)?,
            process: Ring::take(object, "PROCESS", "process", PROCESS_BYTES)?,
        })
    }
}

impl Ring {
    fn take(
        object: &mut Ebpf,
        map: &'static str,
        name: &'static str,
        bytes: u32,
    ) -> Result<Self, MapReadError> {
        let taken = object.take_map(map).ok_or(MapReadError::Absent(map))?;
        let buffer =
            RingBuf::try_from(taken).map_err(|source| MapReadError::Open { name: map, source })?;
        let counters = RingCounters {
            capacity_bytes: u64::from(bytes),
            ..Default::default()
        };
        Ok(Self {
            name,
            buffer,
            counters,
        })
    }

    /// Takes the records that wait, oldest first, up to a ring's worth: under a storm more come as fast
    /// as they are taken, and readings must not wait for its end.
    pub fn drain(&mut self, mut each: impl FnMut(KernelEvent)) {
        let mut waiting_bytes = 0;
        while waiting_bytes < self.counters.capacity_bytes
            && let Some(item) = self.buffer.next()
        {
            waiting_bytes += item.len() as u64 + RECORD_HEADER;
            self.counters.records += 1;
            match KernelEvent::decode(&item) {
                Some(event) => each(event),
                None => self.counters.undecodable += 1,
            }
        }
        self.counters.peak_bytes = self.counters.peak_bytes.max(waiting_bytes);
    }

    /// Name for metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The account so far; the peak starts anew.
    pub fn counters(&mut self) -> RingCounters {
        let counters = self.counters;
        self.counters.peak_bytes = 0;
        counters
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.buffer.as_fd()
    }
}
