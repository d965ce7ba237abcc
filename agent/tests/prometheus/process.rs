//! A child that does not outlive the test, and its log.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::poll;

/// How long a daemon may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// A daemon whose output goes to a file.
pub(crate) struct Daemon {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    pub(crate) fn start(name: &'static str, command: &mut Command, log: PathBuf) -> Self {
        let file = File::create(&log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { name, child, log }
    }

    /// Waits until `ask` has an answer; panics with the log if the daemon ends or time is up.
    pub(crate) fn ready<T>(
        &mut self,
        limit: Duration,
        mut ask: impl FnMut() -> Result<T, String>,
    ) -> T {
        let answer = poll::until(limit, || match self.child.try_wait() {
            Ok(None) => ask().map(Ok),
            ended => Ok(Err(format!("it ended: {ended:?}"))),
        });
        match answer {
            Ok(Ok(value)) => value,
            Ok(Err(reason)) | Err(reason) => {
                panic!("{} is not ready: {reason}\n{}", self.name, self.log())
            }
        }
    }

    /// What it said so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Asks it to end, then makes it.
    pub(crate) fn stop(&mut self) {
        let Ok(pid) = i32::try_from(self.child.id()) else {
            return;
        };
        if matches!(self.child.try_wait(), Ok(None)) {
            let asked = kill(Pid::from_raw(pid), Signal::SIGTERM);
            let ended = poll::until(GRACE, || match self.child.try_wait() {
                Ok(None) => Err("still runs".to_owned()),
                _ => Ok(()),
            });
            if asked.is_err() || ended.is_err() {
                println!("{} did not end by itself", self.name);
                // Either may fail only because it has ended after all.
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop();
    }
}

/// An address on loopback that nobody listens on.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap()
}
