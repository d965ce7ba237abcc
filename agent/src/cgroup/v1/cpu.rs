//! v1 `cpuacct` and `cpu`.

use std::sync::Arc;

use crate::cgroup::file::{KernFile, Scratch};
use crate::cgroup::parse;
use crate::cgroup::place::{Place, Vanished};
use crate::cgroup::reading::{CpuReading, Throttling};

/// CPU time.
#[derive(Debug)]
pub(super) struct Cpuacct {
    place: Arc<Place>,
    usage: KernFile,
    stat: KernFile,
    ns_per_tick: u64,
}

impl Cpuacct {
    pub(super) fn new(place: Arc<Place>) -> Self {
        Self {
            place,
            usage: KernFile::kept("cpuacct.usage"),
            stat: KernFile::kept("cpuacct.stat"),
            // USER_HZ; never 0 where Linux runs.
            ns_per_tick: 1_000_000_000 / procfs::ticks_per_second().max(1),
        }
    }

    pub(super) fn read(&mut self, scratch: &mut Scratch) -> Result<Option<CpuReading>, Vanished> {
        let usage = self
            .usage
            .read(&self.place, scratch)?
            .and_then(parse::number);
        let Some(usage_ns) = usage else {
            return Ok(None);
        };
        let mut cpu = CpuReading {
            usage_ns,
            ..CpuReading::default()
        };
        if let Some(text) = self.stat.read(&self.place, scratch)? {
            for (key, ticks) in parse::fields(text) {
                match key {
                    b"user" => cpu.user_ns = ticks.saturating_mul(self.ns_per_tick),
                    b"system" => cpu.system_ns = ticks.saturating_mul(self.ns_per_tick),
                    _ => {}
                }
            }
        }
        Ok(Some(cpu))
    }

    pub(super) fn files(&mut self) -> [&mut KernFile; 2] {
        [&mut self.usage, &mut self.stat]
    }
}

/// Bandwidth control.
#[derive(Debug)]
pub(super) struct Cpu {
    place: Arc<Place>,
    stat: KernFile,
}

impl Cpu {
    pub(super) fn new(place: Arc<Place>) -> Self {
        Self {
            place,
            stat: KernFile::kept("cpu.stat"),
        }
    }

    pub(super) fn read(&mut self, scratch: &mut Scratch) -> Result<Option<Throttling>, Vanished> {
        let Some(text) = self.stat.read(&self.place, scratch)? else {
            return Ok(None);
        };
        let mut found = None;
        for (key, value) in parse::fields(text) {
            let throttling = found.get_or_insert_with(Throttling::default);
            match key {
                b"nr_periods" => throttling.periods = value,
                b"nr_throttled" => throttling.throttled_periods = value,
                b"throttled_time" => throttling.throttled_ns = value,
                b"nr_bursts" => throttling.burst_periods = value,
                b"burst_time" => throttling.burst_ns = value,
                _ => {}
            }
        }
        Ok(found)
    }

    pub(super) fn files(&mut self) -> [&mut KernFile; 1] {
        [&mut self.stat]
    }
}
