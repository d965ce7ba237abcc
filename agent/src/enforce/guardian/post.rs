//! The agent's side: there is a guardian before anything is changed, and a new one when it goes.

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{GOODBYE, READY};
use crate::enforce::status::GuardianStatus;

/// How long it may take to begin to watch.
const START: Duration = Duration::from_secs(2);
/// How long it may take to end after a goodbye.
const END: Duration = Duration::from_millis(100);

/// What is run as the guardian, with `--state-dir DIR --agent-pid PID` after its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<OsString>,
}

impl Default for Program {
    /// The agent's own binary, whatever has become of the file since.
    fn default() -> Self {
        Self {
            path: "/proc/self/exe".into(),
            arguments: vec!["guardian".into()],
        }
    }
}

/// The guardian of this agent.
pub(crate) struct Guardian {
    program: Program,
    directory: PathBuf,
    running: Option<Running>,
    started: u64,
    failure: Option<String>,
}

struct Running {
    child: Child,
    socket: UnixStream,
}

impl Guardian {
    /// None yet, for the journal in this directory.
    pub(crate) fn new(program: Program, directory: &Path) -> Self {
        Self {
            program,
            directory: directory.to_owned(),
            running: None,
            started: 0,
            failure: None,
        }
    }

    /// Sees to it that there is one which watches.
    ///
    /// # Errors
    /// There is none, and why: then nothing may be changed.
    pub(crate) fn ensure(&mut self) -> Result<(), String> {
        self.notice();
        if self.running.is_some() {
            return Ok(());
        }
        match self.start() {
            Ok(running) => {
                self.running = Some(running);
                self.started += 1;
                self.failure = None;
                Ok(())
            }
            Err(reason) => {
                self.failure = Some(reason.clone());
                Err(reason)
            }
        }
    }

    /// Was there one, and is it gone? Does not wait.
    pub(crate) fn notice(&mut self) -> bool {
        let Some(running) = &mut self.running else {
            return false;
        };
        match running.socket.read(&mut [0; 8]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            // It says nothing after it was ready; the end of the stream is its end.
            Ok(_) | Err(_) => {}
        }
        if let Some(mut gone) = self.running.take() {
            // It may be on its way only: its end is sure.
            let _ = gone.child.kill();
            let _ = gone.child.wait();
            tracing::warn!("the guardian is gone");
        }
        true
    }

    /// Becomes readable when it is gone.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.running.as_ref().map(|running| running.socket.as_fd())
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.child.id())
    }

    pub(crate) fn status(&self) -> GuardianStatus {
        GuardianStatus {
            pid: self.pid(),
            restarts: self.started.saturating_sub(1),
            failure: self.failure.clone(),
        }
    }

    /// All is given back: it may go, and is waited for.
    pub(crate) fn say_goodbye(&mut self) {
        let Some(mut running) = self.running.take() else {
            return;
        };
        if let Err(error) = running.socket.write_all(&[GOODBYE]) {
            tracing::debug!(%error, "the guardian is gone already");
        }
        let deadline = std::time::Instant::now() + END;
        while matches!(running.child.try_wait(), Ok(None)) && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn start(&self) -> Result<Running, String> {
        let failed = |what: &str, error: std::io::Error| format!("{what}: {error}");
        let (mut ours, theirs) =
            UnixStream::pair().map_err(|error| failed("no socket for the guardian", error))?;
        let child = Command::new(&self.program.path)
            .args(&self.program.arguments)
            .arg("--state-dir")
            .arg(&self.directory)
            .arg("--agent-pid")
            .arg(std::process::id().to_string())
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .spawn();
        let child = child.map_err(|error| failed("the guardian cannot be started", error))?;
        let ready = ours.set_read_timeout(Some(START)).and_then(|()| {
            let mut word = [0];
            ours.read_exact(&mut word)?;
            ours.set_nonblocking(true)?;
            Ok(word == [READY])
        });
        let mut running = Running {
            child,
            socket: ours,
        };
        match ready {
            Ok(true) => Ok(running),
            other => {
                let _ = running.child.kill();
                let _ = running.child.wait();
                Err(match other {
                    Err(error) => failed("the guardian does not begin to watch", error),
                    Ok(_) => "what was started is no guardian".to_owned(),
                })
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Without a goodbye it goes on to watch, which is what it is for; reaped if it has ended.
        let _ = self.child.try_wait();
    }
}
