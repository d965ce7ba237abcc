//! The process that shims are cloned from: with one thread, sealed, and in the cgroup that shims live in.
//!
//! What a shim needs before it has a request is there already. A clone takes a fraction of what it takes to start
//! the executable; and it is born where it is to be, so that nobody has to be moved there by his pid (see
//! `maker`). It is a child of the agent's, as the zygote is.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

use super::held::{End, ShimError, Spare};
use super::link::Link;
use crate::launch::{Sealed, clone};

/// Shown as its command line, and as its shims'.
const NAME: &str = "plimsoll";

/// Asked for with the shim's end of a link.
#[derive(Debug, Serialize, Deserialize)]
struct Wish;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// With its pidfd.
    Cloned {
        pid: u32,
    },
    Failed {
        text: String,
    },
}

/// The agent's side. Dropped, it ends; its shims go on.
#[derive(Debug)]
pub struct Zygote {
    end: End,
}

/// A shim that was asked for, of which nobody has heard yet.
#[derive(Debug)]
pub struct Asked {
    link: Link,
}

impl Zygote {
    /// Starts it, in the cgroup `home` of every hierarchy.
    ///
    /// # Errors
    /// No process can be made.
    pub fn start(executable: &Sealed, home: &str) -> Result<Self, ShimError> {
        let (link, theirs) = Link::pair().map_err(ShimError::Start)?;
        let child = Command::new(executable.path())
            .arg0(NAME)
            .args(["shim", home])
            .stdin(theirs)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(ShimError::Start)?;
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
        let process = pidfd.map_err(|errno| ShimError::Start(errno.into()))?;
        let pid = child.id();
        let end = End { link, pid, process };
        Ok(Self { end })
    }

    /// A shim, that leads a session of its own and outlives this process once it has a request.
    ///
    /// # Errors
    /// No process can be made; [`ShimError::Gone`]: the zygote was killed.
    pub fn spare(&self) -> Result<Spare, ShimError> {
        self.receive(self.ask()?)
    }

    /// Asks for one, which [`Zygote::receive`] waits for: one at a time.
    ///
    /// # Errors
    /// [`ShimError::Gone`]: the zygote was killed.
    pub fn ask(&self) -> Result<Asked, ShimError> {
        let (link, theirs) = Link::pair().map_err(ShimError::Start)?;
        let sent = self.end.link.send(&Wish, &[theirs.as_fd()]);
        sent.map_err(|_| ShimError::Gone)?;
        Ok(Asked { link })
    }

    /// The shim that was asked for.
    ///
    /// # Errors
    /// As [`Zygote::spare`].
    pub fn receive(&self, asked: Asked) -> Result<Spare, ShimError> {
        let Asked { link } = asked;
        match self.end.receive::<Answer>()? {
            (Answer::Cloned { pid }, mut descriptors) => {
                let process = descriptors.pop().ok_or(ShimError::Confused)?;
                let end = End { link, pid, process };
                Ok(Spare { end })
            }
            (Answer::Failed { text }, _) => Err(ShimError::Refused(text)),
        }
    }

    /// Its own process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.end.pid
    }

    /// Lets it end, and waits for that.
    ///
    /// # Errors
    /// Somebody else waited for it.
    pub fn end(self) -> io::Result<()> {
        self.end.part()
    }
}

/// Its own side: clones a shim for each that is asked for, until the agent is gone. `Some` in a shim.
pub(super) fn serve(link: Link) -> io::Result<Option<Link>> {
    while let Some((theirs, Wish)) = next(&link)? {
        match clone::sibling() {
            Ok(None) => {
                // The zygote's alone.
                drop(link);
                return Ok(Some(Link::new(theirs)));
            }
            Ok(Some((pid, pidfd))) => {
                let pid = pid.as_raw_nonzero().get().unsigned_abs();
                link.send(&Answer::Cloned { pid }, &[pidfd.as_fd()])?;
            }
            Err(error) => {
                let text = format!("no process can be cloned: {error}");
                link.send(&Answer::Failed { text }, &[])?;
            }
        }
    }
    Ok(None)
}

/// One that could not get ready says why to the first who asks.
pub(super) fn refuse(link: &Link, error: &io::Error) -> io::Result<()> {
    if next(link)?.is_some() {
        let text = format!("the shim cannot get ready: {error}");
        link.send(&Answer::Failed { text }, &[])?;
    }
    Ok(())
}

fn next(link: &Link) -> io::Result<Option<(OwnedFd, Wish)>> {
    let Some((wish, mut descriptors)) = link.receive::<Wish>()? else {
        return Ok(None);
    };
    let theirs = descriptors.pop();
    let theirs = theirs.ok_or_else(|| io::Error::other("asked for without a link"))?;
    Ok(Some((theirs, wish)))
}
