//! The process that `libcontainer` runs in: born in the workload's cgroups, gone when its work is done.
//!
//! `libcontainer` 0.7.0 moves processes by their pid. That takes `cgroup_threadgroup_rwsem` for writing,
//! which waits for an RCU grace period (kernel/cgroup/cgroup.c `cgroup_procs_write_start()`, v6.12): 9 ms
//! where a second has 250 ticks. Neither a birth in a cgroup of cgroup2 nor a thread that moves itself by v1's
//! `tasks` does. So the maker is where it is to be, and unless the workload would notice,
//! `libcontainer` finds nothing to move it by: see `apart`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper, waitpid};

use super::cgroups::Cgroups;
use super::{LaunchError, clone};

/// Before the pid of what was made; no error begins so.
const MADE: &str = "\0";
/// Of what a maker tells; a pipe holds 16 pages, and never less than one.
const LONGEST: usize = 4096;

/// Aborts when it is dropped: the maker must not go on as if it were the process it was cloned from.
struct NoWayBack;

impl Drop for NoWayBack {
    fn drop(&mut self) {
        std::process::abort();
    }
}

/// A maker whose work is done. Ending takes it a while: the kernel waits for a grace period, shorter than
/// that other one, when a mount namespace goes.
#[derive(Debug)]
#[must_use = "it is in the workload's cgroup until it has ended"]
pub struct Maker(Option<Pid>);

impl Maker {
    /// Waits for its end.
    ///
    /// # Errors
    /// None that is known of.
    pub fn await_end(&mut self) -> Result<(), LaunchError> {
        let Some(pid) = self.0 else { return Ok(()) };
        loop {
            match waitpid(Some(pid), WaitOptions::empty()) {
                Err(Errno::INTR) => {}
                // By whoever waits for all children.
                Ok(_) | Err(Errno::CHILD) => {
                    self.0 = None;
                    return Ok(());
                }
                Err(error) => return Err(failed(error.into())),
            }
        }
    }
}

/// Does the work in a maker; the outcome is a pid. To be called in a process with one thread, which becomes a
/// subreaper: what the work leaves is its child, once the maker has ended.
///
/// `alone`: `libcontainer` is kept from placing processes, so the maker is to be in all hierarchies that it knows.
///
/// # Errors
/// The cgroup lets no process in, or what the work failed for, in its words.
pub(super) fn make(
    cgroups: &Cgroups,
    alone: bool,
    work: impl FnOnce() -> Result<i32, LaunchError>,
) -> Result<(u32, Maker), LaunchError> {
    let birthplace = cgroups.birthplace(alone).map(open_directory).transpose();
    let birthplace = birthplace.map_err(failed)?;
    // What the maker makes keeps the other end open for longer than it lives.
    let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
    let (told, outcome) = pipe_with(flags).map_err(|errno| failed(errno.into()))?;
    set_child_subreaper(Some(getpid())).map_err(|errno| failed(errno.into()))?;
    let birthplace = birthplace.as_ref().map(AsFd::as_fd);
    let Some((maker, pidfd)) = clone::child(birthplace).map_err(failed)? else {
        let no_way_back = NoWayBack;
        let entered = cgroups.enter_v1(alone).map_err(LaunchError::from);
        let done = entered.and_then(|()| work());
        let text = match done {
            Ok(pid) => format!("{MADE}{pid}"),
            Err(LaunchError::Runtime(text)) => text,
            Err(error) => error.with_causes(),
        };
        // Shorter than a pipe holds: this neither blocks nor is cut.
        let text = text.as_bytes().get(..LONGEST).unwrap_or(text.as_bytes());
        // Whoever waited is gone, then: the next one finds what was made.
        let _ = File::from(outcome).write_all(text);
        std::mem::forget(no_way_back);
        // SAFETY: it ends this process; what is to be done at an exit is its parent's to do.
        unsafe { nix::libc::_exit(0) }
    };
    let mut maker = Maker(Some(maker));
    let mut awaited = [
        PollFd::new(told.as_fd(), PollFlags::POLLIN),
        PollFd::new(pidfd.as_fd(), PollFlags::POLLIN),
    ];
    // A process that is killed says nothing.
    while poll(&mut awaited, PollTimeout::NONE) == Err(nix::errno::Errno::EINTR) {}
    let mut text = vec![0; LONGEST];
    let length = File::from(told).read(&mut text).unwrap_or(0);
    text.truncate(length);
    let text = String::from_utf8_lossy(&text);
    let made = text.strip_prefix(MADE).map(str::parse);
    if let Some(Ok(pid)) = made {
        return Ok((pid, maker));
    }
    maker.await_end()?;
    match made {
        Some(_) => Err(LaunchError::Runtime("no process came of it".to_owned())),
        None if text.is_empty() => Err(LaunchError::Runtime("its maker was killed".to_owned())),
        None => Err(LaunchError::Runtime(text.into_owned())),
    }
}

fn open_directory(path: PathBuf) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

fn failed(source: io::Error) -> LaunchError {
    LaunchError::Process {
        what: "cannot make a process in the workload's cgroup",
        source,
    }
}
