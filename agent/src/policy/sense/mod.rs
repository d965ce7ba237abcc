//! Readings faster than the snapshot's tick, for as long as a rule needs them.
//!
//! In: what evaluation needs of each workload. Out: readings and events, when they are worth telling.
//! What the kernel tells is not looked for: memory on v1 by a usage threshold, pressure by a trigger,
//! limits that were met by `memory.events`. The rest is read: a rule that waits for three seconds
//! wants a reading every 300 ms, one that does not wait every 20 ms, and of those none is taken while
//! the whole host allocated less than the workload lacks to its threshold ([`growth`]). Must not know
//! policies.

mod attended;
mod degradation;
mod dial;
mod growth;
mod host;
mod plan;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollTimeout};

use self::attended::{Abilities, Attended, Line};
use self::growth::{Grown, Growth};
use self::host::Host;
use crate::cgroup::{
    Alarm, AlarmError, Controller, Hierarchy, Layout, Placement, Scratch, may_watch_pressure,
};
use crate::policy::condition::WatchedEvent;
use crate::policy::evaluate::{Needs, Observation, Series};

pub use self::degradation::{Degradation, degradations};
pub use self::tally::SenseTally;

/// Alarms taken from the kernel at once.
const BATCH: usize = 64;

/// Something that was found out about a workload.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum News {
    Seen(Arc<str>, Observation),
    Event(Arc<str>, WatchedEvent, u32),
    Host(Observation),
}

/// Attends to workloads.
#[derive(Debug)]
pub(super) struct Sense {
    layout: Layout,
    can: Abilities,
    scratch: Scratch,
    growth: Growth,
    start: Instant,
    attended: BTreeMap<Arc<str>, Attended>,
    host: Host,
    epoll: Epoll,
    /// By the number that the kernel gives back.
    alarms: BTreeMap<u64, Armed>,
    next_alarm: u64,
    refused: BTreeSet<Degradation>,
    tally: SenseTally,
}

#[derive(Debug)]
struct Armed {
    alarm: Alarm,
    line: Line,
    workload: Arc<str>,
}

impl Sense {
    /// Attends to nothing yet.
    ///
    /// # Errors
    /// No epoll instance is to be had.
    pub(super) fn open(layout: Layout) -> io::Result<Self> {
        let memory = layout.controller(Controller::Memory);
        let on_v2 = memory.map(Hierarchy::is_unified);
        Ok(Self {
            can: Abilities {
                usage: on_v2 == Some(false),
                memory_events: on_v2 == Some(true),
                stalls: layout.unified().is_some() && may_watch_pressure(),
            },
            layout,
            scratch: Scratch::default(),
            growth: Growth::open(),
            start: Instant::now(),
            attended: BTreeMap::new(),
            host: Host::default(),
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            alarms: BTreeMap::new(),
            next_alarm: 0,
            refused: BTreeSet::new(),
            tally: SenseTally::default(),
        })
    }

    /// Attends to a workload as is needed from now on; nothing needed, nothing attended.
    pub(super) fn attend(
        &mut self,
        now: Instant,
        id: &Arc<str>,
        placement: &Arc<Placement>,
        needs: Needs,
    ) {
        let known = self.attended.get(id);
        let moved = known.is_some_and(|known| known.placement != *placement);
        if known.is_some_and(|known| !moved && known.has(&needs)) {
            return;
        }
        if moved || needs == Needs::default() {
            self.forget(id);
        }
        if needs == Needs::default() {
            return;
        }
        let told = self.arm(id, placement, Attended::lines(&needs, self.can));
        let attended = self
            .attended
            .entry(Arc::clone(id))
            .or_insert_with(|| Attended::new(&self.layout, Arc::clone(placement)));
        attended.attend(needs, &told, now);
    }

    /// Reads the host's figures as is needed from now on.
    pub(super) fn attend_host(&mut self, now: Instant, needs: &Needs) {
        self.host.attend(needs, now);
    }

    /// It is gone, or nothing is needed of it.
    pub(super) fn forget(&mut self, id: &str) {
        self.attended.remove(id);
        self.alarms.retain(|_, armed| *armed.workload != *id);
    }

