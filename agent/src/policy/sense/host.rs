//! The host's own figures, read as often as rules about the host want.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use procfs::{
    Current, CurrentSI, IoPressure, KernelStats, Meminfo, MemoryPressure, PressureRecord,
};

use crate::policy::condition::{Resource, Stall};
use crate::policy::evaluate::{LATEST, Needs, Observation, Series};

/// One file of `/proc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Memory,
    Cpu,
    Stalled(Resource),
}

impl Source {
    const fn of(series: Series) -> Option<Self> {
        match series {
            Series::MemoryUsage | Series::MemoryTotal => Some(Self::Memory),
            Series::CpuTime | Series::Cpus => Some(Self::Cpu),
            Series::Stalled(resource, _) => Some(Self::Stalled(resource)),
            _ => None,
        }
    }
}

/// When each is due.
#[derive(Debug, Default)]
pub(super) struct Host {
    sources: BTreeMap<Source, (Duration, Instant)>,
}

impl Host {
    /// Takes what is needed from now on.
    pub(super) fn attend(&mut self, needs: &Needs, now: Instant) {
        let wants = needs.wants.iter();
        let wants = wants.filter_map(|want| Some((Source::of(want.series)?, want.every)));
        let stalls = needs
            .stalls
            .iter()
            .map(|want| (Source::Stalled(want.resource), want.every));
        let mut sources = BTreeMap::new();
        for (source, every) in wants.chain(stalls) {
            let due = self.sources.get(&source).map_or(now, |(_, due)| *due);
            let entry = sources.entry(source).or_insert((LATEST, due));
            entry.0 = entry.0.min(every);
        }
        for (every, due) in sources.values_mut() {
            *due = (*due).min(now + *every);
        }
        self.sources = sources;
    }

    /// Whether a series is read here.
    pub(super) fn reads(&self, series: Series) -> bool {
        Source::of(series).is_some_and(|source| self.sources.contains_key(&source))
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.sources.values().map(|(_, due)| *due).min()
    }

    /// Reads what is due.
    pub(super) fn look(&mut self, now: Instant, next: impl Fn(Duration) -> Instant) -> Observation {
        let mut seen = Observation::default();
        for (source, (every, due)) in &mut self.sources {
            if *due <= now {
                *due = next(*every);
                read(*source, &mut seen);
            }
        }
        seen
    }
}

fn read(source: Source, seen: &mut Observation) {
    match source {
        Source::Memory => {
            let memory = Meminfo::current().ok();
            let used = memory.as_ref().map(|memory| {
                let available = memory.mem_available.unwrap_or(memory.mem_free);
                memory.mem_total.saturating_sub(available) as f64
            });
            seen.put(Series::MemoryUsage, used);
            let total = memory.map(|memory| memory.mem_total as f64);
            seen.put(Series::MemoryTotal, total);
        }
        Source::Cpu => {
            let stat = KernelStats::current().ok();
            let busy = stat.as_ref().map(|stat| {
                let all = &stat.total;
                let irq = all.irq.unwrap_or(0) + all.softirq.unwrap_or(0);
                let ticks = all.user + all.nice + all.system + irq;
                ticks as f64 * 1e9 / procfs::ticks_per_second().max(1) as f64
            });
            seen.put(Series::CpuTime, busy);
            let cpus = stat.map(|stat| stat.cpu_time.len() as f64);
            seen.put(Series::Cpus, cpus);
        }
        Source::Stalled(resource) => {
            let (some, full) = stalled(resource);
            let total = |record: Option<PressureRecord>| record.map(|r| r.total as f64);
            seen.put(Series::Stalled(resource, Stall::Some), total(some));
            seen.put(Series::Stalled(resource, Stall::Full), total(full));
        }
    }
}

/// `/proc/pressure` of one resource: some, full.
fn stalled(resource: Resource) -> (Option<PressureRecord>, Option<PressureRecord>) {
    match resource {
        // The host's line for `full` is always zero (kernel/sched/psi.c psi_show(), v6.12).
        Resource::Cpu => {
            let pressure = procfs::CpuPressure::current();
            (pressure.ok().map(|pressure| pressure.some), None)
        }
        Resource::Memory => match MemoryPressure::current() {
            Ok(pressure) => (Some(pressure.some), Some(pressure.full)),
            Err(_) => (None, None),
        },
        Resource::Io => match IoPressure::current() {
            Ok(pressure) => (Some(pressure.some), Some(pressure.full)),
            Err(_) => (None, None),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::evaluate::StallWant;

    fn needs(every: Duration) -> Needs {
        Needs {
            stalls: vec![StallWant {
                resource: Resource::Io,
                stall: Stall::Full,
                window: Duration::from_secs(2),
                percent: 50.0,
                every,
                calm: false,
            }],
            ..Needs::default()
        }
    }

    #[test]
    fn what_is_wanted_sooner_is_due_sooner() {
        let start = Instant::now();
        let mut host = Host::default();
        host.attend(&needs(LATEST), start);
        assert_eq!(host.due(), Some(start));
        host.look(start, |every| start + every);
        assert_eq!(host.due(), Some(start + LATEST));
        let soon = Duration::from_millis(200);
        host.attend(&needs(soon), start);
        assert_eq!(host.due(), Some(start + soon));
        host.attend(&needs(LATEST), start);
        assert_eq!(host.due(), Some(start + soon), "due all the same");
    }
}
