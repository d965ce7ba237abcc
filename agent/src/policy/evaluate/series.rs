//! What is known of a workload, number by number, and when.

use std::time::{Instant, SystemTime};

use crate::cgroup::{DeviceNumber, Knob, PressureReading, Reading};
use crate::ledger::{HostReading, Workload};
use crate::policy::condition::{Resource, Stall};

/// An instant: the first to measure with, the second to tell people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub instant: Instant,
    pub wall: SystemTime,
}

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self {
            instant: Instant::now(),
            wall: SystemTime::now(),
        }
    }
}

/// One number of a workload or of the host. Totals only grow; the others come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Series {
    /// Bytes. The host's: all but what is available.
    MemoryUsage,
    MemoryWorkingSet,
    MemoryAnon,
    MemorySwap,
    /// Nanoseconds, a total.
    CpuTime,
    /// Periods of CPU bandwidth control, a total; likewise those in which it was throttled.
    Periods,
    ThrottledPeriods,
    Pids,
    /// Bytes and operations over all disks, totals.
    IoReadBytes,
    IoWriteBytes,
    IoReads,
    IoWrites,
    /// Bytes of one disk, totals.
    DiskRead(DeviceNumber),
    DiskWritten(DeviceNumber),
    /// Bits, totals; loopback left out.
    NetEgress,
    NetIngress,
    /// Microseconds, a total.
    Stalled(Resource, Stall),
    /// Times a limit on memory was met, totals.
    MemoryHighEvents,
    MemoryMaxEvents,
    /// A limit in force: bytes, tasks, or CPUs.
    InForce(Knob),
    /// The host's alone: bytes of memory, and CPUs.
    MemoryTotal,
    Cpus,
}

impl Series {
    /// Whether it can only grow.
    #[must_use]
    pub const fn is_total(self) -> bool {
        match self {
            Self::CpuTime
            | Self::Periods
            | Self::ThrottledPeriods
            | Self::IoReadBytes
            | Self::IoWriteBytes
            | Self::IoReads
            | Self::IoWrites
            | Self::DiskRead(_)
            | Self::DiskWritten(_)
            | Self::NetEgress
            | Self::NetIngress
            | Self::Stalled(..)
            | Self::MemoryHighEvents
            | Self::MemoryMaxEvents => true,
            Self::MemoryUsage
            | Self::MemoryWorkingSet
            | Self::MemoryAnon
            | Self::MemorySwap
            | Self::Pids
            | Self::InForce(_)
            | Self::MemoryTotal
            | Self::Cpus => false,
        }
    }

    /// Below 32, one for each kind.
    const fn kind(self) -> u32 {
        match self {
            Self::MemoryUsage => 0,
            Self::MemoryWorkingSet => 1,
            Self::MemoryAnon => 2,
            Self::MemorySwap => 3,
            Self::CpuTime => 4,
            Self::Periods => 5,
            Self::ThrottledPeriods => 6,
            Self::Pids => 7,
            Self::IoReadBytes => 8,
            Self::IoWriteBytes => 9,
            Self::IoReads => 10,
            Self::IoWrites => 11,
            Self::DiskRead(_) => 12,
            Self::DiskWritten(_) => 13,
            Self::NetEgress => 14,
            Self::NetIngress => 15,
            Self::Stalled(resource, stall) => 16 + 2 * resource as u32 + stall as u32,
            Self::MemoryHighEvents => 22,
            Self::MemoryMaxEvents => 23,
            Self::InForce(_) => 24,
            Self::MemoryTotal => 25,
            Self::Cpus => 26,
        }
    }
}

/// Kinds of series, so that it is quickly told whether two lists have one in common. All limits in
/// force are one kind, and all disks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(u32);

impl Kinds {
    pub(super) const fn with(self, series: Series) -> Self {
        Self(self.0 | 1 << series.kind())
    }

    pub(super) const fn meet(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Numbers read together. `None`: looked for and not there; what is not named is as it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    pub values: Vec<(Series, Option<f64>)>,
}

impl Observation {
    /// Adds a number.
    pub fn put(&mut self, series: Series, value: Option<f64>) {
        self.values.push((series, value));
    }

    pub(super) fn kinds(&self) -> Kinds {
        let series = self.values.iter().map(|(series, _)| *series);
        series.fold(Kinds::default(), Kinds::with)
    }

    /// All that a snapshot knows of a workload.
    #[must_use]
    pub fn of_workload(workload: &Workload) -> Self {
        let mut all = Self::default();
        let reading = &workload.reading;
        all.put_memory(reading);
        all.put_cpu(reading);
        all.put(Series::Pids, reading.pids.map(|pids| number(pids.current)));
        all.put_io(reading);
        all.put_network(workload);
        for (resource, pressure) in [
            (Resource::Cpu, reading.cpu_pressure),
            (Resource::Memory, reading.memory_pressure),
            (Resource::Io, reading.io_pressure),
        ] {
            all.put_pressure(resource, pressure);
        }
        all.put_limits(reading);
        all
    }

