//! Values that are cheap enough to be read many times a second, each by itself.
//!
//! In: a [`Placement`]. Out: one value a call, a microsecond or two each, from a descriptor that is
//! kept from the first reading on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::file::{KernFile, Scratch};
use super::place::{Place, Vanished};
use super::{Controller, HierarchyId, Knob, Layout, Placement, PressureReading, parse, v1};

/// What tasks wait for, as pressure files have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    Cpu,
    Memory,
    Io,
}

/// Enforcement periods of CPU bandwidth control, since the cgroup was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Periods {
    pub all: u64,
    pub throttled: u64,
}

/// How often a limit on memory was met, since the cgroup was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryEvents {
    /// Throttled at `memory.high`; `None` on v1, which has no such limit.
    pub high: Option<u64>,
    pub max: u64,
}

/// The quick values of one workload. `None`: this host or this cgroup has no such value.
#[derive(Debug)]
pub struct Gauges {
    open: BTreeMap<Dial, Gauge>,
}

/// One file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Dial {
    MemoryUsage,
    MemoryMax,
    MemoryHigh,
    MemoryEvents,
    PidsCurrent,
    PidsMax,
    CpuTime,
    CpuPeriods,
    CpuMax,
    /// v1 alone keeps it apart from the quota.
    CpuPeriod,
    Pressure(Resource),
}

impl Resource {
    pub(super) const fn file(self) -> &'static str {
        match self {
            Self::Cpu => "cpu.pressure",
            Self::Memory => "memory.pressure",
            Self::Io => "io.pressure",
        }
    }
}

impl Dial {
    const ALL: [Self; 13] = [
        Self::MemoryUsage,
        Self::MemoryMax,
        Self::MemoryHigh,
        Self::MemoryEvents,
        Self::PidsCurrent,
        Self::PidsMax,
        Self::CpuTime,
        Self::CpuPeriods,
        Self::CpuMax,
        Self::CpuPeriod,
        Self::Pressure(Resource::Cpu),
        Self::Pressure(Resource::Memory),
        Self::Pressure(Resource::Io),
    ];

    /// Whose hierarchy it is in; `None`: v2's.
    const fn controller(self) -> Option<Controller> {
        match self {
            Self::MemoryUsage | Self::MemoryMax | Self::MemoryHigh | Self::MemoryEvents => {
                Some(Controller::Memory)
            }
            Self::PidsCurrent | Self::PidsMax => Some(Controller::Pids),
            Self::CpuTime => Some(Controller::Cpuacct),
            Self::CpuPeriods | Self::CpuMax | Self::CpuPeriod => Some(Controller::Cpu),
            Self::Pressure(_) => None,
        }
    }

    /// Its name, which kind of hierarchy it is in known.
    const fn file(self, unified: bool) -> Option<&'static str> {
        Some(match (self, unified) {
            (Self::MemoryUsage, true) => "memory.current",
            (Self::MemoryUsage, false) => "memory.usage_in_bytes",
            (Self::MemoryMax, true) => "memory.max",
            (Self::MemoryMax, false) => "memory.limit_in_bytes",
            (Self::MemoryHigh, true) => "memory.high",
            (Self::MemoryEvents, true) => "memory.events",
            (Self::MemoryEvents, false) => "memory.failcnt",
            (Self::PidsCurrent, _) => "pids.current",
            (Self::PidsMax, _) => "pids.max",
            (Self::CpuTime, true) | (Self::CpuPeriods, _) => "cpu.stat",
            (Self::CpuTime, false) => "cpuacct.usage",
            (Self::CpuMax, true) => "cpu.max",
            (Self::CpuMax, false) => "cpu.cfs_quota_us",
            (Self::CpuPeriod, false) => "cpu.cfs_period_us",
            (Self::Pressure(resource), true) => resource.file(),
            (Self::MemoryHigh, false) | (Self::CpuPeriod, true) | (Self::Pressure(_), false) => {
                return None;
            }
        })
    }
}

#[derive(Debug)]
struct Gauge {
    place: Arc<Place>,
    file: KernFile,
    unified: bool,
}

impl Gauges {
    /// Takes up the workload's cgroups. Nothing is opened before it is read.
    #[must_use]
    pub fn open(layout: &Layout, placement: &Placement) -> Self {
        let mut places: BTreeMap<HierarchyId, Option<Arc<Place>>> = BTreeMap::new();
        let gauges = Dial::ALL.into_iter().filter_map(|dial| {
            let id = match dial.controller() {
                Some(controller) => layout.controller(controller)?.id,
                None => HierarchyId::V2,
            };
            let unified = id == HierarchyId::V2;
            let place = places
                .entry(id)
                .or_insert_with(|| place_in(layout, placement, id).map(Arc::new));
            let gauge = Gauge {
                place: Arc::clone(place.as_ref()?),
                file: KernFile::kept(dial.file(unified)?),
                unified,
            };
            Some((dial, gauge))
        });
        Self {
            open: gauges.collect(),
        }
    }

    /// Bytes charged now, page cache included.
    ///
    /// # Errors
    /// [`Vanished`] when the cgroup is gone; so for all of them.
    pub fn memory_usage(&mut self, scratch: &mut Scratch) -> Result<Option<u64>, Vanished> {
        self.number(Dial::MemoryUsage, scratch)
    }