    /// Readable when [`hear`](Self::hear) has something to hear.
    ///
    /// # Errors
    /// No descriptor is to be had.
    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.epoll.0.try_clone()
    }

    /// When [`look`](Self::look) is to be called.
    pub(super) fn due(&self) -> Option<Instant> {
        let workloads = self.attended.values().filter_map(Attended::due);
        workloads.chain(self.host.due()).min()
    }

    /// Takes the alarms that went off: what they are about is due at once.
    pub(super) fn hear(&mut self, now: Instant) {
        let mut events = [EpollEvent::empty(); BATCH];
        loop {
            let heard = match self.epoll.wait(&mut events, EpollTimeout::ZERO) {
                Ok(heard) => heard,
                Err(error) => {
                    tracing::debug!(%error, "waiting for alarms failed");
                    return;
                }
            };
            for event in events.iter().take(heard) {
                let Some(armed) = self.alarms.get(&event.data()) else {
                    continue;
                };
                self.tally.alarms += 1;
                armed.alarm.hear();
                // Of a cgroup that is gone the files go off for good: the reading finds that out.
                if let Some(attended) = self.attended.get_mut(&armed.workload) {
                    attended.heat(&armed.line, now);
                }
            }
            if heard < BATCH {
                return;
            }
        }
    }

    /// Reads what is due.
    pub(super) fn look(&mut self, now: Instant) -> Vec<News> {
        self.tally.looks += 1;
        let start = self.start;
        let next = |every: Duration| next_multiple(start, now, every);
        let grown = self.grown(now);
        let mut news = Vec::new();
        let host = self.host.look(now, next);
        if !host.values.is_empty() {
            news.push(News::Host(host));
        }
        let mut vanished = Vec::new();
        for (id, attended) in &mut self.attended {
            if attended.due().is_none_or(|due| due > now) {
                continue;
            }
            let Ok(found) = attended.look(now, grown, next, &mut self.scratch) else {
                vanished.push(Arc::clone(id));
                continue;
            };
            self.tally.readings += found.readings;
            self.tally.spared += u64::from(found.readings == 0);
            if !found.seen.values.is_empty() {
                news.push(News::Seen(Arc::clone(id), found.seen));
            }
            let events = found.events.into_iter();
            news.extend(events.map(|(event, count)| News::Event(Arc::clone(id), event, count)));
        }
        for id in vanished {
            // The ledger tells of its end in a moment.
            self.forget(&id);
        }
        news
    }

    /// Which series of a workload are read here, so that the snapshot's values are older.
    pub(super) fn read_of(&self, id: &str) -> impl Fn(Series) -> bool {
        let attended = self.attended.get(id);
        move |series| attended.is_some_and(|attended| attended.reads(series))
    }

    /// Likewise of the host.
    pub(super) fn reads_of_host(&self, series: Series) -> bool {
        self.host.reads(series)
    }

    /// Looks again for files and descriptors that were not there.
    pub(super) fn retry(&mut self) {
        for attended in self.attended.values_mut() {
            attended.retry();
        }
    }

    /// What the kernel refused.
    pub(super) fn refused(&self) -> impl Iterator<Item = &Degradation> {
        self.refused.iter()
    }

    pub(super) fn tally(&self) -> SenseTally {
        SenseTally {
            attended: self.attended.len() as u64,
            armed: self.alarms.len() as u64,
            ..self.tally
        }
    }

    fn grown(&mut self, now: Instant) -> Grown {
        let (mut memory, mut tasks) = (false, false);
        for attended in self.attended.values() {
            if attended.due().is_none_or(|due| due > now) {
                continue;
            }
            let goes = attended.goes_by_growth(now);
            memory |= goes.0;
            tasks |= goes.1;
            if memory && tasks {
                break;
            }
        }
        self.growth.look(memory, tasks)
    }

    /// Sets the alarms that are wanted and not set, drops those no longer wanted; which are set.
    fn arm(&mut self, id: &Arc<str>, placement: &Placement, lines: Vec<Line>) -> Vec<Line> {
        let mut set = Vec::new();
        self.alarms.retain(|_, armed| {
            if armed.workload != *id {
                return true;
            }
            let wanted = lines.contains(&armed.line);
            if wanted {
                set.push(armed.line);
            }
            wanted
        });
        for line in lines {
            if set.contains(&line) {
                continue;
            }
            match line.set(&self.layout, placement) {
                Ok(alarm) => {
                    if self.watch(alarm, line, id) {
                        set.push(line);
                    }
                }
                Err(error) => self.note_refusal(&line, &error),
            }
        }
        set
    }

    fn watch(&mut self, alarm: Alarm, line: Line, id: &Arc<str>) -> bool {
        self.next_alarm += 1;
        let event = EpollEvent::new(alarm.flags(), self.next_alarm);
        if let Err(error) = self.epoll.add(&alarm, event) {
            tracing::debug!(workload = %id, %error, "an alarm cannot be waited for");
            return false;
        }
        let workload = Arc::clone(id);
        let armed = Armed {
            alarm,
            line,
            workload,
        };
        self.alarms.insert(self.next_alarm, armed);
        true
    }

    fn note_refusal(&mut self, line: &Line, error: &AlarmError) {
        let what = match line {
            Line::Usage(_) => "memory.usage",
            Line::Stall(_) => "pressure",
            Line::MemoryEvents => "memory.events",
        };
        let reason = match error {
            // A cgroup that has just gone is no news.
            AlarmError::NotHere(_) => return,
            AlarmError::Set { source, .. } if source.kind() == io::ErrorKind::NotFound => return,
            AlarmError::NoDescriptor => error.to_string(),
            AlarmError::Set { source, .. } => source.to_string(),
        };
        let effect = "of some workloads it is read instead of being told";
        self.refused.insert(Degradation::new(what, effect, &reason));
    }
}

/// When so much time next comes round: what is read equally often is read together, and judged once,
/// and what is read half as often with every second of them.
fn next_multiple(start: Instant, now: Instant, every: Duration) -> Instant {
    let step = every.as_micros().max(1);
    let since = now.saturating_duration_since(start).as_micros();
    let to_go = u64::try_from(step - since % step).unwrap_or(u64::MAX);
    now + Duration::from_micros(to_go)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_half_as_often_is_read_with_every_second() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let late = start + ms(2_013);
        assert_eq!(next_multiple(start, late, ms(200)), start + ms(2_200));
        assert_eq!(next_multiple(start, late, ms(400)), start + ms(2_400));
        assert_eq!(next_multiple(start, late, ms(1_000)), start + ms(3_000));
        let sharp = start + ms(2_000);
        assert_eq!(next_multiple(start, sharp, ms(200)), start + ms(2_200));
        assert_eq!(next_multiple(start, start, ms(20)), start + ms(20));
    }
}
