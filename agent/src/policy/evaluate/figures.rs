//! All numbers of one workload, or of the host, and what conditions make of them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::series::{Observation, Series};
use super::track::{Track, Windows, covers};
use crate::cgroup::{DeviceNumber, Knob};
use crate::policy::condition::{Compare, Resource, Stall};
use crate::policy::metric::Metric;

/// Over which a throttle looks at what is used.
const USED_OVER: Duration = Duration::from_secs(1);

const PERCENT: f64 = 100.0;

/// Numbers over time.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    tracks: BTreeMap<Series, Track>,
    windows: BTreeMap<Series, Windows>,
}

impl Figures {
    /// How far back each series is to be remembered.
    pub(super) fn remember(&mut self, windows: BTreeMap<Series, Windows>) {
        self.windows = windows;
    }

    pub(super) fn take(&mut self, at: Instant, observation: &Observation) {
        for (series, value) in &observation.values {
            let Some(value) = value.filter(|value| value.is_finite()) else {
                self.tracks.remove(series);
                continue;
            };
            let windows = self.windows_of(*series);
            match self.tracks.get_mut(series) {
                Some(track) => track.push(at, value, series.is_total(), windows),
                None => {
                    self.tracks.insert(*series, Track::new(at, value));
                }
            }
        }
    }

    /// The latest reading.
    pub(super) fn latest(&self, series: Series) -> Option<f64> {
        self.tracks.get(&series).map(Track::value)
    }

    /// A metric over a window, in its unit. Where only the window's end is known, a total has grown
    /// by at least that: enough to be above something, not to be below.
    pub(super) fn metric(&self, metric: Metric, window: Duration, compare: Compare) -> Option<f64> {
        let a_second = |series, unit: f64| {
            let grown = self.share(series, window, compare)?;
            Some(grown / unit)
        };
        match metric {
            Metric::CpuUsage => a_second(Series::CpuTime, 1e9),
            Metric::CpuThrottledRatio => self.throttled(window),
            Metric::IoReadBytes => a_second(Series::IoReadBytes, 1.0),
            Metric::IoWriteBytes => a_second(Series::IoWriteBytes, 1.0),
            Metric::IoReads => a_second(Series::IoReads, 1.0),
            Metric::IoWrites => a_second(Series::IoWrites, 1.0),
            Metric::NetEgress => a_second(Series::NetEgress, 1.0),
            Metric::NetIngress => a_second(Series::NetIngress, 1.0),
            Metric::MemoryUsage
            | Metric::MemoryWorkingSet
            | Metric::MemoryAnon
            | Metric::MemorySwap
            | Metric::PidsCurrent => {
                let track = self.tracks.get(&series_of(metric))?;
                if window.is_zero() {
                    Some(track.value())
                } else {
                    track.mean(window)
                }
            }
        }
    }

    /// By how much a metric that is no rate grows a second.
    pub(super) fn rate(&self, metric: Metric, window: Duration) -> Option<f64> {
        let grown = self.tracks.get(&series_of(metric))?.growth(window);
        covers(grown.known, window).then(|| grown.growth / grown.known)
    }

    /// Percent of the window in which tasks stalled.
    pub(super) fn pressure(
        &self,
        resource: Resource,
        stall: Stall,
        window: Duration,
        compare: Compare,
    ) -> Option<f64> {
        let stalled_us = self.share(Series::Stalled(resource, stall), window, compare)?;
        Some(stalled_us / 1e6 * PERCENT)
    }

    /// How many more microseconds of stall it takes to be above `percent` of the window.
    pub(super) fn stall_left(
        &self,
        resource: Resource,
        stall: Stall,
        window: Duration,
        percent: f64,
    ) -> Duration {
        let track = self.tracks.get(&Series::Stalled(resource, stall));
        let stalled_us = track.map_or(0.0, |track| track.growth(window).growth);
        let line_us = window.as_secs_f64() * 1e6 * percent / PERCENT;
        Duration::try_from_secs_f64((line_us - stalled_us).max(0.0) / 1e6).unwrap_or(window)
    }

    /// How long it takes at the least until more than so many CPUs are used over the window, on a
    /// host with `cpus`. `None`: nothing is known of it yet.
    pub(super) fn cpu_time_left(
        &self,
        window: Duration,
        cores: f64,
        cpus: f64,
    ) -> Option<Duration> {
        let used_ns = self.tracks.get(&Series::CpuTime)?.growth(window).growth;
        let lacks = (cores * window.as_secs_f64() - used_ns / 1e9).max(0.0);
        Some(Duration::try_from_secs_f64(lacks / cpus.max(1.0)).unwrap_or(window))
    }

    /// The limit in force; `None` also without one.
    pub(super) fn in_force(&self, knob: Knob) -> Option<f64> {
        self.latest(Series::InForce(knob))
    }

    /// What is used of something each second, over the last one.
    pub(super) fn used(&self, series: Series) -> Option<f64> {
        self.share(series, USED_OVER, Compare::Below)
    }

    /// Disks it read or wrote lately, each with bytes a second.
    pub(super) fn disks(&self) -> Vec<(DeviceNumber, f64, f64)> {
        let disks = self.tracks.keys().filter_map(|series| match series {
            Series::DiskRead(disk) => Some(*disk),
            _ => None,
        });
        disks
            .filter_map(|disk| {
                let read = self.used(Series::DiskRead(disk))?;
                let written = self.used(Series::DiskWritten(disk))?;
                (read > 0.0 || written > 0.0).then_some((disk, read, written))
            })
            .collect()
    }

    /// A share of what little is known would swing: the whole window has to be known.
    fn throttled(&self, window: Duration) -> Option<f64> {
        let all = self.share(Series::Periods, window, Compare::Below)?;
        let throttled = self.share(Series::ThrottledPeriods, window, Compare::Below)?;
        if all <= 0.0 {
            // No period passed: it did not run, or has no quota.
            return Some(0.0);
        }
        Some(throttled / all * PERCENT)
    }

    /// Growth a second over the window.
    fn share(&self, series: Series, window: Duration, compare: Compare) -> Option<f64> {
        let grown = self.tracks.get(&series)?.growth(window);
        match compare {
            _ if covers(grown.known, window) => Some(grown.growth / grown.known),
            Compare::Above if grown.known > 0.0 => Some(grown.growth / window.as_secs_f64()),
            Compare::Above | Compare::Below => None,
        }
    }

    fn windows_of(&self, series: Series) -> Windows {
        let windows = self.windows.get(&series).copied().unwrap_or_default();
        match series {
            Series::DiskRead(_) | Series::DiskWritten(_) => windows.and(USED_OVER),
            _ => windows,
        }
    }
}

/// What a metric that is no rate is read from.
pub(super) const fn series_of(metric: Metric) -> Series {
    match metric {
        Metric::MemoryUsage => Series::MemoryUsage,
        Metric::MemoryWorkingSet => Series::MemoryWorkingSet,
        Metric::MemoryAnon => Series::MemoryAnon,
        Metric::MemorySwap => Series::MemorySwap,
        Metric::CpuUsage => Series::CpuTime,
        Metric::CpuThrottledRatio => Series::ThrottledPeriods,
        Metric::PidsCurrent => Series::Pids,
        Metric::IoReadBytes => Series::IoReadBytes,
        Metric::IoWriteBytes => Series::IoWriteBytes,
        Metric::IoReads => Series::IoReads,
        Metric::IoWrites => Series::IoWrites,
        Metric::NetEgress => Series::NetEgress,
        Metric::NetIngress => Series::NetIngress,
    }
}