    /// Tasks, descendants' included.
    ///
    /// # Errors
    /// [`Vanished`].
    pub fn pids_current(&mut self, scratch: &mut Scratch) -> Result<Option<u64>, Vanished> {
        self.number(Dial::PidsCurrent, scratch)
    }

    /// CPU time used, in nanoseconds.
    ///
    /// # Errors
    /// [`Vanished`].
    pub fn cpu_time_ns(&mut self, scratch: &mut Scratch) -> Result<Option<u64>, Vanished> {
        self.read(Dial::CpuTime, scratch, |text, unified| {
            if unified {
                let us = parse::field(text, b"usage_usec")?;
                Some(us.saturating_mul(1_000))
            } else {
                parse::number(text)
            }
        })
    }

    /// Periods of CPU bandwidth control; `None` also without a cpu controller on this cgroup.
    ///
    /// # Errors
    /// [`Vanished`].
    pub fn cpu_periods(&mut self, scratch: &mut Scratch) -> Result<Option<Periods>, Vanished> {
        self.read(Dial::CpuPeriods, scratch, |text, _| {
            Some(Periods {
                all: parse::field(text, b"nr_periods")?,
                throttled: parse::field(text, b"nr_throttled")?,
            })
        })
    }

    /// How often limits on its memory were met.
    ///
    /// # Errors
    /// [`Vanished`].
    pub fn memory_events(
        &mut self,
        scratch: &mut Scratch,
    ) -> Result<Option<MemoryEvents>, Vanished> {
        self.read(Dial::MemoryEvents, scratch, |text, unified| {
            Some(if unified {
                MemoryEvents {
                    high: parse::field(text, b"high"),
                    max: parse::field(text, b"max")?,
                }
            } else {
                MemoryEvents {
                    high: None,
                    max: parse::number(text)?,
                }
            })
        })
    }

    /// Stall times of its cgroup v2.
    ///
    /// # Errors
    /// [`Vanished`].
    pub fn pressure(
        &mut self,
        resource: Resource,
        scratch: &mut Scratch,
    ) -> Result<Option<PressureReading>, Vanished> {
        self.read(Dial::Pressure(resource), scratch, |text, _| {
            parse::pressure(text)
        })
    }

    /// A limit in force: bytes, tasks or, of `cpu.max`, CPUs. `None` also when there is no limit,
    /// and for a knob of which [`reads`](Self::reads) is false.
    ///
    /// # Errors
    /// [`Vanished`].
    pub fn limit(&mut self, knob: Knob, scratch: &mut Scratch) -> Result<Option<f64>, Vanished> {
        let dial = match knob {
            Knob::CpuMax => return self.cpus_allowed(scratch),
            Knob::MemoryMax => Dial::MemoryMax,
            Knob::MemoryHigh => Dial::MemoryHigh,
            Knob::PidsMax => Dial::PidsMax,
            _ => return Ok(None),
        };
        let number = self.number(dial, scratch)?.and_then(v1::reachable);
        Ok(number.map(|number| number as f64))
    }

    /// Whether [`limit`](Self::limit) knows this one.
    #[must_use]
    pub const fn reads(knob: Knob) -> bool {
        matches!(
            knob,
            Knob::CpuMax | Knob::MemoryMax | Knob::MemoryHigh | Knob::PidsMax
        )
    }

    /// Looks again for files that were not there, and for descriptors to keep.
    pub fn retry(&mut self) {
        for gauge in self.open.values_mut() {
            gauge.file.retry();
        }
    }

    fn cpus_allowed(&mut self, scratch: &mut Scratch) -> Result<Option<f64>, Vanished> {
        let (quota, period) = self
            .read(Dial::CpuMax, scratch, |text, _| {
                Some(parse::quota_and_period(text))
            })?
            .unwrap_or_default();
        let period = match period {
            Some(period) => Some(period),
            None => self.number(Dial::CpuPeriod, scratch)?,
        };
        let cpus = |(quota, period): (u64, u64)| quota as f64 / period.max(1) as f64;
        Ok(quota.zip(period).map(cpus))
    }

    fn number(&mut self, dial: Dial, scratch: &mut Scratch) -> Result<Option<u64>, Vanished> {
        self.read(dial, scratch, |text, _| parse::number(text))
    }

    fn read<T>(
        &mut self,
        dial: Dial,
        scratch: &mut Scratch,
        parse: impl FnOnce(&[u8], bool) -> Option<T>,
    ) -> Result<Option<T>, Vanished> {
        let Some(gauge) = self.open.get_mut(&dial) else {
            return Ok(None);
        };
        let unified = gauge.unified;
        let text = gauge.file.read(&gauge.place, scratch)?;
        Ok(text.and_then(|text| parse(text, unified)))
    }
}

/// Where the workload is in one hierarchy. A workload that has a cgroup of its own elsewhere may be
/// in the root here, whose numbers are the whole host's: no place.
pub(super) fn place_in(layout: &Layout, placement: &Placement, id: HierarchyId) -> Option<Place> {
    let path = placement.paths.get(&id)?;
    let host = placement.paths.values().all(|path| path == "/");
    if path == "/" && !host {
        return None;
    }
    let directory = layout.hierarchy(id)?.directory(path)?;
    Some(Place::open(id, path, directory))
}

#[cfg(test)]
#[path = "gauge_tests.rs"]
mod tests;
