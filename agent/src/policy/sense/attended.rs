//! One workload that is attended to: its files, when they are read, and what the kernel tells of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::dial::{Dial, in_files, is_full};
use super::growth::Grown;
use super::plan::{Calm, Plan, Wish};
use crate::cgroup::{Alarm, AlarmError, Gauges, Knob, Layout, Placement, Scratch, Stall, Vanished};
use crate::policy::condition::WatchedEvent;
use crate::policy::evaluate::{LATEST, Needs, Observation, SOONEST, Series, StallWant, Want};

/// How old a limit may be that a value beyond its line is held against.
const LIMIT_AGE: Duration = Duration::from_millis(50);
/// After an alarm a file is read closely for so long.
const HEAT: Duration = Duration::from_millis(200);

/// What the kernel can be asked to tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Line {
    Usage(u64),
    Stall(Stall),
    MemoryEvents,
}

impl Line {
    /// What it is about.
    pub(super) const fn dial(&self) -> Dial {
        match self {
            Self::Usage(_) => Dial::MemoryUsage,
            Self::Stall(stall) => Dial::Stalled(match stall.resource {
                crate::cgroup::Resource::Cpu => crate::policy::condition::Resource::Cpu,
                crate::cgroup::Resource::Memory => crate::policy::condition::Resource::Memory,
                crate::cgroup::Resource::Io => crate::policy::condition::Resource::Io,
            }),
            Self::MemoryEvents => Dial::MemoryEvents,
        }
    }

    fn heat(&self) -> Duration {
        match self {
            Self::Usage(_) | Self::MemoryEvents => HEAT,
            Self::Stall(stall) => stall.window,
        }
    }

    pub(super) fn set(&self, layout: &Layout, placement: &Placement) -> Result<Alarm, AlarmError> {
        match self {
            Self::Usage(bytes) => Alarm::usage(layout, placement, *bytes),
            Self::Stall(stall) => Alarm::pressure(layout, placement, *stall),
            Self::MemoryEvents => Alarm::memory_events(layout, placement),
        }
    }
}

/// What this host's alarms can do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Abilities {
    /// Memory is on v1.
    pub(super) usage: bool,
    /// Memory is on v2.
    pub(super) memory_events: bool,
    /// Pressure may be watched at any window.
    pub(super) stalls: bool,
}

/// What was found out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) seen: Observation,
    pub(super) events: Vec<(WatchedEvent, u32)>,
    pub(super) readings: u64,
}

/// One workload.
#[derive(Debug)]
pub(super) struct Attended {
    pub(super) placement: Arc<Placement>,
    gauges: Gauges,
    needs: Needs,
    plans: BTreeMap<Dial, Plan>,
    limits_of: BTreeMap<Dial, BTreeSet<Knob>>,
    limits_read: BTreeMap<Knob, Instant>,
    /// Of what is due first.
    due: Option<Instant>,
    /// Counts of `memory.high` and `memory.max` when last read.
    met: Option<(Option<f64>, Option<f64>)>,
}

impl Attended {
    pub(super) fn new(layout: &Layout, placement: Arc<Placement>) -> Self {
        Self {
            gauges: Gauges::open(layout, &placement),
            placement,
            needs: Needs::default(),
            plans: BTreeMap::new(),
            limits_of: BTreeMap::new(),
            limits_read: BTreeMap::new(),
            due: None,
            met: None,
        }
    }

    /// Whether nothing changes by these.
    pub(super) fn has(&self, needs: &Needs) -> bool {
        self.needs == *needs
    }

