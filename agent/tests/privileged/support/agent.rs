//! The agent under test: the real binary, with a configuration, socket and port of its own.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::metrics::Metrics;
use super::settings::{POLICY, Settings};
use super::{poll, skip};

/// The debug build loads its programs in two seconds on an idle machine, in ten times that on an
/// emulated CPU while cgroups come and go.
const START: Duration = Duration::from_secs(90);
const END: Duration = Duration::from_secs(5);

/// Ended on drop; its log is shown when the test fails.
pub(crate) struct Agent {
    child: Child,
    directory: tempfile::TempDir,
    port: u16,
}

impl Agent {
    /// Starts it and waits until it is ready. `None`, and the test is skipped, without root.
    pub(crate) fn start(test: &str, settings: &Settings) -> Option<Self> {
        let agent = Self::spawn(test, settings)?;
        Some(agent.ready())
    }

    /// The same, with a policy file.
    pub(crate) fn start_with_policy(test: &str, settings: &Settings, policy: &str) -> Option<Self> {
        let agent = Self::spawn_with(test, settings, Some(policy))?;
        Some(agent.ready())
    }

    /// Starts it and does not wait.
    pub(crate) fn spawn(test: &str, settings: &Settings) -> Option<Self> {
        Self::spawn_with(test, settings, None)
    }

