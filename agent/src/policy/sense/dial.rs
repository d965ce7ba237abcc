//! Which file a series is read from, where it can be read often.

use crate::cgroup::{self, Gauges, Knob, Scratch, Vanished};
use crate::policy::condition::{Resource, Stall};
use crate::policy::evaluate::{Observation, Series};

/// One file, or two that are read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Dial {
    MemoryUsage,
    Pids,
    CpuTime,
    Periods,
    Stalled(Resource),
    Limit(Knob),
    MemoryEvents,
}

impl Dial {
    /// `None`: the series comes with the snapshot, once a tick.
    pub(super) const fn of(series: Series) -> Option<Self> {
        Some(match series {
            Series::MemoryUsage => Self::MemoryUsage,
            Series::Pids => Self::Pids,
            Series::CpuTime => Self::CpuTime,
            Series::Periods | Series::ThrottledPeriods => Self::Periods,
            Series::Stalled(resource, _) => Self::Stalled(resource),
            Series::InForce(knob) if Gauges::reads(knob) => Self::Limit(knob),
            Series::MemoryHighEvents | Series::MemoryMaxEvents => Self::MemoryEvents,
            Series::InForce(_)
            | Series::MemoryWorkingSet
            | Series::MemoryAnon
            | Series::MemorySwap
            | Series::IoReadBytes
            | Series::IoWriteBytes
            | Series::IoReads
            | Series::IoWrites
            | Series::DiskRead(_)
            | Series::DiskWritten(_)
            | Series::NetEgress
            | Series::NetIngress
            | Series::MemoryTotal
            | Series::Cpus => return None,
        })
    }

    /// Reads it; what is not there is told as missing.
    pub(super) fn read(
        self,
        gauges: &mut Gauges,
        scratch: &mut Scratch,
    ) -> Result<Observation, Vanished> {
        let mut seen = Observation::default();
        let number = |value: Option<u64>| value.map(|value| value as f64);
        match self {
            Self::MemoryUsage => {
                let bytes = gauges.memory_usage(scratch)?;
                seen.put(Series::MemoryUsage, number(bytes));
            }
            Self::Pids => seen.put(Series::Pids, number(gauges.pids_current(scratch)?)),
            Self::CpuTime => seen.put(Series::CpuTime, number(gauges.cpu_time_ns(scratch)?)),
            Self::Periods => {
                let periods = gauges.cpu_periods(scratch)?;
                seen.put(Series::Periods, number(periods.map(|p| p.all)));
                seen.put(
                    Series::ThrottledPeriods,
                    number(periods.map(|p| p.throttled)),
                );
            }
            Self::Stalled(resource) => {
                let pressure = gauges.pressure(in_files(resource), scratch)?;
                seen.put_pressure(resource, pressure);
            }
            Self::Limit(knob) => seen.put(Series::InForce(knob), gauges.limit(knob, scratch)?),
            Self::MemoryEvents => {
                let events = gauges.memory_events(scratch)?;
                seen.put(Series::MemoryMaxEvents, number(events.map(|e| e.max)));
                let high = events.and_then(|events| events.high);
                seen.put(Series::MemoryHighEvents, number(high));
            }
        }
        Ok(seen)
    }
}

/// A resource as the cgroup room has it.
pub(super) const fn in_files(resource: Resource) -> cgroup::Resource {
    match resource {
        Resource::Cpu => cgroup::Resource::Cpu,
        Resource::Memory => cgroup::Resource::Memory,
        Resource::Io => cgroup::Resource::Io,
    }
}

/// Whether all tasks must stall, as the kernel's triggers have it.
pub(super) const fn is_full(stall: Stall) -> bool {
    match stall {
        Stall::Some => false,
        Stall::Full => true,
    }
}
