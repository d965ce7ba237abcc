//! v2 `memory`. Everything includes descendants.

use crate::cgroup::file::{KernFile, Scratch};
use crate::cgroup::parse;
use crate::cgroup::place::{Place, Vanished};
use crate::cgroup::reading::MemoryReading;

#[derive(Debug)]
pub(super) struct Memory {
    current: KernFile,
    stat: KernFile,
    peak: KernFile,
    swap: KernFile,
    events: KernFile,
}

impl Memory {
    pub(super) const fn new() -> Self {
        Self {
            current: KernFile::kept("memory.current"),
            stat: KernFile::kept("memory.stat"),
            peak: KernFile::kept("memory.peak"),
            swap: KernFile::kept("memory.swap.current"),
            events: KernFile::kept("memory.events"),
        }
    }

    /// `None` without the memory controller.
    pub(super) fn read(
        &mut self,
        place: &Place,
        scratch: &mut Scratch,
    ) -> Result<Option<MemoryReading>, Vanished> {
        let current = self.current.read(place, scratch)?.and_then(parse::number);
        let Some(text) = self.stat.read(place, scratch)? else {
            return Ok(None);
        };
        let mut memory = from_stat(text);
        memory.usage_bytes = match current {
            Some(bytes) => bytes,
            // The root has no counter of its own; v1's root adds up the same two
            // (mm/memcontrol-v1.c mem_cgroup_usage(), v6.12).
            None if place.is_root() => memory.rss_bytes.saturating_add(memory.cache_bytes),
            None => return Ok(None),
        };
        memory.working_set_bytes = memory
            .usage_bytes
            .saturating_sub(memory.inactive_file_bytes);
        memory.peak_bytes = self.peak.read(place, scratch)?.and_then(parse::number);
        memory.swap_bytes = self.swap.read(place, scratch)?.and_then(parse::number);
        if let Some(text) = self.events.read(place, scratch)? {
            for (key, value) in parse::fields(text) {
                match key {
                    b"high" => memory.events_high = Some(value),
                    b"max" => memory.events_max = Some(value),
                    b"oom_kill" => memory.events_oom_kill = Some(value),
                    _ => {}
                }
            }
            memory.failures = memory.events_max;
        }
        Ok(Some(memory))
    }

    pub(super) fn files(&mut self) -> [&mut KernFile; 5] {
        [
            &mut self.current,
            &mut self.stat,
            &mut self.peak,
            &mut self.swap,
            &mut self.events,
        ]
    }
}

/// What `memory.stat` has.
fn from_stat(text: &[u8]) -> MemoryReading {
    let mut memory = MemoryReading::default();
    for (key, value) in parse::fields(text) {
        match key {
            b"anon" => memory.rss_bytes = value,
            b"file" => memory.cache_bytes = value,
            b"kernel" => memory.kernel_bytes = Some(value),
            b"file_mapped" => memory.mapped_file_bytes = value,
            b"file_dirty" => memory.file_dirty_bytes = Some(value),
            b"file_writeback" => memory.file_writeback_bytes = Some(value),
            b"active_file" => memory.active_file_bytes = value,
            b"inactive_file" => memory.inactive_file_bytes = value,
            b"pgfault" => memory.page_faults = value,
            b"pgmajfault" => memory.major_page_faults = value,
            b"pgscan" => memory.pages_scanned = Some(value),
            b"pgsteal" => memory.pages_stolen = Some(value),
            b"workingset_refault_file" => memory.workingset_refault_file = Some(value),
            b"workingset_refault_anon" => memory.workingset_refault_anon = Some(value),
            _ => {}
        }
    }
    memory
}
