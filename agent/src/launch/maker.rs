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
use nix::unistd::{getgroups, setgroups};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper, waitpid};

use super::cgroups::Cgroups;
use super::{LaunchError, clone};

/// Before and after the pid of what was made; no error begins so.
const MADE: char = '\0';
/// Once that is finished, too.
const FINISHED: &str = "\0";
/// Of each thing that a maker tells; a pipe holds 16 pages, and never less than one.
const LONGEST: usize = 4096;

const KILLED: &str = "its maker was killed";

/// Aborts when it is dropped: the maker must not go on as if it were the process it was cloned from.
struct NoWayBack;

impl Drop for NoWayBack {
    fn drop(&mut self) {
        std::process::abort();
    }
}

/// A maker that has told what it made. Finishing that takes it a while, and so does its end: the kernel waits for a
/// grace period, shorter than that other one, when a mount namespace goes.
#[derive(Debug)]
#[must_use = "it is in the workload's cgroup until it has ended"]
pub struct Maker {
    /// `None`: it has ended.
    pid: Option<Pid>,
    told: File,
    /// Since it told what it made.
    said: Vec<u8>,
}

impl Maker {
    /// Waits until what it made is finished, and it has ended.
    ///
    /// # Errors
    /// That failed, or somebody killed it.
    pub fn await_end(&mut self) -> Result<(), LaunchError> {
        if self.pid.is_some() {
            self.reap()?;
            self.listen();
        }
        if self.said == FINISHED.as_bytes() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&self.said).into_owned();
        Err(LaunchError::Runtime(match text.is_empty() {
            true => KILLED.to_owned(),
            false => text,
        }))
    }

    fn reap(&mut self) -> Result<(), LaunchError> {
        loop {
            match waitpid(self.pid, WaitOptions::empty()) {
                Err(Errno::INTR) => {}
                // By whoever waits for all children.
                Ok(_) | Err(Errno::CHILD) => {
                    self.pid = None;
                    return Ok(());
                }
                Err(error) => return Err(failed(error.into())),
            }
        }
    }

    /// Reads what it has said so far: shorter than that it is not, and more it does not say.
    fn listen(&mut self) {
        let mut bytes = [0; 2 * LONGEST];
        // What it made keeps the other end open for longer than it lives: there is no end to read to.
        let length = self.told.read(&mut bytes).unwrap_or(0);
        self.said.extend(bytes.iter().take(length));
    }
}

/// Does the work in a maker, and then finishes what came of it, the process of that pid, while this process goes on. To
/// be called in a process with one thread, which becomes a subreaper: what the work leaves is its child, once the maker
/// has ended.
///
/// `alone`: `libcontainer` is kept from placing processes, so the maker is to be in all hierarchies that it knows.
///
/// # Errors
/// The cgroup lets no process in, or what the work failed for, in its words.
pub(super) fn make(
    cgroups: &Cgroups,
    alone: bool,
    work: impl FnOnce() -> Result<i32, LaunchError>,
    finish: impl FnOnce(i32) -> Result<(), LaunchError>,
) -> Result<(u32, Maker), LaunchError> {
    let birthplace = cgroups.birthplace(alone).map(open_directory).transpose();
    let birthplace = birthplace.map_err(failed)?;
    // What the maker makes keeps the other end open for longer than it lives.
    let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
    let (told, outcome) = pipe_with(flags).map_err(|errno| failed(errno.into()))?;
    set_child_subreaper(Some(getpid())).map_err(|errno| failed(errno.into()))?;
    let cloned = clone::child(birthplace.as_ref().map(AsFd::as_fd)).map_err(failed)?;
    // A way to the host's directories, for whoever inherits it.
    drop(birthplace);
    let Some((pid, pidfd)) = cloned else {
        let no_way_back = NoWayBack;
        let outcome = File::from(outcome);
        let entered = cgroups.enter_v1(alone).map_err(LaunchError::from);
        // What comes of it would keep its starter's, if it is to have none.
        let left = entered.and_then(|()| leave_groups());
        let finished = left.and_then(|()| work()).and_then(|pid| {
            tell(&outcome, &format!("{MADE}{pid}{MADE}"));
            finish(pid)
        });
        match finished {
            Ok(()) => tell(&outcome, FINISHED),
            Err(LaunchError::Runtime(text)) => tell(&outcome, &text),
            Err(error) => tell(&outcome, &error.with_causes()),
        }
        std::mem::forget(no_way_back);
        // SAFETY: it ends this process; what is to be done at an exit is its parent's to do.
        unsafe { nix::libc::_exit(0) }
    };
    // The maker's.
    drop((outcome, work, finish));
    let mut maker = Maker {
        pid: Some(pid),
        told: File::from(told),
        said: Vec::new(),
    };
    let mut awaited = [
        PollFd::new(maker.told.as_fd(), PollFlags::POLLIN),
        PollFd::new(pidfd.as_fd(), PollFlags::POLLIN),
    ];
    // A process that is killed says nothing.
    while poll(&mut awaited, PollTimeout::NONE) == Err(nix::errno::Errno::EINTR) {}
    maker.listen();
    if let Some((pid, rest)) = made(&maker.said) {
        maker.said = rest.to_vec();
        return Ok((pid, maker));
    }
    // It failed, and is finished with nothing.
    maker.await_end()?;
    Err(LaunchError::Runtime(KILLED.to_owned()))
}

/// The pid, and what was said after it.
fn made(said: &[u8]) -> Option<(u32, &[u8])> {
    let mut parts = said.splitn(3, |&byte| char::from(byte) == MADE);
    parts.next().filter(|before| before.is_empty())?;
    let pid = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    Some((pid, parts.next()?))
}

/// Shorter than a pipe holds: this neither blocks nor is cut.
fn tell(mut outcome: &File, text: &str) {
    let text = text.as_bytes().get(..LONGEST).unwrap_or(text.as_bytes());
    // Whoever waited is gone, then: the next one finds what was made.
    let _ = outcome.write_all(text);
}

fn open_directory(path: PathBuf) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Where it has none it need not be allowed to.
fn leave_groups() -> Result<(), LaunchError> {
    let left = getgroups().and_then(|groups| match groups.is_empty() {
        true => Ok(()),
        false => setgroups(&[]),
    });
    left.map_err(|errno| LaunchError::Process {
        what: "cannot leave the groups of whoever starts it",
        source: errno.into(),
    })
}

fn failed(source: io::Error) -> LaunchError {
    LaunchError::Process {
        what: "cannot make a process in the workload's cgroup",
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_and_what_is_said_after_it_are_told_from_an_error() {
        assert_eq!(made(b"\x00123\x00"), Some((123, &b""[..])));
        assert_eq!(made(b"\x00123\x00\x00"), Some((123, &b"\0"[..])));
        assert_eq!(
            made(b"\x00123\x00not mounted"),
            Some((123, &b"not mounted"[..]))
        );
        for error in ["", "cannot be made: 123", "\0", "\x00123", "\0-1\0"] {
            assert_eq!(made(error.as_bytes()), None, "{error:?}");
        }
    }
}
