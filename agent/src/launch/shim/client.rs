//! Somebody at the socket: sees output, gives input, or both. One who is slow is let go.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use super::frame::{Frame, Frames, Kind};
use super::line::Hello;

/// One who is further behind is let go, or waited for if that is what it asked for.
const MOST_BEHIND: usize = 256 * 1024;
/// One who is waited for holds the workload up from here on.
const HOLDS_UP: usize = 64 * 1024;
const CHUNK: usize = 16 * 1024;

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    stream: UnixStream,
    incoming: Frames,
    outgoing: Vec<u8>,
    /// It may be so much further behind: what it was told of the past.
    past: usize,
    hello: Option<Hello>,
    is_gone: bool,
}

impl Client {
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            incoming: Frames::default(),
            outgoing: Vec::new(),
            past: 0,
            hello: None,
            is_gone: false,
        })
    }

    pub(super) fn set_hello(&mut self, hello: Hello) {
        self.hello = Some(hello);
    }

    pub(super) fn gives_input(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.input)
    }

    pub(super) fn sees_output(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.output)
    }

    pub(super) fn reads_log(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.logs)
    }

    pub(super) fn is_waited_for(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.wait_for_me)
    }

    /// Output has to wait for it.
    pub(super) fn holds_up(&self) -> bool {
        !self.is_gone && self.is_waited_for() && self.outgoing.len() >= HOLDS_UP
    }

    pub(super) const fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Something is on its way to it.
    pub(super) fn is_behind(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Sends what was before it came.
    pub(super) fn catch_up(&mut self, kind: Kind, bytes: &[u8]) {
        self.past += bytes.len();
        self.send(kind, bytes);
    }

    pub(super) fn send(&mut self, kind: Kind, bytes: &[u8]) {
        if self.is_gone {
            return;
        }
        kind.encode(bytes, &mut self.outgoing);
        self.flush();
        if self.outgoing.len() > MOST_BEHIND + self.past && !self.is_waited_for() {
            self.is_gone = true;
        }
    }

    pub(super) fn flush(&mut self) {
        while !self.outgoing.is_empty() && !self.is_gone {
            match self.stream.write(&self.outgoing) {
                Ok(length) => {
                    self.outgoing.drain(..length);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.is_gone = true,
            }
        }
    }

    /// What came since the last call, at most one chunk.
    pub(super) fn receive(&mut self) -> Vec<Frame> {
        let mut chunk = [0; CHUNK];
        match self.stream.read(&mut chunk) {
            Ok(0) => self.is_gone = true,
            Ok(length) => self.incoming.push(chunk.get(..length).unwrap_or_default()),
            Err(error) if is_momentary(&error) => {}
            Err(_) => self.is_gone = true,
        }
        let mut frames = Vec::new();
        loop {
            match self.incoming.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return frames,
                Err(error) => {
                    tracing::debug!(%error, "client let go");
                    self.is_gone = true;
                    return frames;
                }
            }
        }
    }
}

fn is_momentary(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
