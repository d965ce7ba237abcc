//! cgroup v2: which file means what. Which files there are depends on the kernel and on the
//! controllers that the parent enables; pressure and CPU time need none.

mod io;
mod limits;
mod memory;

use super::file::{KernFile, Scratch};
use super::parse;
use super::place::{Place, Vanished};
use super::reading::{CpuReading, Limits, PidsReading, PressureReading, Reading, Throttling};

use memory::Memory;

#[cfg(test)]
pub(super) use io::devices as parse_io;

/// The files of one workload's v2 cgroup.
#[derive(Debug)]
pub(super) struct Files {
    place: Place,
    /// `None`: v1 accounts the CPU time.
    cpu_stat: Option<KernFile>,
    memory: Memory,
    io_stat: KernFile,
    pids_current: KernFile,
    cpu_pressure: KernFile,
    memory_pressure: KernFile,
    io_pressure: KernFile,
    events: KernFile,
}

impl Files {
    pub(super) fn new(place: Place, with_cpu_time: bool) -> Self {
        Self {
            place,
            cpu_stat: with_cpu_time.then_some(KernFile::kept("cpu.stat")),
            memory: Memory::new(),
            io_stat: KernFile::kept("io.stat"),
            pids_current: KernFile::kept("pids.current"),
            cpu_pressure: KernFile::kept("cpu.pressure"),
            memory_pressure: KernFile::kept("memory.pressure"),
            io_pressure: KernFile::kept("io.pressure"),
            events: KernFile::passing("cgroup.events"),
        }
    }

    /// Everything this cgroup has on v2.
    pub(super) fn read(
        &mut self,
        scratch: &mut Scratch,
        reading: &mut Reading,
    ) -> Result<(), Vanished> {
        let Self {
            place,
            cpu_stat,
            memory,
            io_stat,
            pids_current,
            ..
        } = self;
        if let Some(cpu_stat) = cpu_stat {
            reading.cpu = cpu_stat.read(place, scratch)?.and_then(parse_cpu);
        }
        reading.memory = memory.read(place, scratch)?;
        reading.io = io_stat.read(place, scratch)?.map(io::devices);
        let current = pids_current.read(place, scratch)?.and_then(parse::number);
        reading.pids = current.map(|current| PidsReading { current, max: None });
        let mut pressure = |file: &mut KernFile| -> Result<Option<PressureReading>, Vanished> {
            Ok(file.read(place, scratch)?.and_then(parse::pressure))
        };
        reading.cpu_pressure = pressure(&mut self.cpu_pressure)?;
        reading.memory_pressure = pressure(&mut self.memory_pressure)?;
        reading.io_pressure = pressure(&mut self.io_pressure)?;
        Ok(())
    }

    /// Adds the limits in force, and the most tasks allowed.
    pub(super) fn read_limits(
        &mut self,
        scratch: &mut Scratch,
        limits: &mut Limits,
        pids_max: &mut Option<u64>,
    ) -> Result<(), Vanished> {
        limits::read(&self.place, scratch, limits, pids_max)?;
        self.each(KernFile::retry);
        Ok(())
    }

    /// Whether it has processes, and whether it is frozen; both `None` for the root.
    pub(super) fn state(
        &mut self,
        scratch: &mut Scratch,
    ) -> Result<(Option<bool>, Option<bool>), Vanished> {
        let Some(text) = self.events.read(&self.place, scratch)? else {
            return Ok((None, None));
        };
        let flag = |key| parse::field(text, key).map(|value| value != 0);
        Ok((flag(b"populated"), flag(b"frozen")))
    }

    /// Every file that is kept open between readings.
    pub(super) fn each(&mut self, mut visit: impl FnMut(&mut KernFile)) {
        self.cpu_stat
            .iter_mut()
            .chain(self.memory.files())
            .for_each(&mut visit);
        visit(&mut self.io_stat);
        visit(&mut self.pids_current);
        visit(&mut self.cpu_pressure);
        visit(&mut self.memory_pressure);
        visit(&mut self.io_pressure);
    }
}

/// `cpu.stat`: times always, throttling where the cpu controller is enabled. In microseconds.
pub(super) fn parse_cpu(text: &[u8]) -> Option<CpuReading> {
    let mut cpu = CpuReading::default();
    let mut throttling = Throttling::default();
    let mut timed = false;
    let mut bandwidth = false;
    for (key, value) in parse::fields(text) {
        let value_ns = value.saturating_mul(1000);
        match key {
            b"usage_usec" => {
                timed = true;
                cpu.usage_ns = value_ns;
            }
            b"user_usec" => cpu.user_ns = value_ns,
            b"system_usec" => cpu.system_ns = value_ns,
            b"nr_periods" => {
                bandwidth = true;
                throttling.periods = value;
            }
            b"nr_throttled" => throttling.throttled_periods = value,
            b"throttled_usec" => throttling.throttled_ns = value_ns,
            b"nr_bursts" => throttling.burst_periods = value,
            b"burst_usec" => throttling.burst_ns = value_ns,
            _ => {}
        }
    }
    cpu.throttling = bandwidth.then_some(throttling);
    timed.then_some(cpu)
}

#[cfg(test)]
mod tests;
