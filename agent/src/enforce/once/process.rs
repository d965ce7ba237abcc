//! One process, by a handle: its number may pass to another process, the handle does not.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A pidfd (5.3 and newer), on the runtime it was opened on.
#[derive(Debug)]
pub(super) struct Process {
    pidfd: AsyncFd<OwnedFd>,
}

impl Process {
    /// Whoever has this number now.
    pub(super) fn open(pid: u32) -> io::Result<Self> {
        let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let number = number.ok_or_else(|| io::Error::other(format!("{pid} is no process id")))?;
        let pidfd = pidfd_open(number, PidfdFlags::empty())?;
        // SAFETY: the descriptor is owned by the `OwnedFd`, which is not replaced while the
        // `AsyncFd` has it.
        let pidfd = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }?;
        Ok(Self { pidfd })
    }

    /// # Errors
    /// It was waited for, or there is no such signal.
    pub(super) fn signal(&self, signal: i32) -> io::Result<()> {
        let known = Signal::from_named_raw(signal);
        let known = known.ok_or_else(|| io::Error::other(format!("no signal {signal}")))?;
        Ok(pidfd_send_signal(self.pidfd.get_ref(), known)?)
    }

    /// Waits until all its threads have ended; whoever is its parent may not have waited for it yet.
    pub(super) async fn ended(&self) {
        // Fails when the runtime ends, and this future with it.
        let _ = self.pidfd.readable().await;
    }

    /// Frees the memory of a process that was killed and dies slowly, on our time (5.15 and newer).
    pub(super) fn release_memory(&self) {
        let handle = self.pidfd.get_ref().as_raw_fd();
        // SAFETY: takes a descriptor, which we hold, and flags; touches no memory of ours.
        let done = unsafe { libc::syscall(libc::SYS_process_mrelease, handle, 0) };
        // Gone already, sharing its memory with a living process, or an older kernel: no matter.
        if let Err(errno) = Errno::result(done) {
            tracing::debug!(%errno, "memory of a dying process not released early");
        }
    }
}
