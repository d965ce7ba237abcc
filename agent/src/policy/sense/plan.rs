//! When one file of one workload is to be read, and whether what it says is worth telling.

use std::time::{Duration, Instant};

use super::dial::Dial;
use super::growth::Grown;
use crate::policy::evaluate::LATEST;

/// One file's schedule.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) dial: Dial,
    pub(super) wish: Wish,
    /// Until then it is read as often as anything: the kernel told that something is up.
    hot_until: Option<Instant>,
    due: Instant,
    read: Option<Reading>,
    told_at: Option<Instant>,
}

/// What is asked of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Wish {
    /// To be read and told so often, in any case.
    pub(super) steady: Option<Duration>,
    /// To be looked at so often, and told when it leaves these values.
    pub(super) calm: Option<Calm>,
}

/// Values at which nothing is decided, both included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Calm {
    pub(super) every: Duration,
    pub(super) low: f64,
    pub(super) high: f64,
    /// The kernel tells when it goes above.
    pub(super) alarmed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    at: Instant,
    value: Option<f64>,
    /// What the host had grown to just before.
    grown: Grown,
}

impl Wish {
    /// One that wants both.
    pub(super) fn and(self, other: Self) -> Self {
        let sooner = |one: Option<Duration>, other: Option<Duration>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let calm = match (self.calm, other.calm) {
            (Some(one), Some(other)) => Some(Calm {
                every: one.every.min(other.every),
                low: one.low.max(other.low),
                high: one.high.min(other.high),
                alarmed: one.alarmed && other.alarmed,
            }),
            (one, other) => one.or(other),
        };
        Self {
            steady: sooner(self.steady, other.steady),
            calm,
        }
    }

    fn every(&self) -> Duration {
        let watched = self.calm.filter(|calm| !calm.alarmed);
        let calm = watched.map(|calm| calm.every);
        let every = [self.steady, calm, Some(LATEST)]
            .into_iter()
            .flatten()
            .min();
        every.unwrap_or(LATEST)
    }
}

impl Plan {
    /// Due at once.
    pub(super) fn new(dial: Dial, wish: Wish, now: Instant) -> Self {
        Self {
            dial,
            wish,
            hot_until: None,
            due: now,
            read: None,
            told_at: None,
        }
    }

    /// Changes what is asked of it. What was sooner may be due by now.
    pub(super) fn change(&mut self, wish: Wish, now: Instant) {
        if self.wish != wish {
            self.wish = wish;
            let last = self.read.map_or(now, |reading| reading.at);
            self.due = self.due.min(last + wish.every());
        }
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// It is to be read at once, and closely for a while.
    pub(super) fn heat(&mut self, now: Instant, time: Duration) {
        self.hot_until = Some(now + time);
        self.due = now;
    }

    /// Whether the host's growth is what decides if it is read: now, or the next time, when what it
    /// had grown to now is compared with.
    pub(super) fn goes_by_growth(&self, now: Instant) -> bool {
        let calm = self.calm_from_below(now);
        self.due <= now && calm.is_some_and(|calm| !calm.alarmed)
    }

    /// The calm that it can leave upwards only, if that is all that is asked of it.
    fn calm_from_below(&self, now: Instant) -> Option<Calm> {
        let alone = self.wish.steady.is_none() && !self.is_hot(now);
        let calm = self.wish.calm.filter(|_| alone);
        calm.filter(|calm| calm.low == f64::NEG_INFINITY)
    }

    /// Whether it is to be read now; if not, it is put off.
    pub(super) fn wants_reading(&mut self, now: Instant, grown: Grown, next: Instant) -> bool {
        if self.due > now {
            return false;
        }
        self.due = next;
        let (Some(reading), Some(calm)) = (self.read, self.calm_from_below(now)) else {
            return true;
        };
        if now.saturating_duration_since(reading.at) >= LATEST {
            return true;
        }
        !calm.alarmed && self.may_have_left(reading, calm, grown)
    }

    /// Whether the host grew by what this one lacks to its line.
    fn may_have_left(&self, reading: Reading, calm: Calm, grown: Grown) -> bool {
        let Some(value) = reading.value else {
            return true;
        };
        let grew = match self.dial {
            Dial::MemoryUsage => grown.memory_bytes.zip(reading.grown.memory_bytes),
            Dial::Pids => grown.tasks.zip(reading.grown.tasks),
            _ => None,
        };
        grew.is_none_or(|(now, then)| value + now.saturating_sub(then) as f64 > calm.high)
    }

    /// How long after a reading the next is due.
    pub(super) fn every(&self, now: Instant, soonest: Duration) -> Duration {
        if self.is_hot(now) {
            soonest
        } else {
            self.wish.every()
        }
    }

    /// Takes note of a reading; whether it is worth telling, and whether it left the calm.
    pub(super) fn note(&mut self, at: Instant, value: Option<f64>, grown: Grown) -> Told {
        let before = self.read.replace(Reading { at, value, grown });
        let calm = self.wish.calm.filter(|_| self.wish.steady.is_none());
        let left = match (calm, value) {
            (Some(calm), Some(value)) => !(calm.low..=calm.high).contains(&value),
            (Some(_), None) => before.is_none_or(|before| before.value.is_some()),
            (None, _) => true,
        };
        let stale = self
            .told_at
            .is_none_or(|told| at.saturating_duration_since(told) >= LATEST);
        let told = Told {
            tell: left || stale || self.is_hot(at),
            left,
        };
        if told.tell {
            self.told_at = Some(at);
        }
        told
    }

    fn is_hot(&self, now: Instant) -> bool {
        self.hot_until.is_some_and(|until| now < until)
    }
}

/// What to do with a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) tell: bool,
    /// Limits it is held against are to be read too.
    pub(super) left: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::evaluate::SOONEST;

