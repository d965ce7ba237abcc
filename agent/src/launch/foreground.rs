//! A process that this one waits for, with the terminal or the signals of whoever called.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::process::{Pid, WaitOptions, WaitStatus, wait};
use rustix::stdio::{stdin, stdout};
use rustix::termios::{
    OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
};

use super::state::Exit;
use super::{LaunchError, Process, signal_of_number};

const CHUNK: usize = 32 * 1024;

/// Signals as descriptors: blocked from when it is made, so that none is missed.
#[derive(Debug)]
pub struct Foreground {
    signals: SignalFd,
}

impl Foreground {
    /// Has to be made before the process is started, and holds for this process from then on.
    ///
    /// # Errors
    /// Too many open files.
    pub fn new() -> io::Result<Self> {
        let all = SigSet::all();
        let signals = SignalFd::with_flags(&all, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&all), None)?;
        // Orphans of the workload come here, not to a parent that does not expect them.
        rustix::process::set_child_subreaper(Pid::from_raw(1))?;
        Ok(Self { signals })
    }

    /// Waits for it; passes signals on, and what goes through its terminal.
    ///
    /// # Errors
    /// It is no child of this process.
    pub fn wait(&self, child: Process, master: Option<OwnedFd>) -> Result<Exit, LaunchError> {
        let failed = |source| {
            let what = "cannot wait for the process";
            LaunchError::Process { what, source }
        };
        let mut terminal = match master {
            Some(master) => Some(Relay::new(master).map_err(failed)?),
            None => None,
        };
        loop {
            self.sleep(terminal.as_ref()).map_err(failed)?;
            while let Some(signal) = self
                .signals
                .read_signal()
                .map_err(io::Error::from)
                .map_err(failed)?
            {
                let number = i32::try_from(signal.ssi_signo).unwrap_or(0);
                if number == nix::libc::SIGCHLD {
                    if let Some(exit) = reap(child).map_err(failed)? {
                        if let Some(terminal) = &mut terminal {
                            terminal.drain();
                        }
                        return Ok(exit);
                    }
                } else if number == nix::libc::SIGWINCH {
                    if let Some(terminal) = &terminal {
                        terminal.resize();
                    }
                } else if let Some(signal) = signal_of_number(number) {
                    // It has ended, and SIGCHLD is on its way.
                    let _ = child.signal(signal);
                }
            }
            if let Some(relay) = &mut terminal
                && !relay.relay()
            {
                terminal = None;
            }
        }
    }

    fn sleep(&self, terminal: Option<&Relay>) -> io::Result<()> {
        let mut awaited = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        if let Some(relay) = terminal {
            awaited.push(PollFd::new(relay.master.as_fd(), PollFlags::POLLIN));
            if relay.reads_input {
                awaited.push(PollFd::new(stdin(), PollFlags::POLLIN));
            }
        }
        match poll(&mut awaited, PollTimeout::NONE) {
            Err(nix::errno::Errno::EINTR) | Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Reaps all children that ended; the one that is waited for, if it is among them.
fn reap(child: Process) -> io::Result<Option<Exit>> {
    let mut found = None;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => {
                if u32::try_from(pid.as_raw_nonzero().get()) == Ok(child.pid) {
                    found = exit(status);
                }
            }
            Ok(None) => return Ok(found),
            Err(rustix::io::Errno::CHILD) if found.is_some() => return Ok(found),
            Err(error) => return Err(error.into()),
        }
    }
}

/// How a process ended; `None` while it only stopped.
pub(super) fn exit(status: WaitStatus) -> Option<Exit> {
    if let Some(code) = status.exit_status() {
        return Some(Exit::exited(u8::try_from(code).unwrap_or(u8::MAX)));
    }
    status.terminating_signal().map(Exit::killed)
}

/// Between the caller's terminal and the workload's.
struct Relay {
    master: OwnedFd,
    reads_input: bool,
    /// As the caller's terminal was.
    before: Option<Termios>,
}

impl Relay {
    fn new(master: OwnedFd) -> io::Result<Self> {
        let mut relay = Self {
            master,
            reads_input: true,
            before: None,
        };
        if isatty(stdin()) {
            let before = tcgetattr(stdin())?;
            let mut raw = before.clone();
            raw.make_raw();
            tcsetattr(stdin(), OptionalActions::Now, &raw)?;
            relay.before = Some(before);
            relay.resize();
        }
        Ok(relay)
    }

    fn resize(&self) {
        if let Ok(size) = tcgetwinsize(stdin()) {
            // The workload has closed its terminal.
            let _ = tcsetwinsize(&self.master, size);
        }
    }

    /// Passes on what there is. `false`: the workload has closed its terminal.
    fn relay(&mut self) -> bool {
        if self.reads_input && is_readable(stdin()) && !copy(stdin(), self.master.as_fd()) {
            // What follows is an end of input for the one who reads the terminal.
            self.reads_input = false;
            let _ = rustix::io::write(&self.master, &[4]);
        }
        !is_readable(self.master.as_fd()) || copy(self.master.as_fd(), stdout())
    }

    fn drain(&mut self) {
        while is_readable(self.master.as_fd()) && copy(self.master.as_fd(), stdout()) {}
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // The terminal is gone.
            let _ = tcsetattr(stdin(), OptionalActions::Now, before);
        }
    }
}

fn is_readable(descriptor: BorrowedFd<'_>) -> bool {
    let mut awaited = [PollFd::new(descriptor, PollFlags::POLLIN)];
    poll(&mut awaited, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// One chunk; `false` at the end.
fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> bool {
    let mut chunk = [0; CHUNK];
    let Ok(length @ 1..) = rustix::io::read(from, &mut chunk) else {
        return false;
    };
    let mut left = chunk.get(..length).unwrap_or_default();
    while !left.is_empty() {
        match rustix::io::write(to, left) {
            Ok(written) => left = left.get(written..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
    true
}
