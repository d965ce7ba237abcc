//! How long ticks take.

use std::time::Duration;

use super::snapshot::Histogram;

/// Upper bounds in seconds: a tick of 1,000 cgroups should take some 30 ms.
const BOUNDS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];

/// An empty one.
pub(super) fn histogram() -> Histogram {
    Histogram {
        bounds_seconds: BOUNDS.into(),
        counts: vec![0; BOUNDS.len() + 1],
        sum_seconds: 0.0,
    }
}

impl Histogram {
    /// Counts one duration, in its own slot and all above: the counts are cumulative.
    pub fn observe(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        let slot = self
            .bounds_seconds
            .partition_point(|bound| *bound < seconds);
        for count in self.counts.iter_mut().skip(slot) {
            *count += 1;
        }
        self.sum_seconds += seconds;
    }
}
