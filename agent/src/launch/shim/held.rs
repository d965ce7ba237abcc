//! The agent's side: shims that are spare, and shims that hold something.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use serde::de::DeserializeOwned;

use super::link::Link;
use super::request::{CreateRequest, JoinRequest, Made, PrepareRequest, Report, Request};
use crate::launch::Exit;

/// Why a shim did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ShimError {
    #[error("cannot start a shim")]
    Start(#[source] io::Error),
    #[error("the shim cannot be spoken to")]
    Link(#[source] io::Error),
    #[error("the shim ended without an answer")]
    Gone,
    /// In the shim's words.
    #[error("{0}")]
    Refused(String),
    #[error("the shim gave another answer than was asked for")]
    Confused,
}

/// A shim that waits for its request. One that is dropped ends.
#[derive(Debug)]
pub struct Spare {
    pub(super) end: End,
}

/// The agent's end of a link, and what tells that the other end is gone: the link alone does not,
/// because what a killed shim was making a workload of holds it open.
#[derive(Debug)]
pub(super) struct End {
    pub(super) link: Link,
    pub(super) pid: u32,
    /// The other's pidfd.
    pub(super) process: OwnedFd,
}

/// A shim that holds a process. Dropped, it goes on without the agent.
#[derive(Debug)]
pub struct Held {
    end: End,
    /// Of the held process; a process that joined may have ended before one could be made.
    pub pidfd: Option<OwnedFd>,
    pub made: Made,
}

impl Spare {
    /// The shim's own process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.end.pid
    }

    /// Somebody killed it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let mut process = [PollFd::new(self.end.process.as_fd(), PollFlags::POLLIN)];
        poll(&mut process, PollTimeout::ZERO) == Ok(1)
    }

    /// Lets it end without a request.
    ///
    /// # Errors
    /// Somebody else waited for it.
    pub fn dismiss(self) -> io::Result<()> {
        self.end.part()
    }

    /// Has it make, meanwhile, what a workload needs that is to be created next. What fails is told then.
    ///
    /// # Errors
    /// The shim was killed.
    pub fn prepare(&self, request: PrepareRequest) -> Result<(), ShimError> {
        let sent = self.end.link.send(&Request::Prepare(request), &[]);
        sent.map_err(ShimError::Link)
    }

    /// Has it make a workload, which then waits to be started. `stdio`: for `Stdio::Inherit`.
    ///
    /// # Errors
    /// The workload is refused, and nothing of it is left; or the shim was killed, see
    /// [`settle_one`](crate::launch::settle_one).
    pub fn create(
        self,
        request: CreateRequest,
        stdio: Option<[BorrowedFd<'_>; 3]>,
    ) -> Result<Held, ShimError> {
        self.ask(&Request::Create(request), stdio)
    }

    /// Has it let a process join, which then runs.
    ///
    /// # Errors
    /// The workload does not run, or the program cannot be started in it.
    pub fn join(
        self,
        request: JoinRequest,
        stdio: Option<[BorrowedFd<'_>; 3]>,
    ) -> Result<Held, ShimError> {
        self.ask(&Request::Join(request), stdio)
    }

    fn ask(self, request: &Request, stdio: Option<[BorrowedFd<'_>; 3]>) -> Result<Held, ShimError> {
        let Self { end } = self;
        let descriptors = stdio.as_ref().map_or(&[][..], |stdio| &stdio[..]);
        let sent = end.link.send(request, descriptors);
        let answer = sent.map_err(ShimError::Link);
        let refusal = match answer.and_then(|()| end.receive()) {
            Ok((Report::Made(made), mut descriptors)) => {
                return Ok(Held {
                    end,
                    pidfd: descriptors.pop(),
                    made,
                });
            }
            Ok((Report::Failed { text }, _)) => ShimError::Refused(text),
            Ok((Report::Started | Report::Exited(_) | Report::Cleared, _)) => ShimError::Confused,
            Err(error) => error,
        };
        // It ends by itself; reaped here, because nobody else knows of it.
        end.part().map_err(ShimError::Link)?;
        Err(refusal)
    }
}

impl End {
    /// Waits for the next report.
    pub(super) fn receive<T: DeserializeOwned>(&self) -> Result<(T, Vec<OwnedFd>), ShimError> {
        let mut awaited = [
            PollFd::new(self.link.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.process.as_fd(), PollFlags::POLLIN),
        ];
        while let Err(errno) = poll(&mut awaited, PollTimeout::NONE) {
            if errno != Errno::EINTR {
                return Err(ShimError::Link(errno.into()));
            }
        }
        // What it said before it ended comes first.
        if awaited[0].any() != Some(true) {
            return Err(ShimError::Gone);
        }
        let received = self.link.receive().map_err(ShimError::Link)?;
        received.ok_or(ShimError::Gone)
    }

    /// Hangs up, and waits until the other has ended, which is this process's child.
    pub(super) fn part(self) -> io::Result<()> {
        drop(self.link);
        loop {
            match waitid(WaitId::PidFd(self.process.as_fd()), WaitIdOptions::EXITED) {
                Err(rustix::io::Errno::INTR) => {}
                ended => return Ok(ended.map(drop)?),
            }
        }
    }
}

impl Held {
    /// The shim's own process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.end.pid
    }

    /// Lets the workload run.
    ///
    /// # Errors
    /// A hook failed, or it was killed meanwhile.
    pub fn start(&mut self) -> Result<(), ShimError> {
        let sent = self.end.link.send(&Request::Start, &[]);
        sent.map_err(ShimError::Link)?;
        match self.end.receive()?.0 {
            Report::Started => Ok(()),
            Report::Failed { text } => Err(ShimError::Refused(text)),
            Report::Exited(_) => {
                let text = "it ended before it was started".to_owned();
                Err(ShimError::Refused(text))
            }
            Report::Made(_) | Report::Cleared => Err(ShimError::Confused),
        }
    }

    /// Waits until the process has ended and that is recorded.
    ///
    /// # Errors
    /// The shim was killed: see [`settle_one`](crate::launch::settle_one).
    pub fn wait(&mut self) -> Result<Exit, ShimError> {
        loop {
            match self.end.receive()?.0 {
                Report::Exited(exit) => return Ok(exit),
                Report::Failed { text } => return Err(ShimError::Refused(text)),
                Report::Made(_) | Report::Started | Report::Cleared => {}
            }
        }
    }

    /// The same, and until nothing of the workload is left but its state.
    ///
    /// # Errors
    /// The shim was killed: see [`settle_one`](crate::launch::settle_one).
    pub fn wait_cleared(&mut self) -> Result<(), ShimError> {
        loop {
            match self.end.receive()?.0 {
                Report::Cleared => return Ok(()),
                Report::Failed { text } => return Err(ShimError::Refused(text)),
                Report::Made(_) | Report::Started | Report::Exited(_) => {}
            }
        }
    }

    /// Readable when the shim itself is gone, killed or not.
    #[must_use]
    pub fn shim(&self) -> BorrowedFd<'_> {
        self.end.process.as_fd()
    }

    /// Waits until the shim itself has ended, once it has told everybody; the agent is its parent.
    ///
    /// # Errors
    /// Somebody else waited for it.
    pub fn reap(self) -> io::Result<()> {
        self.end.part()
    }
}

/// Readable when the shim has something to report.
impl AsFd for Held {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.link.as_fd()
    }
}
