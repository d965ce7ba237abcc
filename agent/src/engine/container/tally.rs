//! What the engine counts of its own doings, for whoever watches it from outside.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bollard::models::HealthStatusEnum;

use super::cell::held;
use super::handle::Engine;
use super::model::Restart;
use super::status::{WORDS, word};

/// Upper bounds of what a start takes, in seconds.
const BOUNDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// As it stands now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Containers by Docker's word for their state; each word is there.
    pub states: BTreeMap<&'static str, u64>,
    pub images: u64,
    /// Containers with a restart policy, by name: starts by it since somebody started them.
    pub restarts: BTreeMap<String, u64>,
    /// Containers with a health check that run, by name: starting, healthy, unhealthy.
    pub health: BTreeMap<String, &'static str>,
    /// Containers that were made to run since the agent started, and what that took.
    pub starts: Timings,
    pub failed_starts: u64,
    /// Of the starts, those by restart policies.
    pub policy_restarts: u64,
    pub health_checks: u64,
    pub failed_health_checks: u64,
    /// Containers that ended because the process was killed that held them.
    pub lost_shims: u64,
    /// Lines of output that no log has.
    pub lost_log_lines: u64,
}

/// How long something took, by upper bound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timings {
    pub bounds_seconds: &'static [f64],
    /// Cumulative; one more than there are bounds, for all.
    pub counts: Vec<u64>,
    pub sum_seconds: f64,
}

/// What only grows.
#[derive(Debug, Default)]
pub(super) struct Counters {
    starts: Mutex<Starts>,
    pub(super) failed_starts: Counter,
    pub(super) policy_restarts: Counter,
    pub(super) health_checks: Counter,
    pub(super) failed_health_checks: Counter,
    pub(super) lost_shims: Counter,
    pub(super) lost_log_lines: Counter,
}

#[derive(Debug, Default)]
struct Starts {
    counts: [u64; BOUNDS.len() + 1],
    sum: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    /// A container was made to run.
    pub(super) fn started(&self, took: Duration) {
        let mut starts = held(&self.starts);
        starts.sum += took;
        let seconds = took.as_secs_f64();
        let bounds = BOUNDS.iter().copied().chain([f64::INFINITY]);
        for (count, bound) in starts.counts.iter_mut().zip(bounds) {
            *count += u64::from(seconds <= bound);
        }
    }

    fn starts(&self) -> Timings {
        let starts = held(&self.starts);
        Timings {
            bounds_seconds: &BOUNDS,
            counts: starts.counts.to_vec(),
            sum_seconds: starts.sum.as_secs_f64(),
        }
    }
}

impl Engine {
    /// What there is, and what was counted since the agent started.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let counters = &self.shared.counters;
        let mut tally = Tally {
            states: WORDS.into_iter().map(|word| (word, 0)).collect(),
            images: self.shared.parts.images.count(),
            starts: counters.starts(),
            failed_starts: counters.failed_starts.get(),
            policy_restarts: counters.policy_restarts.get(),
            health_checks: counters.health_checks.get(),
            failed_health_checks: counters.failed_health_checks.get(),
            lost_shims: counters.lost_shims.get(),
            lost_log_lines: counters.lost_log_lines.get(),
            ..Tally::default()
        };
        for cell in self.shared.registry.all() {
            let record = cell.record();
            let (settings, life) = (&record.settings, &record.life);
            *tally.states.entry(word(life)).or_default() += 1;
            if settings.restart() != Restart::No {
                let restarts = u64::from(life.restart_count);
                tally.restarts.insert(settings.name.clone(), restarts);
            }
            let health = life.health.as_ref().filter(|_| life.runs());
            let health = match health.and_then(|health| health.status) {
                Some(HealthStatusEnum::STARTING) => "starting",
                Some(HealthStatusEnum::HEALTHY) => "healthy",
                Some(HealthStatusEnum::UNHEALTHY) => "unhealthy",
                Some(HealthStatusEnum::NONE | HealthStatusEnum::EMPTY) | None => continue,
            };
            tally.health.insert(settings.name.clone(), health);
        }
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_counted_in_all_buckets_that_they_fit() {
        let counters = Counters::default();
        counters.started(Duration::from_millis(20));
        counters.started(Duration::from_millis(50));
        counters.started(Duration::from_secs(60));
        let starts = counters.starts();
        assert_eq!(starts.counts.len(), starts.bounds_seconds.len() + 1);
        assert_eq!(starts.counts[..4], [0, 0, 1, 2]);
        assert_eq!(starts.counts[10..], [2, 3]);
        assert!((starts.sum_seconds - 60.07).abs() < 1e-9);
    }
}
