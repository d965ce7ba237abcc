//! One process, told apart from a later one with the same pid.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// A process as it is recorded: the pid alone may be another's by the time it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    pub pid: u32,
    /// Clock ticks after boot: field 22 of `/proc/PID/stat`.
    pub start_time: u64,
}

impl Process {
    /// The one that has this pid now.
    ///
    /// # Errors
    /// There is none (`NotFound`, `ESRCH`), or `/proc` cannot be read.
    pub fn of(pid: u32) -> io::Result<Self> {
        let start_time = Stat::read(pid)?.start_time;
        Ok(Self { pid, start_time })
    }

    /// This process.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn myself() -> io::Result<Self> {
        Self::of(std::process::id())
    }

    /// Does it run, or could it if it were scheduled? A zombie does not.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        Stat::read(self.pid).is_ok_and(|stat| stat.start_time == self.start_time && !stat.is_dead())
    }

    /// A descriptor that cannot come to mean another process; `None` when this one has ended.
    ///
    /// # Errors
    /// Too many open files.
    pub fn open(&self) -> io::Result<Option<OwnedFd>> {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Asked after the descriptor exists, so that both are of one process.
        let same = Stat::read(self.pid).is_ok_and(|stat| stat.start_time == self.start_time);
        Ok(same.then_some(pidfd))
    }

    /// Sends a signal; `false` when the process has ended.
    ///
    /// # Errors
    /// Not permitted, or too many open files.
    pub fn signal(&self, signal: Signal) -> io::Result<bool> {
        let Some(pidfd) = self.open()? else {
            return Ok(false);
        };
        match pidfd_send_signal(&pidfd, signal) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// What `/proc/PID/stat` says, as far as it is used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    state: u8,
    pub(super) session: u32,
    pub(super) start_time: u64,
}

impl Stat {
    pub(super) fn read(pid: u32) -> io::Result<Self> {
        let text = fs::read(format!("/proc/{pid}/stat"))?;
        Self::parse(&text).ok_or_else(|| io::Error::other("/proc/PID/stat is not as it should be"))
    }

    fn parse(text: &[u8]) -> Option<Self> {
        // The name, field 2, may hold anything, parentheses too.
        let after_name = text.iter().rposition(|&byte| byte == b')')? + 1;
        let rest = std::str::from_utf8(text.get(after_name..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        Some(Self {
            state: *fields.next()?.as_bytes().first()?,
            // Fields 6 and 22, counted from 1; the iterator stands at 4, then 7.
            session: fields.nth(2)?.parse().ok()?,
            start_time: fields.nth(15)?.parse().ok()?,
        })
    }

    fn is_dead(self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::process::Command;

    use super::*;

    #[test]
    fn fields_are_counted_after_the_name() {
        let text = b"7 (a) b (c)) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 1234 20 21";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.session, stat.start_time), (3, 1234));
        assert!(stat.is_dead());
        assert_eq!(Stat::parse(b"7 (a) R 1 2"), None);
    }

    #[test]
    fn a_child_lives_until_it_is_killed() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let process = Process::of(child.id()).unwrap();
        assert!(process.is_alive());
        assert!(process.signal(Signal::KILL).unwrap());
        child.wait().unwrap();
        assert!(!process.is_alive());
        assert!(!process.signal(Signal::KILL).unwrap());
    }

    #[test]
    fn another_start_time_is_another_process() {
        let mut other = Process::myself().unwrap();
        assert!(other.is_alive());
        other.start_time += 1;
        assert!(!other.is_alive());
        assert!(other.open().unwrap().is_none());
    }
}
