//! One number over time: the latest reading, and as much of what was before as windows ask for.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How finely the shortest window is kept.
const SHORTEST_IN: u32 = 20;
/// Readings kept of one series; what is older than the shortest window is thinned out beyond that.
const MOST: usize = 512;

/// A window that is covered to this share counts as covered.
const COVERED: f64 = 0.9;

/// Windows that are asked of one series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Windows {
    pub(super) shortest: Duration,
    pub(super) longest: Duration,
}

impl Windows {
    /// With one more; zero asks for nothing.
    pub(super) fn and(self, window: Duration) -> Self {
        if window.is_zero() {
            return self;
        }
        let shortest = match self.shortest {
            Duration::ZERO => window,
            shortest => shortest.min(window),
        };
        Self {
            shortest,
            longest: self.longest.max(window),
        }
    }
}

/// Readings of one series.
#[derive(Clone, Debug)]
pub(super) struct Track {
    latest: Point,
    /// Oldest first; the latest is not among them.
    trail: VecDeque<Point>,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    at: Instant,
    value: f64,
    /// The value over time, summed up since the first reading, in units times seconds.
    area: f64,
}

/// What a window showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Growth {
    pub(super) growth: f64,
    /// How much of the window is known, in seconds.
    pub(super) known: f64,
}

impl Track {
    pub(super) fn new(at: Instant, value: f64) -> Self {
        Self {
            latest: Point {
                at,
                value,
                area: 0.0,
            },
            trail: VecDeque::new(),
        }
    }

    pub(super) fn value(&self) -> f64 {
        self.latest.value
    }

    /// Takes a reading. One that is not later than the last replaces it.
    pub(super) fn push(&mut self, at: Instant, value: f64, total: bool, windows: Windows) {
        if total && value < self.latest.value {
            // Counted anew from here.
            *self = Self::new(at.max(self.latest.at), value);
            return;
        }
        if at <= self.latest.at {
            self.latest.value = value;
            return;
        }
        let before = self.latest;
        // The value stood until it was read anew.
        let area = before.area + before.value * (at - before.at).as_secs_f64();
        self.latest = Point { at, value, area };
        if windows.longest.is_zero() {
            return;
        }
        let spacing = windows.shortest / SHORTEST_IN;
        let last_but_one = self.trail.len().checked_sub(2);
        let last_but_one = last_but_one.and_then(|at| self.trail.get(at));
        if last_but_one.is_some_and(|one| before.at - one.at < spacing) {
            self.trail.pop_back();
        }
        self.trail.push_back(before);
        while self
            .trail
            .get(1)
            .is_some_and(|next| at - next.at >= windows.longest)
        {
            self.trail.pop_front();
        }
        if self.trail.len() > MOST {
            self.thin_out(at.checked_sub(windows.shortest));
        }
    }

    /// Every second reading before `until` goes.
    fn thin_out(&mut self, until: Option<Instant>) {
        let mut n = 0;
        self.trail.retain(|point| {
            n += 1;
            n % 2 == 1 || until.is_none_or(|until| point.at >= until)
        });
    }

    /// By how much it grew in the window that ends with the latest reading. What is not known of the
    /// window's beginning counts as no growth.
    pub(super) fn growth(&self, window: Duration) -> Growth {
        self.over(window, |point| point.value)
    }

    /// The mean over that window, as far as it is known.
    pub(super) fn mean(&self, window: Duration) -> Option<f64> {
        let Growth { growth, known } = self.over(window, |point| point.area);
        covers(known, window).then(|| growth / known)
    }

    fn over(&self, window: Duration, of: impl Fn(&Point) -> f64) -> Growth {
        let start = self.latest.at.checked_sub(window);
        let points = || self.trail.iter().chain([&self.latest]);
        // The last point before the window's start, and the first after it.
        let before = start.and_then(|start| points().take_while(|p| p.at <= start).last());
        let after = points().find(|point| start.is_none_or(|start| point.at > start));
        let (value, at) = match (start, before, after) {
            (Some(start), Some(before), Some(after)) => {
                let part = (start - before.at).as_secs_f64() / (after.at - before.at).as_secs_f64();
                let (one, other) = (of(before), of(after));
                (one + (other - one) * part, start)
            }
            (_, _, Some(first)) => (of(first), first.at),
            (_, _, None) => (of(&self.latest), self.latest.at),
        };
        Growth {
            growth: of(&self.latest) - value,
            known: (self.latest.at - at).as_secs_f64(),
        }
    }
}

/// Whether so many seconds are nearly all of the window.
pub(super) fn covers(known: f64, window: Duration) -> bool {
    known > 0.0 && known >= COVERED * window.as_secs_f64()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::{any, prop, prop_assert, proptest};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn windows(window: Duration) -> Windows {
        Windows::default().and(window)
    }

    #[test]
    fn a_total_grows_by_what_came_in_the_window() {
        let start = Instant::now();
        let window = 2 * SECOND;
        let mut track = Track::new(start, 100.0);
        for n in 1..=50u32 {
            track.push(
                start + n * SECOND / 10,
                100.0 + f64::from(n),
                true,
                windows(window),
            );
        }
        let grown = track.growth(window);
        assert!((grown.growth - 20.0).abs() < 1e-6, "{grown:?}");
        assert!((grown.known - 2.0).abs() < 1e-6);
        assert!(track.trail.len() <= 2 * SHORTEST_IN as usize);
    }

    #[test]
    fn an_unknown_beginning_is_no_growth() {
        let start = Instant::now();
        let mut track = Track::new(start, 5.0);
        track.push(start + SECOND / 2, 8.0, true, windows(2 * SECOND));
        let grown = track.growth(2 * SECOND);
        assert!((grown.growth - 3.0).abs() < 1e-9);
        assert!(!covers(grown.known, 2 * SECOND));
        assert_eq!(track.mean(2 * SECOND), None);
    }

    #[test]
    fn a_counter_that_starts_again_has_not_shrunk() {
        let start = Instant::now();
        let mut track = Track::new(start, 500.0);
        track.push(start + SECOND, 3.0, true, windows(SECOND));
        track.push(start + 2 * SECOND, 4.0, true, windows(SECOND));
        assert!((track.growth(SECOND).growth - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_mean_weighs_by_time() {
        let start = Instant::now();
        let window = 4 * SECOND;
        let mut track = Track::new(start, 10.0);
        track.push(start + 3 * SECOND, 50.0, false, windows(window));
        track.push(start + 4 * SECOND, 0.0, false, windows(window));
        let mean = track.mean(window).unwrap();
        assert!((mean - 20.0).abs() < 1e-9, "{mean}");
    }

    proptest! {
        #[test]
        fn any_order_of_times_is_harmless(
            readings in prop::collection::vec((0u64..20_000, any::<u32>()), 1..200),
            window in 1u64..5_000,
            total in any::<bool>(),
        ) {
            let start = Instant::now();
            let window = Duration::from_millis(window);
            let mut track = Track::new(start, 0.0);
            for (ms, value) in readings {
                let at = start + Duration::from_millis(ms);
                track.push(at, f64::from(value), total, windows(window));
                let grown = track.growth(window);
                prop_assert!(grown.known >= 0.0 && grown.known <= window.as_secs_f64() + 1e-9);
                prop_assert!(grown.growth.is_finite());
                prop_assert!(!total || grown.growth >= -1e-6);
                prop_assert!(track.trail.len() <= MOST);
                prop_assert!(track.mean(window).is_none_or(|mean| (-1e-6..=5e9).contains(&mean)));
            }
        }
    }
}
