//! The agent's binary, running.

use std::fs::{self, File};
use std::ops::Deref;
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::api::Api;
use crate::guest::poll;

const BINARY: &str = env!("CARGO_BIN_EXE_plimsoll");
/// Of the agent that all tests share, and of one that a test has for itself.
const SHARED: u16 = 9470;
const OWN: u16 = 9471;

/// One agent for all tests: it takes seconds to start on an emulated CPU. The guest ends it.
static AGENT: LazyLock<Agent> = LazyLock::new(|| Agent::on(SHARED));

/// The agent in one test, which shows its log if it fails.
pub(crate) struct Running(&'static Agent);

/// The agent that all tests share, with its first readings taken.
pub(crate) fn running() -> Running {
    Running(&AGENT)
}

impl Deref for Running {
    type Target = Agent;

    fn deref(&self) -> &Agent {
        self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the agent's log:\n{}", self.0.log());
        }
    }
}

/// Stopped by dropping, as an operator would: SIGTERM.
pub(crate) struct Agent {
    process: Mutex<Child>,
    folder: TempDir,
    api: Api,
}

impl Deref for Agent {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Agent {
    /// An agent that a test has for itself, with its first readings taken.
    pub(crate) fn own() -> Self {
        Self::on(OWN)
    }

    fn on(port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plimsoll.toml");
        let config = format!(
            "[agent]\ntick = \"100ms\"\nidle_refresh = \"200ms\"\n\
             [metrics]\nlisten = \"127.0.0.1:{port}\"\n[engine]\nenable = false\n"
        );
        fs::write(&path, config).unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let socket = folder.path().join("socket");
        let process = Command::new(BINARY)
            .args(["agent", "--config"])
            .arg(path)
            .arg("--socket")
            .arg(&socket)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let agent = Self {
            process: Mutex::new(process),
            folder,
            api: Api::new(BINARY, socket, port),
        };
        poll("the agent's first readings", || {
            let ended = agent.process.lock().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", agent.log());
            agent.is_ready().then_some(())
        });
        agent
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let mut process = self.process.lock().unwrap();
        // It may have ended by itself, which the test has noticed then.
        let _ = kill(Pid::from_raw(process.id().cast_signed()), Signal::SIGTERM);
        for _ in 0..100 {
            if !matches!(process.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        let _ = process.kill();
        let _ = process.wait();
        if std::thread::panicking() {
            println!("the agent's log:\n{}", self.log());
        }
    }
}
