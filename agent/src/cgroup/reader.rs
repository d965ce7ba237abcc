//! One workload's files, kept open, read again and again.
//!
//! In: a [`Placement`]. Out: a [`Reading`] a call. Where a value comes from is for `v1` and `v2`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::file::Scratch;
use super::place::{Place, Vanished};
use super::{Layout, Limits, Placement, Reading, v1, v2};

/// Limits change seldom, and reading them means opening ten files; engines set them just after they
/// made the cgroup. So they are looked at again after a second, and then half as often each time.
const FIRST_REFRESH: Duration = Duration::from_secs(1);
const LAST_REFRESH: Duration = Duration::from_secs(16);

/// Whether a workload runs, as the kernel says; cheap, but not part of a [`Reading`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CgroupState {
    /// Has processes, descendants included. `None`: not on v2, or the root.
    pub populated: Option<bool>,
    /// All its processes are stopped, by v2's `cgroup.freeze` or v1's freezer.
    pub frozen: Option<bool>,
}

/// Keeps the descriptors of one workload's files in every hierarchy it sits in: 11 on v2, up to
/// 16 with v1. When the process has no descriptor left, files are opened for each reading.
#[derive(Debug)]
pub struct Reader {
    v1: v1::Files,
    v2: Option<v2::Files>,
    limits: Limits,
    pids_max: Option<u64>,
    /// When the limits are due; `None` before the first reading.
    refresh_at: Option<Instant>,
    /// Time to the refresh after that. The first differs between readers, so that those opened
    /// together do not all refresh in the same tick.
    interval: Duration,
}

impl Reader {
    /// Takes up the workload's cgroups; files are opened by the first reading. A cgroup that is
    /// gone already is found so by that reading.
    ///
    /// A workload with a cgroup of its own in some hierarchy may still be in the root of others,
    /// whose numbers are the whole host's: those are left out. All roots together are the host.
    #[must_use]
    pub fn open(layout: &Layout, placement: &Placement) -> Self {
        let host = placement.paths.values().all(|path| path == "/");
        let mut v1 = v1::Files::default();
        let mut unified = None;
        let mut interval = FIRST_REFRESH;
        for (id, path) in &placement.paths {
            let Some(hierarchy) = layout.hierarchy(*id) else {
                continue;
            };
            let Some(directory) = hierarchy.directory(path) else {
                continue;
            };
            if path == "/" && !host {
                continue;
            }
            let place = Place::open(*id, path, directory);
            interval = FIRST_REFRESH + Duration::from_millis(place.spread(1_000).into());
            if hierarchy.is_unified() {
                unified = Some(place);
                continue;
            }
            let place = Arc::new(place);
            for controller in &hierarchy.controllers {
                v1.add(*controller, &place);
            }
        }
        let v2 = unified.map(|place| v2::Files::new(place, !v1.has_cpu_time()));
        Self {
            v1,
            v2,
            limits: Limits::default(),
            pids_max: None,
            refresh_at: None,
            interval,
        }
    }

    /// Leaves v1's blkio files alone, where somebody else counts what they would.
    #[must_use]
    pub fn without_v1_io(mut self) -> Self {
        self.v1.leave_io();
        self
    }

    /// Reads everything; the limits when they are due, every 16 seconds at the latest.
    ///
    /// # Errors
    /// [`Vanished`] as soon as one of its cgroups is gone: the reading before was the last.
    pub fn read(&mut self, scratch: &mut Scratch) -> Result<Reading, Vanished> {
        if self.refresh_at.is_none_or(|at| at <= Instant::now()) {
            self.refresh_limits(scratch)?;
        }
        let mut reading = Reading {
            limits: self.limits,
            ..Reading::default()
        };
        if let Some(v2) = &mut self.v2 {
            v2.read(scratch, &mut reading)?;
        }
        self.v1.read(scratch, &mut reading)?;
        if let Some(pids) = &mut reading.pids {
            pids.max = self.pids_max;
        }
        Ok(reading)
    }

    /// Reads the limits now, for [`read`](Self::read) to report, and looks again for files that
    /// were not there: controllers are enabled and disabled while a cgroup lives.
    ///
    /// # Errors
    /// [`Vanished`], as for [`read`](Self::read).
    pub fn refresh_limits(&mut self, scratch: &mut Scratch) -> Result<Limits, Vanished> {
        let mut limits = Limits::default();
        let mut pids_max = None;
        if let Some(v2) = &mut self.v2 {
            v2.read_limits(scratch, &mut limits, &mut pids_max)?;
        }
        self.v1.read_limits(scratch, &mut limits, &mut pids_max)?;
        (self.limits, self.pids_max) = (limits, pids_max);
        self.refresh_at = Some(Instant::now() + self.interval);
        self.interval = (self.interval * 2).min(LAST_REFRESH);
        Ok(limits)
    }

    /// Whether it has processes, and whether they are frozen. Opens up to two files.
    ///
    /// # Errors
    /// [`Vanished`], as for [`read`](Self::read).
    pub fn state(&mut self, scratch: &mut Scratch) -> Result<CgroupState, Vanished> {
        let (populated, frozen_v2) = match &mut self.v2 {
            Some(v2) => v2.state(scratch)?,
            None => (None, None),
        };
        let frozen_v1 = self.v1.frozen(scratch)?;
        let frozen = match (frozen_v1, frozen_v2) {
            (Some(v1), Some(v2)) => Some(v1 || v2),
            (one, other) => one.or(other),
        };
        Ok(CgroupState { populated, frozen })
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
