//! v1 `memory`. The `total_` lines include descendants, the others do not.

use std::sync::Arc;

use crate::cgroup::file::{KernFile, Scratch};
use crate::cgroup::parse;
use crate::cgroup::place::{Place, Vanished};
use crate::cgroup::reading::MemoryReading;

use super::limits::reachable;

#[derive(Debug)]
pub(super) struct Memory {
    place: Arc<Place>,
    usage: KernFile,
    stat: KernFile,
    peak: KernFile,
    kernel: KernFile,
    failures: KernFile,
    oom_control: KernFile,
    /// The last count; `None`: to be read.
    failures_seen: Option<u64>,
}

impl Memory {
    pub(super) fn new(place: Arc<Place>) -> Self {
        Self {
            place,
            usage: KernFile::kept("memory.usage_in_bytes"),
            stat: KernFile::kept("memory.stat"),
            peak: KernFile::kept("memory.max_usage_in_bytes"),
            kernel: KernFile::kept("memory.kmem.usage_in_bytes"),
            failures: KernFile::kept("memory.failcnt"),
            oom_control: KernFile::kept("memory.oom_control"),
            failures_seen: None,
        }
    }

    pub(super) fn read(
        &mut self,
        scratch: &mut Scratch,
    ) -> Result<Option<MemoryReading>, Vanished> {
        let usage = self
            .usage
            .read(&self.place, scratch)?
            .and_then(parse::number);
        let Some(usage_bytes) = usage else {
            return Ok(None);
        };
        let Some(text) = self.stat.read(&self.place, scratch)? else {
            return Ok(None);
        };
        let (mut memory, limited) = from_stat(text);
        memory.usage_bytes = usage_bytes;
        memory.working_set_bytes = usage_bytes.saturating_sub(memory.inactive_file_bytes);
        memory.peak_bytes = self
            .peak
            .read(&self.place, scratch)?
            .and_then(parse::number);
        memory.kernel_bytes = self
            .kernel
            .read(&self.place, scratch)?
            .and_then(parse::number);
        if let Some(text) = self.oom_control.read(&self.place, scratch)? {
            memory.events_oom_kill = parse::field(text, b"oom_kill");
        }
        // Only a limit can be hit: without one the count stands still.
        if limited || self.failures_seen.is_none() {
            let count = self.failures.read(&self.place, scratch)?;
            self.failures_seen = count.and_then(parse::number);
        }
        memory.failures = self.failures_seen;
        Ok(Some(memory))
    }

    /// The next reading reads the failure count, limit or not.
    pub(super) fn look_at_failures(&mut self) {
        self.failures_seen = None;
    }

    pub(super) fn files(&mut self) -> [&mut KernFile; 6] {
        [
            &mut self.usage,
            &mut self.stat,
            &mut self.peak,
            &mut self.kernel,
            &mut self.failures,
            &mut self.oom_control,
        ]
    }
}

/// What `memory.stat` has, and whether a limit is in force here or above.
fn from_stat(text: &[u8]) -> (MemoryReading, bool) {
    let mut memory = MemoryReading::default();
    let mut limited = false;
    for (key, value) in parse::fields(text) {
        match key {
            b"hierarchical_memory_limit" => limited = reachable(value).is_some(),
            b"total_rss" => memory.rss_bytes = value,
            b"total_cache" => memory.cache_bytes = value,
            b"total_mapped_file" => memory.mapped_file_bytes = value,
            // Only with swap accounting; the same pages as memory+swap usage less usage, which
            // two files read one after the other cannot tell exactly.
            b"total_swap" => memory.swap_bytes = Some(value),
            b"total_active_file" => memory.active_file_bytes = value,
            b"total_inactive_file" => memory.inactive_file_bytes = value,
            b"total_dirty" => memory.file_dirty_bytes = Some(value),
            b"total_writeback" => memory.file_writeback_bytes = Some(value),
            b"total_pgfault" => memory.page_faults = value,
            b"total_pgmajfault" => memory.major_page_faults = value,
            b"total_workingset_refault_file" => memory.workingset_refault_file = Some(value),
            b"total_workingset_refault_anon" => memory.workingset_refault_anon = Some(value),
            _ => {}
        }
    }
    (memory, limited)
}
