//! The agent under test.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{Daemon, free_address};

const SOCKET: &str = "plimsoll.sock";
const START: Duration = Duration::from_secs(30);

/// A running agent with a socket, port and configuration of its own.
pub(crate) struct Agent {
    pub(crate) daemon: Daemon,
    pub(crate) metrics: SocketAddr,
    dir: TempDir,
}

impl Agent {
    /// Starts it with a policy file's text and waits until it has readings.
    ///
    /// It reads ten times a second, so that what a scrape sees is at most 0.1 s old: that bounds the
    /// error of a rate over 30 s below a percent.
    pub(crate) fn start(policy: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let metrics = free_address();
        let config = dir.path().join("plimsoll.toml");
        let socket = dir.path().join(SOCKET);
        let (state, audit) = (dir.path().join("enforce"), dir.path().join("audit.jsonl"));
        let (data, run) = (dir.path().join("data"), dir.path().join("run"));
        let file = dir.path().join("policy.toml");
        fs::write(&file, policy).unwrap();
        let text = format!(
            "[agent]\nsocket = {socket:?}\ntick = \"100ms\"\n\n[metrics]\nlisten = \"{metrics}\"\n\n\
             [policy]\nfile = {file:?}\n\n[enforce]\nstate_dir = {state:?}\n\n[audit]\npath = {audit:?}\n\n\
             [engine]\ndata_dir = {data:?}\nrun_dir = {run:?}\n"
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command.arg("agent").arg("--config").arg(&config);
        let mut daemon = Daemon::start("plimsoll", &mut command, dir.path().join("agent.log"));
        daemon.ready(START, || get(metrics, "/readyz"));
        Self {
            daemon,
            metrics,
            dir,
        }
    }

    /// What a verb that succeeds says.
    pub(crate) fn say(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        let socket = self.dir.path().join(SOCKET);
        let output = command.arg("--socket").arg(socket).args(arguments).output();
        let output = output.unwrap();
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            return Err(format!("plimsoll {arguments:?}: {complaint}"));
        }
        Ok(String::from_utf8(output.stdout).unwrap())
    }

    /// Text of `/metrics`.
    pub(crate) fn scrape(&self) -> String {
        get(self.metrics, "/metrics").unwrap()
    }
}

fn get(address: SocketAddr, path: &str) -> Result<String, String> {
    ureq::get(format!("http://{address}{path}"))
        .call()
        .and_then(|mut response| response.body_mut().read_to_string())
        .map_err(|error| format!("{path}: {error}"))
}
