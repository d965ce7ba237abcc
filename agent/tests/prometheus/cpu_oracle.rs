//! What the kernel says a cgroup used, at any time of the test.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use crate::cgroup::Cgroup;

const EVERY: Duration = Duration::from_millis(20);

/// Time since the epoch and CPU time, both in seconds.
type Point = (f64, f64);

/// Writes the counter file's value down until it is dropped.
pub(crate) struct CpuOracle<'scope> {
    points: Arc<Mutex<Vec<Point>>>,
    stop: Arc<AtomicBool>,
    _thread: thread::ScopedJoinHandle<'scope, ()>,
}

impl<'scope> CpuOracle<'scope> {
    pub(crate) fn watch<'env>(
        scope: &'scope thread::Scope<'scope, 'env>,
        cgroup: &'scope Cgroup,
    ) -> Self {
        let points = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = scope.spawn({
            let points = Arc::clone(&points);
            let stop = Arc::clone(&stop);
            move || {
                while !stop.load(Ordering::Relaxed) {
                    let point = (now(), cgroup.cpu_seconds());
                    points
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(point);
                    thread::sleep(EVERY);
                }
            }
        });
        Self {
            points,
            stop,
            _thread: thread,
        }
    }

    /// CPU time per second between two times.
    pub(crate) fn rate(&self, from: f64, to: f64) -> f64 {
        let points = self.points.lock().unwrap_or_else(PoisonError::into_inner);
        (at(&points, to) - at(&points, from)) / (to - from)
    }
}

impl Drop for CpuOracle<'_> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// On the straight line between the two points around `time`.
fn at(points: &[Point], time: f64) -> f64 {
    let after = points.partition_point(|(when, _)| *when < time);
    assert!(
        after > 0 && after < points.len(),
        "{time} was not watched: {:?} to {:?}",
        points.first(),
        points.last()
    );
    let (t0, v0) = points[after - 1];
    let (t1, v1) = points[after];
    v0 + (v1 - v0) * (time - t0) / (t1 - t0)
}

fn now() -> f64 {
    UNIX_EPOCH.elapsed().unwrap().as_secs_f64()
}

#[test]
fn reads_between_the_points() {
    let points = [(10.0, 1.0), (12.0, 2.0), (14.0, 4.0)];
    assert!((at(&points, 11.0) - 1.5).abs() < 1e-9);
    assert!((at(&points, 13.5) - 3.5).abs() < 1e-9);
}