    fn calm(high: f64) -> Wish {
        Wish {
            steady: None,
            calm: Some(Calm {
                every: SOONEST,
                low: f64::NEG_INFINITY,
                high,
                alarmed: false,
            }),
        }
    }

    fn grown(memory_bytes: u64) -> Grown {
        Grown {
            memory_bytes: Some(memory_bytes),
            tasks: Some(0),
        }
    }

    fn plan(wish: Wish, value: f64, at: Instant) -> Plan {
        let mut plan = Plan::new(Dial::MemoryUsage, wish, at);
        assert!(plan.wants_reading(at, grown(1_000), at + SOONEST));
        plan.note(at, Some(value), grown(1_000));
        plan
    }

    #[test]
    fn it_is_not_read_while_the_host_grew_by_less_than_it_lacks() {
        let start = Instant::now();
        let mut plan = plan(calm(500.0), 400.0, start);
        let (mut now, mut total) = (start, 1_000);
        for _ in 0..10 {
            now += SOONEST;
            total += 10;
            assert!(!plan.wants_reading(now, grown(total), now + SOONEST));
        }
        now += SOONEST;
        assert!(plan.wants_reading(now, grown(total + 1), now + SOONEST));
        let told = plan.note(now, Some(450.0), grown(total + 1));
        assert!(!told.tell, "still below its line");
    }

    #[test]
    fn it_is_read_and_told_once_a_second_all_the_same() {
        let start = Instant::now();
        let mut plan = plan(calm(500.0), 400.0, start);
        let now = start + LATEST;
        assert!(plan.wants_reading(now, grown(1_000), now + SOONEST));
        assert!(plan.note(now, Some(400.0), grown(1_000)).tell);
    }

    #[test]
    fn what_the_host_does_not_tell_is_read_each_time() {
        let start = Instant::now();
        let mut plan = plan(calm(500.0), 400.0, start);
        let now = start + SOONEST;
        assert!(plan.wants_reading(now, Grown::default(), now + SOONEST));
    }

    #[test]
    fn what_has_an_alarm_is_not_looked_at() {
        let start = Instant::now();
        let mut wish = calm(500.0);
        if let Some(calm) = &mut wish.calm {
            calm.alarmed = true;
        }
        let mut plan = plan(wish, 400.0, start);
        let mut now = start + SOONEST;
        assert!(!plan.wants_reading(now, grown(1 << 40), now + SOONEST));
        now += SOONEST / 2;
        plan.heat(now, LATEST);
        assert!(plan.wants_reading(now, grown(1 << 40), now + SOONEST));
        let told = plan.note(now, Some(501.0), grown(1 << 40));
        assert_eq!(
            told,
            Told {
                tell: true,
                left: true
            }
        );
    }

    #[test]
    fn steady_goes_before_calm() {
        let start = Instant::now();
        let steady = Wish {
            steady: Some(Duration::from_millis(100)),
            calm: None,
        };
        let mut plan = plan(calm(500.0).and(steady), 400.0, start);
        let now = start + Duration::from_millis(100);
        assert!(plan.wants_reading(now, grown(1_000), now + SOONEST));
        assert!(plan.note(now, Some(400.0), grown(1_000)).tell);
    }
}
