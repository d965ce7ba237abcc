//! The agent's binary, running, and what it answers.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::guest::poll;

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
    port: u16,
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
             [metrics]\nlisten = \"127.0.0.1:{port}\"\n"
        );
        fs::write(&path, config).unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let process = binary()
            .args(["agent", "--config"])
            .arg(path)
            .arg("--socket")
            .arg(folder.path().join("socket"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let agent = Self {
            process: Mutex::new(process),
            folder,
            port,
        };
        poll("the agent's first readings", || {
            let ended = agent.process.lock().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", agent.log());
            let list = agent.try_ask(&["ps"])?;
            (list["tick"].as_u64()? > 0).then_some(())
        });
        agent
    }

    /// What a verb answers, as JSON.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Value {
        let output = self.command(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn try_ask(&self, arguments: &[&str]) -> Option<Value> {
        serde_json::from_slice(&self.command(arguments).stdout).ok()
    }

    /// Events of these filters, oldest first.
    pub(crate) fn events(&self, filters: &[&str]) -> Vec<Value> {
        let mut arguments = vec!["events"];
        for filter in filters {
            arguments.extend(["--filter", filter]);
        }
        let output = self.command(&arguments);
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// One workload as the API has it, by cgroup path.
    pub(crate) fn workload(&self, path: &str) -> Option<Value> {
        let list = self.ask(&["ps", "--all"]);
        let workloads = list["workloads"].as_array()?;
        workloads
            .iter()
            .find(|workload| workload["identity"]["id"] == path)
            .cloned()
    }

    /// The value of the one series that begins so and has all of the labels.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.0\r\nHost: guest\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let mut fitting = text.lines().filter(|line| {
            line.split(['{', ' ']).next() == Some(name)
                && labels.iter().all(|label| line.contains(label))
        });
        let line = fitting.next()?;
        assert_eq!(fitting.next(), None, "{name} {labels:?} is not one series");
        line.rsplit(' ').next()?.parse().ok()
    }

    fn command(&self, arguments: &[&str]) -> Output {
        binary()
            .args(arguments)
            .args(["--format", "json", "--socket"])
            .arg(self.socket())
            .output()
            .unwrap()
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
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

fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_plimsoll"))
}