    fn spawn_with(test: &str, settings: &Settings, policy: Option<&str>) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            skip(test, "not root");
            return None;
        }
        let directory = tempfile::tempdir().expect("scratch directory");
        let port = settings.port.unwrap_or_else(free_port);
        fs::write(
            directory.path().join("config.toml"),
            settings.file(directory.path(), port),
        )
        .expect("configuration");
        if let Some(policy) = policy {
            fs::write(directory.path().join(POLICY), policy).expect("policy");
        }
        let child = run(directory.path(), &settings.through);
        Some(Self {
            child,
            directory,
            port,
        })
    }

    /// Waits until the first readings are there.
    pub(crate) fn ready(mut self) -> Self {
        self.wait_ready();
        self
    }

    fn wait_ready(&mut self) {
        let deadline = Instant::now() + START;
        while !matches!(self.get("/readyz"), Some((200, _))) {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the agent ended: {status}\n{}", self.log());
            }
            assert!(Instant::now() < deadline, "the agent is not ready");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGKILL, and the same agent again; returns before it is ready.
    pub(crate) fn kill_and_start_again(&mut self) {
        self.kill();
        assert!(self.socket().exists(), "a killed agent leaves its socket");
        self.start_again();
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("the killed agent");
    }

    /// SIGTERM, and waits until it has ended.
    pub(crate) fn end(&mut self) {
        self.signal(Signal::SIGTERM);
        let status = poll("end", || self.child.try_wait().expect("the agent"));
        assert!(status.success(), "{status}\n{}", self.log());
    }

    /// One that has ended, with the same files, until it is ready.
    pub(crate) fn start_again(&mut self) {
        self.child = run(self.directory.path(), &[]);
        self.wait_ready();
    }

    /// Writes its policy file anew.
    pub(crate) fn set_policy(&self, policy: &str) {
        fs::write(self.directory.path().join(POLICY), policy).expect("policy");
    }

    /// What a verb that succeeds says.
    pub(crate) fn say(&self, arguments: &[&str]) -> String {
        let output = self.plimsoll(arguments);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "plimsoll {arguments:?}: {complaint}{}\n{}",
            String::from_utf8_lossy(&output.stdout),
            self.log()
        );
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// What a verb that fails with `status` says, on both outputs.
    pub(crate) fn refuse(&self, arguments: &[&str], status: i32) -> String {
        let output = self.plimsoll(arguments);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).expect("UTF-8");
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        said
    }

    fn plimsoll(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_plimsoll"))
            .arg("--socket")
            .arg(self.socket())
            .args(arguments)
            .output()
            .expect("plimsoll")
    }

    /// Runs to its end, which a failed start has soon: exit status and log.
    pub(crate) fn outcome(&mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + START;
        loop {
            if let Some(status) = self.child.try_wait().expect("the agent") {
                return (status, self.log());
            }
            assert!(
                Instant::now() < deadline,
                "the agent goes on\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("pid"));
        kill(pid, signal).expect("the agent");
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("plimsoll.sock")
    }

    /// Writes its configuration anew; SIGHUP makes it read that.
    pub(crate) fn configure(&self, settings: &Settings, more: &str) {
        let text = settings.file(self.directory.path(), self.port) + more;
        fs::write(self.directory.path().join("config.toml"), text).expect("configuration");
    }

    /// One scrape. Dead workloads that it shows retire.
    pub(crate) fn scrape(&self) -> Metrics {
        let (status, text) = self.get("/metrics").expect("the endpoint");
        assert_eq!(status, 200, "{text}");
        Metrics::parse(&text)
    }

    /// A scrape of readings that were all taken after this call.
    pub(crate) fn fresh_scrape(&self) -> Metrics {
        self.next_tick();
        self.scrape()
    }

    /// Waits for a tick that began after this call, and ended. Scrapes nothing.
    pub(crate) fn next_tick(&self) {
        let tick = || self.ps(&["--filter", "kind=host"])["tick"].as_u64();
        let now = tick().expect("tick");
        // The next one may be under way.
        poll("tick", || tick().filter(|tick| *tick >= now + 2));
    }

    /// `plimsoll workloads --format json`.
    pub(crate) fn ps(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ask("workloads", arguments)).expect("workloads")
    }

    /// Ids of all cgroups it takes for alive.
    pub(crate) fn alive(&self) -> Vec<String> {
        let list = self.ps(&["--all"]);
        let all = list["workloads"].as_array().expect("workloads").iter();
        all.filter(|workload| workload["life"]["state"] != "dead")
            .map(|workload| workload["identity"]["id"].as_str().expect("id").to_owned())
            .collect()
    }

    /// One workload of `plimsoll workloads --all`, dead or alive.
    pub(crate) fn workload(&self, id: &str) -> Option<Value> {
        let mut list = self.ps(&["--all"]);
        let all = list["workloads"].as_array_mut().expect("workloads");
        let at = all.iter().position(|one| one["identity"]["id"] == id)?;
        Some(all.swap_remove(at))
    }

    /// `plimsoll events --format json` with filters.
    pub(crate) fn events(&self, filters: &[&str]) -> Vec<Value> {
        let arguments: Vec<_> = filters.iter().flat_map(|f| ["--filter", f]).collect();
        let text = self.ask("events", &arguments);
        let lines = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("event"));
        lines.collect()
    }

    /// Polls for an event.
    pub(crate) fn event(&self, filters: &[&str], wanted: impl Fn(&Value) -> bool) -> Value {
        poll(&format!("event {filters:?}"), || {
            self.events(filters).into_iter().find(|event| wanted(event))
        })
    }

    fn ask(&self, verb: &str, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
            .args([verb, "--format", "json", "--socket"])
            .arg(self.socket())
            .args(arguments)
            .output()
            .expect("plimsoll");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "plimsoll {verb}: {complaint}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Status and body; `None` while nobody listens.
    fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.signal(Signal::SIGTERM);
            let deadline = Instant::now() + END;
            while matches!(self.child.try_wait(), Ok(None)) {
                if Instant::now() > deadline {
                    eprintln!("the agent did not end");
                    // It may end just now.
                    let _ = self.child.kill();
                    let _ = self.child.wait();
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        if std::thread::panicking() {
            eprintln!("the agent's log:\n{}", self.log());
        }
    }
}

fn run(directory: &Path, through: &[String]) -> Child {
    let log = File::options()
        .create(true)
        .append(true)
        .open(directory.join("log"));
    let binary = env!("CARGO_BIN_EXE_plimsoll");
    let mut command = match through {
        [] => Command::new(binary),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(binary);
            command
        }
    };
    command
        .args(["agent", "--config"])
        .arg(directory.join("config.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log.expect("log"));
    command.spawn().expect("plimsoll")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("a port").port()
}
