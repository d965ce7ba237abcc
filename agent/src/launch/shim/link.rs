//! The link: one message at a time, with descriptors.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::launch::console::{receive, send};

/// Longer than any message: paths and warnings.
const LONGEST: usize = 128 * 1024;

/// One end of a pair of sockets that keep messages apart.
#[derive(Debug)]
pub(super) struct Link(OwnedFd);

impl Link {
    /// Both ends, closed on exec.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Self(ours), theirs))
    }

    pub(super) const fn new(socket: OwnedFd) -> Self {
        Self(socket)
    }

    pub(super) fn send(
        &self,
        message: &impl Serialize,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        send(self.0.as_fd(), &serde_json::to_vec(message)?, descriptors)
    }

    /// Waits for the next message; `None`: the other side is gone.
    pub(super) fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let mut bytes = vec![0; LONGEST];
        let (length, descriptors) = match receive(self.0.as_fd(), &mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
            received => received?,
        };
        if length == 0 {
            return Ok(None);
        }
        let message = serde_json::from_slice(bytes.get(..length).unwrap_or_default())?;
        Ok(Some((message, descriptors)))
    }

    /// Is the other side gone, whatever it said before?
    pub(super) fn is_abandoned(&self) -> bool {
        let mut socket = [PollFd::new(self.0.as_fd(), PollFlags::empty())];
        let polled = poll(&mut socket, PollTimeout::ZERO);
        let [socket] = socket;
        let hung_up = socket.revents().unwrap_or(PollFlags::empty());
        polled.is_ok() && hung_up.contains(PollFlags::POLLHUP)
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn messages_keep_apart_and_bring_descriptors() {
        let (ours, theirs) = Link::pair().unwrap();
        let theirs = Link::new(theirs);
        ours.send(&"first", &[]).unwrap();
        let file = tempfile::tempfile().unwrap();
        ours.send(&"second", &[file.as_fd()]).unwrap();
        let (text, descriptors) = theirs.receive::<String>().unwrap().unwrap();
        assert_eq!((text.as_str(), descriptors.len()), ("first", 0));
        let (text, descriptors) = theirs.receive::<String>().unwrap().unwrap();
        assert_eq!((text.as_str(), descriptors.len()), ("second", 1));
        assert!(!theirs.is_abandoned());
        ours.send(&"third", &[]).unwrap();
        drop(ours);
        // Known before what was said is heard.
        assert!(theirs.is_abandoned());
        assert!(theirs.receive::<String>().unwrap().is_some());
        assert!(theirs.receive::<String>().unwrap().is_none());
    }
}