    /// All that a snapshot knows of the host.
    #[must_use]
    pub fn of_host(host: &HostReading) -> Self {
        let mut all = Self::default();
        // Zero is what could not be read.
        let known = |value: u64| (value > 0).then(|| number(value));
        let used = host
            .memory_bytes
            .saturating_sub(host.memory_available_bytes);
        all.put(Series::CpuTime, known(host.cpu_busy_ns));
        all.put(Series::Cpus, known(host.cpus.into()));
        all.put(Series::MemoryTotal, known(host.memory_bytes));
        all.put(
            Series::MemoryUsage,
            known(host.memory_bytes).map(|_| number(used)),
        );
        all
    }

    /// Both lines of a pressure file.
    pub fn put_pressure(&mut self, resource: Resource, pressure: Option<PressureReading>) {
        let some = pressure.map(|pressure| number(pressure.some.total_us));
        let full = pressure.and_then(|pressure| pressure.full);
        self.put(Series::Stalled(resource, Stall::Some), some);
        self.put(
            Series::Stalled(resource, Stall::Full),
            full.map(|full| number(full.total_us)),
        );
    }

    fn put_memory(&mut self, reading: &Reading) {
        let memory = reading.memory.as_ref();
        self.put(Series::MemoryUsage, memory.map(|m| number(m.usage_bytes)));
        self.put(
            Series::MemoryWorkingSet,
            memory.map(|m| number(m.working_set_bytes)),
        );
        self.put(Series::MemoryAnon, memory.map(|m| number(m.rss_bytes)));
        self.put(
            Series::MemorySwap,
            memory.and_then(|m| m.swap_bytes).map(number),
        );
        self.put(
            Series::MemoryHighEvents,
            memory.and_then(|m| m.events_high).map(number),
        );
        self.put(
            Series::MemoryMaxEvents,
            memory.and_then(|m| m.failures).map(number),
        );
    }

    fn put_cpu(&mut self, reading: &Reading) {
        let throttling = reading.cpu.and_then(|cpu| cpu.throttling);
        self.put(Series::CpuTime, reading.cpu.map(|cpu| number(cpu.usage_ns)));
        self.put(Series::Periods, throttling.map(|t| number(t.periods)));
        self.put(
            Series::ThrottledPeriods,
            throttling.map(|t| number(t.throttled_periods)),
        );
    }

    fn put_io(&mut self, reading: &Reading) {
        let disks = reading.io.as_deref();
        let mut sum = |series, of: fn(&crate::cgroup::DeviceIo) -> u64| {
            let total = disks.map(|disks| disks.iter().map(of).fold(0, u64::saturating_add));
            self.put(series, total.map(number));
        };
        sum(Series::IoReadBytes, |disk| disk.read_bytes);
        sum(Series::IoWriteBytes, |disk| disk.write_bytes);
        sum(Series::IoReads, |disk| disk.reads);
        sum(Series::IoWrites, |disk| disk.writes);
        for disk in disks.unwrap_or_default() {
            self.put(Series::DiskRead(disk.device), Some(number(disk.read_bytes)));
            self.put(
                Series::DiskWritten(disk.device),
                Some(number(disk.write_bytes)),
            );
        }
    }

    /// What its sockets sent where the probes count that, else what its devices did.
    fn put_network(&mut self, workload: &Workload) {
        let network = &workload.network;
        let (egress, ingress) = match &network.interfaces {
            Some(interfaces) => interfaces
                .iter()
                .filter(|interface| interface.interface != "lo")
                .fold((0, 0), |(sent, received), interface| {
                    (
                        sent + interface.transmit_bytes,
                        received + interface.receive_bytes,
                    )
                }),
            None if network.netdev.is_empty() => {
                self.put(Series::NetEgress, None);
                self.put(Series::NetIngress, None);
                return;
            }
            None => network
                .netdev
                .iter()
                .fold((0, 0), |(sent, received), device| {
                    (
                        sent + device.transmit_bytes,
                        received + device.receive_bytes,
                    )
                }),
        };
        self.put(Series::NetEgress, Some(8.0 * number(egress)));
        self.put(Series::NetIngress, Some(8.0 * number(ingress)));
    }

    fn put_limits(&mut self, reading: &Reading) {
        let limits = &reading.limits;
        let quota = limits.cpu_quota_us.zip(limits.cpu_period_us);
        let cpus = |(quota, period): (u64, u64)| number(quota) / number(period.max(1));
        self.put(Series::InForce(Knob::CpuMax), quota.map(cpus));
        for (knob, limit) in [
            (Knob::MemoryMax, limits.memory_max_bytes),
            (Knob::MemoryHigh, limits.memory_high_bytes),
            (Knob::MemorySwapMax, limits.swap_max_bytes),
            (Knob::PidsMax, reading.pids.and_then(|pids| pids.max)),
        ] {
            self.put(Series::InForce(knob), limit.map(number));
        }
    }
}

/// Counters lose their last digits above 2^53, which is 104 days of one CPU in nanoseconds: a
/// difference is then still right to a billionth.
fn number(value: u64) -> f64 {
    value as f64
}
