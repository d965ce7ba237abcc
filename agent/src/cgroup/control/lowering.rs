//! Taking `memory.max` below what is in use without killing for it.
//!
//! v2 kills as soon as `memory.max` is below what it cannot reclaim, so `memory.high` goes first: it
//! reclaims and slows, and never kills. v1 refuses instead, and reclaims for as long as that takes
//! before it does. Either way a thread waits, and the caller only looks in from time to time.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;

use super::site::Site;
use super::slow::Slow;
use super::{Control, ControlError, Knob, Setting, memory};

/// Below the target, so that what CPUs have charged in advance still fits: 64 pages each
/// (mm/memcontrol.c MEMCG_CHARGE_BATCH, v6.12).
const SPARE: u64 = 1 << 20;
/// The kernel's attempt may end early; then it is asked again.
const AGAIN: Duration = Duration::from_millis(100);

/// A limit on its way down. Dropped before its end, it leaves everything as it was.
#[derive(Debug)]
pub struct Lowering {
    site: Site,
    target: u64,
    until: Instant,
    way: Way,
    attempt: Option<Slow<Result<(), ControlError>>>,
    attempted: Instant,
    ended: bool,
}

#[derive(Debug)]
enum Way {
    /// What is in use fits already.
    Direct,
    /// What `memory.high` was.
    High(Option<u64>),
    /// What the limit was, and whether nobody waits for the attempt any more.
    V1(Option<u64>, Arc<Mutex<Attempt>>),
}

/// Who undoes an attempt that comes true too late.
#[derive(Debug, Default)]
struct Attempt {
    in_force: bool,
    given_up: bool,
}

/// How far a [`Lowering`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Look in again: bytes still in use.
    Waiting { usage: u64 },
    /// In force, as read back.
    Done(Setting),
}

impl Control {
    /// Begins to take `memory.max` down to so many bytes, giving up after that long.
    /// [`before`](Self::before) names what this changes on the way.
    ///
    /// # Errors
    /// No memory controller, or gone.
    pub fn lower_memory_max(
        &self,
        target: u64,
        at_most: Duration,
    ) -> Result<Lowering, ControlError> {
        let site = self.memory(Knob::MemoryMax.name())?.clone();
        let target = memory::whole_pages(target);
        let way = if memory::usage(&site)? <= target {
            Way::Direct
        } else if site.is_unified() {
            Way::High(site.limit("memory.high")?)
        } else {
            Way::V1(memory::read_max(&site)?, Arc::default())
        };
        let now = Instant::now();
        let mut lowering = Lowering {
            site,
            target,
            until: now + at_most,
            way,
            attempt: None,
            attempted: now,
            ended: false,
        };
        lowering.begin_attempt()?;
        Ok(lowering)
    }
}

impl Lowering {
    /// Looks how far it is, and takes the next step; does not wait.
    ///
    /// # Errors
    /// [`ControlError::BelowUsage`] when the time is up, with what is in use then; everything is
    /// as it was. Others as for [`Control::write`].
    pub fn step(&mut self) -> Result<Progress, ControlError> {
        match self.try_step() {
            Ok(progress) => Ok(progress),
            Err(error) => {
                self.give_up();
                Err(error)
            }
        }
    }

    fn try_step(&mut self) -> Result<Progress, ControlError> {
        let attempted = self.attempt.as_ref().and_then(Slow::look);
        if attempted.is_some() {
            self.attempt = None;
        }
        let usage = memory::usage(&self.site)?;
        let done = match (&self.way, attempted) {
            (Way::V1(..), None) => false,
            (Way::V1(..), Some(Ok(()))) => true,
            (_, Some(Err(ControlError::BelowUsage { .. }))) => false,
            (_, Some(Err(error))) => return Err(error),
            (Way::Direct | Way::High(_), _) => usage <= self.target && self.set_max()?,
        };
        if done {
            return self.finish().map(Progress::Done);
        }
        if Instant::now() >= self.until {
            return Err(ControlError::BelowUsage {
                usage,
                wanted: self.target,
            });
        }
        if self.attempt.is_none() && self.attempted.elapsed() >= AGAIN {
            self.begin_attempt()?;
        }
        Ok(Progress::Waiting { usage })
    }

    /// `false`: more came into use just now.
    fn set_max(&self) -> Result<bool, ControlError> {
        match memory::write_max(&self.site, Some(self.target)) {
            Ok(()) => Ok(true),
            Err(ControlError::BelowUsage { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn finish(&mut self) -> Result<Setting, ControlError> {
        self.ended = true;
        if let Way::High(high) = self.way {
            memory::write_high(&self.site, high)?;
        }
        memory::read_max(&self.site).map(Setting::MemoryMax)
    }

    fn begin_attempt(&mut self) -> Result<(), ControlError> {
        self.attempted = Instant::now();
        self.attempt = match &self.way {
            Way::Direct => None,
            Way::High(before) => {
                let goal = memory::whole_pages(self.target - SPARE.min(self.target / 8));
                let goal = before.map_or(goal, |before| before.min(goal));
                Some(reclaim_by_high(&self.site, goal)?)
            }
            Way::V1(before, attempt) => {
                let (site, target, before) = (self.site.clone(), self.target, *before);
                let attempt = Arc::clone(attempt);
                Some(Slow::start(move || {
                    attempt_v1(&site, target, before, &attempt)
                })?)
            }
        };
        Ok(())
    }

    /// Puts everything back.
    fn give_up(&mut self) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let back = match &self.way {
            Way::Direct => Ok(()),
            Way::High(before) => memory::write_high(&self.site, *before),
            Way::V1(before, attempt) => {
                let mut attempt = attempt.lock().unwrap_or_else(PoisonError::into_inner);
                attempt.given_up = true;
                if attempt.in_force {
                    memory::write_max(&self.site, *before)
                } else {
                    Ok(())
                }
            }
        };
        match back {
            Ok(()) | Err(ControlError::Vanished(_)) => {}
            Err(error) => tracing::warn!(%error, "memory limit not put back"),
        }
    }
}

impl Drop for Lowering {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// A thread that reclaims until `memory.high` holds. Opened so that the kernel does not put that
/// off until the workload allocates.
fn reclaim_by_high(
    site: &Site,
    bytes: u64,
) -> Result<Slow<Result<(), ControlError>>, ControlError> {
    let name = "memory.high";
    let value = bytes.to_string();
    let mut file = site
        .open_file(name, OFlag::O_WRONLY | OFlag::O_TRUNC)
        .map_err(|source| site.unwritten(name, &value, source))?;
    let site = site.clone();
    Slow::start(move || {
        file.write_all(value.as_bytes())
            .map_err(|source| site.unwritten(name, &value, source))
    })
}

/// On the attempt's own thread.
fn attempt_v1(
    site: &Site,
    target: u64,
    before: Option<u64>,
    attempt: &Mutex<Attempt>,
) -> Result<(), ControlError> {
    memory::v1_write_max(site, Some(target))?;
    let mut attempt = attempt.lock().unwrap_or_else(PoisonError::into_inner);
    if attempt.given_up {
        return memory::v1_write_max(site, before);
    }
    attempt.in_force = true;
    Ok(())
}
