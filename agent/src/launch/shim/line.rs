//! A client's line to a shim that lives: output, input, window size, and the start of a workload that
//! an earlier agent created.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SOCKET;
use super::frame::{Frame, Frames, Kind};
use crate::launch::console::connect;
use crate::launch::{Phase, Process};

const CHUNK: usize = 16 * 1024;
/// A shim answers at once, unless a log in blocking mode holds it up.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a client wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hello {
    /// To see output from now on.
    pub output: bool,
    /// To give input.
    pub input: bool,
    /// To miss nothing: the workload blocks rather than that this client is let go.
    pub wait_for_me: bool,
    /// To read the log up to [`Welcome::logged`]: output goes on from there.
    pub logs: bool,
}

/// What a client comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    pub process: Process,
    pub phase: Phase,
    pub terminal: bool,
    /// What the log had by then; what had not got there yet comes as output. `None`: it was not asked for, there is
    /// no log, or the shim is an older one.
    #[serde(default)]
    pub logged: Option<LogEnd>,
}

/// A place in a log: so much of that file, and all files before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEnd {
    /// 0: there was no file.
    pub inode: u64,
    pub bytes: u64,
}

/// A line, blocking.
#[derive(Debug)]
pub struct Line {
    stream: UnixStream,
    frames: Frames,
    /// What the shim said first.
    pub welcome: Welcome,
}

/// A line on which the shim has not answered yet.
#[derive(Debug)]
pub struct Call(Line);

impl Call {
    /// Waits for the answer.
    ///
    /// # Errors
    /// `ConnectionAborted`: the shim is gone, or refuses. `TimedOut`: it does not answer.
    pub fn answered(self) -> io::Result<Line> {
        self.answered_within(PATIENCE)
    }

    fn answered_within(self, patience: Duration) -> io::Result<Line> {
        let Self(mut line) = self;
        line.stream.set_read_timeout(Some(patience))?;
        let answer = line.receive().map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
            _ => error,
        })?;
        line.stream.set_read_timeout(None)?;
        match answer {
            Some(frame) if frame.kind == Kind::Welcome => {
                line.welcome = serde_json::from_slice(&frame.payload)?;
                Ok(line)
            }
            _ => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }
}

impl Line {
    /// Calls the shim whose state directory this is, and waits for its answer.
    ///
    /// # Errors
    /// `ConnectionRefused` or `NotFound`: no shim lives there. `TimedOut`: it does not answer.
    pub fn open(state_dir: &Path, hello: &Hello) -> io::Result<Self> {
        Self::call(state_dir, hello)?.answered()
    }

    /// Calls the shim: what it is asked for after that, it does after it has heard of this client.
    ///
    /// # Errors
    /// `ConnectionRefused` or `NotFound`: no shim lives there.
    pub fn call(state_dir: &Path, hello: &Hello) -> io::Result<Call> {
        let stream = connect(state_dir, SOCKET)?;
        let mut line = Self {
            stream,
            frames: Frames::default(),
            welcome: Welcome {
                process: Process {
                    pid: 0,
                    start_time: 0,
                },
                phase: Phase::Creating,
                terminal: false,
                logged: None,
            },
        };
        line.send(Kind::Hello, &serde_json::to_vec(hello)?)?;
        Ok(Call(line))
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// The shim is gone.
    pub fn send(&mut self, kind: Kind, bytes: &[u8]) -> io::Result<()> {
        let mut encoded = Vec::new();
        kind.encode(bytes, &mut encoded);
        self.stream.write_all(&encoded)
    }

    /// Tells the size of the client's window.
    ///
    /// # Errors
    /// The shim is gone.
    pub fn resize(&mut self, rows: u16, columns: u16) -> io::Result<()> {
        let [a, b] = rows.to_be_bytes();
        let [c, d] = columns.to_be_bytes();
        self.send(Kind::Resize, &[a, b, c, d])
    }

    /// Waits for the next frame; `None`: the shim is gone, or let this client go.
    ///
    /// # Errors
    /// What came is no frame.
    pub fn receive(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.frames.next_frame().map_err(io::Error::other)? {
                return Ok(Some(frame));
            }
            let mut chunk = [0; CHUNK];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(length) => self.frames.push(chunk.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// The socket, for a client with a way of waiting of its own.
    #[must_use]
    pub fn into_stream(self) -> (UnixStream, Frames) {
        (self.stream, self.frames)
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_shim_that_does_not_answer_is_not_waited_for_for_ever() {
        let state = tempfile::tempdir().unwrap();
        let _deaf = UnixListener::bind(state.path().join(SOCKET)).unwrap();
        let call = Line::call(state.path(), &Hello::default()).unwrap();
        let answer = call.answered_within(Duration::from_millis(10));
        assert_eq!(answer.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
