//! Signals to the processes of a workload.

use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

use super::site::Site;
use super::{Control, ControlError, Knob, freeze, processes};
use crate::cgroup::parse;

/// How long all of it may take; 65 processes take 20 ms.
const AT_MOST: Duration = Duration::from_secs(2);
/// Frozen first, so that nobody forks away; who cannot be frozen that fast is killed all the same.
const FREEZE: Duration = Duration::from_millis(20);
const LOOK: Duration = Duration::from_micros(500);
/// Who is not gone by then gets help with freeing its memory.
const SLOW: Duration = Duration::from_millis(10);

/// What a kill did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Killed {
    /// Processes that were there when it began.
    pub processes: usize,
    /// From the start until the last was gone.
    pub took: Duration,
}

impl Control {
    /// Kills all processes, those of cgroups below too, and waits until they are gone. A frozen
    /// cgroup is thawed where the kernel would not let its processes die.
    ///
    /// # Errors
    /// The agent is among them; or some do not die within two seconds.
    pub fn kill_all(&self) -> Result<Killed, ControlError> {
        let site = self.home()?;
        processes::refuse_own(site)?;
        let start = Instant::now();
        let there = processes::listed(site, true)?;
        let handles: Vec<_> = there.iter().filter_map(|pid| open(*pid, site)).collect();
        let at_once = site.is_unified() && site.has("cgroup.kill")?;
        if at_once {
            // Those who fork meanwhile are killed too (kernel/cgroup/cgroup.c __cgroup_kill(), v6.12).
            site.write("cgroup.kill", "1")?;
            self.let_die(site)?;
        }
        let mut helped = false;
        while !self.round(site, at_once)? {
            if start.elapsed() > AT_MOST {
                return Err(ControlError::StillAlive {
                    path: site.directory().to_owned(),
                    left: processes::listed(site, true)?.len(),
                    waited: start.elapsed(),
                });
            }
            if !helped && start.elapsed() > SLOW {
                handles.iter().for_each(release_memory);
                helped = true;
            }
            thread::sleep(LOOK);
        }
        Ok(Killed {
            processes: there.len(),
            took: start.elapsed(),
        })
    }

    /// Sends a signal to all processes, those of cgroups below too; how many got it.
    ///
    /// # Errors
    /// The agent is among them, or there is no such signal.
    pub fn signal_all(&self, signal: i32) -> Result<usize, ControlError> {
        let site = self.home()?;
        processes::refuse_own(site)?;
        let all = processes::listed(site, true)?;
        send_each(site, &all, signal)
    }

    /// Sends a signal to one process of the workload; `false`: it is gone, or no longer the
    /// workload's.
    ///
    /// # Errors
    /// It is the agent itself, or there is no such signal.
    pub fn signal(&self, process: u32, signal: i32) -> Result<bool, ControlError> {
        let site = self.home()?;
        if process == std::process::id() {
            return Err(ControlError::Own {
                path: site.directory().to_owned(),
            });
        }
        // Dead and not yet waited for, it still has its number, and its cgroup on v2.
        let alive = processes::listed(site, true)?.contains(&process);
        Ok(alive && send_each(site, &[process], signal)? == 1)
    }

    /// `true`: all are gone. Whoever made the cgroup may remove it as soon as it is empty.
    fn round(&self, site: &Site, at_once: bool) -> Result<bool, ControlError> {
        let gone = empty(site).and_then(|empty| {
            if !empty && !at_once {
                self.kill_each(site)?;
            }
            Ok(empty)
        });
        match gone {
            Err(ControlError::Vanished(_)) => Ok(true),
            other => other,
        }
    }

    /// One round of freezing, killing one by one and letting them die.
    fn kill_each(&self, site: &Site) -> Result<(), ControlError> {
        // Without a freezer, round after round catches those who fork.
        let Ok(freezer) = self.site(Knob::Freeze) else {
            return kill_listed(site);
        };
        let killed = freeze::ask(freezer, true)
            .and_then(|()| freeze::wait(freezer, Instant::now(), FREEZE))
            .and_then(|_| kill_listed(site));
        freeze::ask(freezer, false)?;
        self.let_die(site)?;
        killed
    }

    /// Processes in v1's freezer die only when thawed, each cgroup below by itself
    /// (kernel/signal.c complete_signal() wakes them, kernel/freezer.c __refrigerator() keeps
    /// them, v6.12).
    fn let_die(&self, home: &Site) -> Result<(), ControlError> {
        let Ok(freezer) = self.site(Knob::Freeze) else {
            return Ok(());
        };
        if freezer.is_unified() {
            return Ok(());
        }
        if freezer
            .read_if_there("freezer.state")?
            .is_some_and(|state| state != "THAWED")
        {
            freeze::ask(freezer, false)?;
        }
        for below in freezer.below() {
            // Gone meanwhile is as good; what stays frozen shows when the wait ends.
            if let Err(error) = std::fs::write(below.join("freezer.state"), "THAWED") {
                tracing::debug!(path = %below.display(), %error, home = %home.directory().display(), "not thawed");
            }
        }
        Ok(())
    }
}

fn kill_listed(site: &Site) -> Result<(), ControlError> {
    let all = processes::listed(site, true)?;
    send_each(site, &all, Signal::SIGKILL as i32).map(drop)
}

/// A handle of the process, if it is in this cgroup: with the handle open, its number is no one
/// else's.
fn open(pid: u32, site: &Site) -> Option<OwnedFd> {
    let number = Pid::from_raw(i32::try_from(pid).ok()?)?;
    let handle = pidfd_open(number, PidfdFlags::empty()).ok()?;
    processes::is_in(pid, site.hierarchy(), site.path()).then_some(handle)
}

fn send_each(site: &Site, all: &[u32], signal: i32) -> Result<usize, ControlError> {
    let signal =
        rustix::process::Signal::from_named_raw(signal).ok_or(ControlError::NoSignal { signal })?;
    let sent = all
        .iter()
        .filter_map(|pid| open(*pid, site))
        .filter(|handle| pidfd_send_signal(handle, signal).is_ok());
    Ok(sent.count())
}

fn empty(site: &Site) -> Result<bool, ControlError> {
    if site.is_unified() {
        let events = site.read("cgroup.events")?;
        return Ok(parse::field(events.as_bytes(), b"populated") == Some(0));
    }
    Ok(processes::listed(site, true)?.is_empty())
}

/// Frees the memory of a process that dies slowly, on our time (5.15 and newer).
fn release_memory(process: &OwnedFd) {
    // SAFETY: takes a descriptor, which we hold, and flags; touches no memory of ours.
    let done = unsafe { libc::syscall(libc::SYS_process_mrelease, process.as_raw_fd(), 0) };
    // Gone already, sharing its memory with a living process, or an older kernel: no matter.
    if let Err(errno) = Errno::result(done) {
        tracing::debug!(%errno, "memory of a dying process not released early");
    }
}