    /// What the kernel is to be asked for.
    pub(super) fn lines(needs: &Needs, can: Abilities) -> Vec<Line> {
        let mut lines = Vec::new();
        if can.usage {
            // One above what does not count as above.
            let usage = needs
                .wants
                .iter()
                .filter(|want| want.series == Series::MemoryUsage);
            let high = usage.filter_map(|want| want.calm).map(|(_, high)| high);
            lines.extend(
                high.filter(|high| high.is_finite())
                    .map(|high| Line::Usage(high as u64 + 1)),
            );
        }
        if can.stalls {
            for want in needs.stalls.iter().filter(|want| want.calm) {
                let line = Line::Stall(stall_of(want));
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
        if can.memory_events && wants_memory_events(needs) {
            lines.push(Line::MemoryEvents);
        }
        lines
    }

    /// Takes what is needed from now on; `told`: what the kernel tells of it.
    pub(super) fn attend(&mut self, needs: Needs, told: &[Line], now: Instant) {
        let mut wishes: BTreeMap<Dial, Wish> = BTreeMap::new();
        let mut wish = |dial, wish| {
            let before = wishes.entry(dial).or_default();
            *before = before.and(wish);
        };
        self.limits_of.clear();
        for want in &needs.wants {
            let Some(dial) = Dial::of(want.series) else {
                continue;
            };
            wish(dial, wish_of(want, told));
            let limits = self.limits_of.entry(dial).or_default();
            limits.extend(want.limits.iter().filter(|knob| Gauges::reads(**knob)));
            for knob in &want.limits {
                if Gauges::reads(*knob) {
                    wish(Dial::Limit(*knob), steady(LATEST));
                }
            }
        }
        for want in &needs.stalls {
            let alarmed = told.contains(&Line::Stall(stall_of(want)));
            let every = if alarmed { LATEST } else { want.every };
            wish(Dial::Stalled(want.resource), steady(every));
        }
        if wants_memory_events(&needs) {
            wish(Dial::MemoryEvents, steady(LATEST));
        }
        self.plans.retain(|dial, _| wishes.contains_key(dial));
        for (dial, wish) in wishes {
            match self.plans.get_mut(&dial) {
                Some(plan) => plan.change(wish, now),
                None => {
                    self.plans.insert(dial, Plan::new(dial, wish, now));
                }
            }
        }
        self.needs = needs;
        self.find_due();
    }

    /// An alarm went off.
    pub(super) fn heat(&mut self, line: &Line, now: Instant) {
        if let Some(plan) = self.plans.get_mut(&line.dial()) {
            plan.heat(now, line.heat());
        }
        self.find_due();
    }

    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    fn find_due(&mut self) {
        self.due = self.plans.values().map(Plan::due).min();
    }

    /// Whether the host's memory, and its tasks, decide what is read now.
    pub(super) fn goes_by_growth(&self, now: Instant) -> (bool, bool) {
        let goes = |dial| {
            self.plans
                .get(&dial)
                .is_some_and(|plan| plan.goes_by_growth(now))
        };
        (goes(Dial::MemoryUsage), goes(Dial::Pids))
    }

    /// Reads what is due, and tells what of it is worth telling.
    pub(super) fn look(
        &mut self,
        now: Instant,
        grown: Grown,
        next: impl Fn(Duration) -> Instant,
        scratch: &mut Scratch,
    ) -> Result<Found, Vanished> {
        let mut found = Found::default();
        let mut limits = BTreeSet::new();
        for (dial, plan) in &mut self.plans {
            if plan.due() > now {
                continue;
            }
            let next = next(plan.every(now, SOONEST));
            if !plan.wants_reading(now, grown, next) {
                continue;
            }
            let seen = dial.read(&mut self.gauges, scratch)?;
            found.readings += 1;
            let value = seen.values.first().and_then(|(_, value)| *value);
            let told = plan.note(now, value, grown);
            if *dial == Dial::MemoryEvents {
                found.events.extend(grew(&mut self.met, &seen));
                continue;
            }
            if let Dial::Limit(knob) = dial {
                self.limits_read.insert(*knob, now);
            }
            if told.tell {
                found.seen.values.extend(seen.values);
            }
            if told.left {
                limits.extend(self.limits_of.get(dial).into_iter().flatten().copied());
            }
        }
        for knob in limits {
            let read = self.limits_read.get(&knob);
            if read.is_some_and(|at| now.saturating_duration_since(*at) < LIMIT_AGE) {
                continue;
            }
            let seen = Dial::Limit(knob).read(&mut self.gauges, scratch)?;
            found.readings += 1;
            self.limits_read.insert(knob, now);
            found.seen.values.extend(seen.values);
        }
        self.find_due();
        Ok(found)
    }

    /// Looks again for files that were not there.
    pub(super) fn retry(&mut self) {
        self.gauges.retry();
    }

    /// Series that are read here, and so need not come from the snapshot.
    pub(super) fn reads(&self, series: Series) -> bool {
        Dial::of(series).is_some_and(|dial| self.plans.contains_key(&dial))
    }
}

fn wish_of(want: &Want, told: &[Line]) -> Wish {
    let Some((low, high)) = want.calm else {
        return steady(want.every);
    };
    let tells = |line: &Line| matches!(line, Line::Usage(bytes) if *bytes as f64 <= high + 1.0);
    Wish {
        steady: None,
        calm: Some(Calm {
            every: want.every,
            low,
            high,
            alarmed: want.series == Series::MemoryUsage && told.iter().any(tells),
        }),
    }
}

const fn steady(every: Duration) -> Wish {
    Wish {
        steady: Some(every),
        calm: None,
    }
}

/// The least stall that is above the line.
fn stall_of(want: &StallWant) -> Stall {
    let line = want.window.mul_f64((want.percent / 100.0).clamp(0.0, 1.0));
    Stall {
        resource: in_files(want.resource),
        full: is_full(want.stall),
        stalled: (line + Duration::from_micros(1)).min(want.window),
        window: want.window,
    }
}

fn wants_memory_events(needs: &Needs) -> bool {
    needs.events.contains(&WatchedEvent::MemoryHigh)
        || needs.events.contains(&WatchedEvent::MemoryMax)
}

/// How often each limit was met since the last look; what was before the first is not told.
fn grew(
    met: &mut Option<(Option<f64>, Option<f64>)>,
    seen: &Observation,
) -> Vec<(WatchedEvent, u32)> {
    let of = |series| {
        let value = seen.values.iter().find(|(one, _)| *one == series);
        value.and_then(|(_, value)| *value)
    };
    let now = (of(Series::MemoryHighEvents), of(Series::MemoryMaxEvents));
    let Some(before) = met.replace(now) else {
        return Vec::new();
    };
    let grown = |before: Option<f64>, now: Option<f64>| (now? > before?).then_some(now? - before?);
    [
        (WatchedEvent::MemoryHigh, grown(before.0, now.0)),
        (WatchedEvent::MemoryMax, grown(before.1, now.1)),
    ]
    .into_iter()
    .filter_map(|(event, grown)| Some((event, grown? as u32)))
    .collect()
}
