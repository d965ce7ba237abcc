//! An API server over a made-up snapshot, and the binary run against it.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;

use plimsoll::api::{self, ApiState, SocketGuard};
use plimsoll::ledger::{EventLog, Snapshot};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::snapshot::snapshot;

/// A served snapshot; ends with the value.
pub(crate) struct World {
    pub(crate) socket: PathBuf,
    pub(crate) snapshots: watch::Sender<Arc<Snapshot>>,
    pub(crate) events: EventLog,
    /// Ends when the server has.
    pub(crate) served: JoinHandle<io::Result<()>>,
    stop: CancellationToken,
    _runtime: tokio::runtime::Runtime,
    _guard: SocketGuard,
    pub(crate) directory: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(snapshot(3))
    }

    pub(crate) fn with(snapshot: Snapshot) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("run/plimsoll.sock");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (snapshots, receiver) = watch::channel(Arc::new(snapshot));
        let events = EventLog::new(100_000);
        let state = ApiState {
            snapshots: receiver,
            events: events.clone(),
            hold: None,
            engine: None,
        };
        let stop = CancellationToken::new();
        let entered = runtime.enter();
        let (listener, guard) = api::bind(&socket).unwrap();
        drop(entered);
        let served = runtime.spawn(api::serve(listener, state, stop.clone()));
        Self {
            socket,
            snapshots,
            events,
            served,
            stop,
            _runtime: runtime,
            _guard: guard,
            directory,
        }
    }

    /// The binary, told to ask this server.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = plimsoll(arguments);
        command.arg("--socket").arg(&self.socket);
        command
    }

    /// Its standard output after success, for a terminal of `columns`.
    pub(crate) fn shown(&self, columns: u16, arguments: &[&str]) -> String {
        let mut command = self.command(arguments);
        command.env("COLUMNS", columns.to_string());
        text(&command.output().unwrap())
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let arguments = [arguments, &["--format", "json"]].concat();
        serde_json::from_str(&self.shown(80, &arguments)).unwrap()
    }

    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) fn plimsoll(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    command.args(arguments).env_remove("COLUMNS");
    command
}

pub(crate) fn text(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}
