//! The agent itself: the binary as users start it, with its own socket, port and configuration.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::host::{self, Daemon};
use crate::network::Network;
use crate::samples::Samples;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_plimsoll");
/// Longest silence of the agent within an answer.
const SILENCE: Duration = Duration::from_secs(10);

/// What differs from an agent that knows no engine and exports no label.
#[derive(Default)]
pub(crate) struct Config {
    pub(crate) docker_socket: PathBuf,
    pub(crate) containers_storage: PathBuf,
    pub(crate) labels: &'static [&'static str],
    pub(crate) all_labels: bool,
    /// It runs containers itself, in a network namespace of its own.
    pub(crate) engine: bool,
    /// It holds nothing to a limit.
    pub(crate) monitors: bool,
}

/// A running agent, stopped on drop. Its log is printed when the test fails.
pub(crate) struct Agent {
    /// Ends first: what it has mounted is in the directory, which goes last.
    daemon: Option<Daemon>,
    network: Option<Network>,
    address: SocketAddr,
    dir: TempDir,
}

impl Agent {
    /// Starts it and waits until it is ready.
    pub(crate) fn start(config: &Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Free again at once, and handed out to somebody else only after all others.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let path = dir.path().join("plimsoll.toml");
        fs::write(&path, text(config, dir.path(), address)).unwrap();
        let mut agent = Self {
            dir,
            address,
            network: config.engine.then(Network::new),
            daemon: None,
        };
        agent.start_daemon();
        agent
    }

    /// Ends it; containers that it runs go on. Starts it again.
    pub(crate) fn start_again(&mut self) {
        self.daemon = None;
        self.start_daemon();
    }

    /// Holds workloads by this policy file from now on.
    pub(crate) fn hold_by(&mut self, text: &str) {
        fs::write(policy(self.dir.path()), text).unwrap();
        self.start_again();
    }

    fn start_daemon(&mut self) {
        let mut command = match &self.network {
            Some(network) => network.command(PROGRAM),
            None => Command::new(PROGRAM),
        };
        let log = self.dir.path().join("log");
        command.arg("agent").arg("--config");
        command.arg(self.dir.path().join("plimsoll.toml"));
        let mut daemon = Daemon::start(&mut command, &log);
        host::wait_until("the agent", || {
            assert!(daemon.is_running(), "it ended: {}", host::tail(&log));
            self.get("/readyz").is_some_and(|(status, _)| status == 200)
        });
        self.daemon = Some(daemon);
    }

    fn get(&self, path: &str) -> Option<(u16, String)> {
        match &self.network {
            Some(network) => network.inside(|| get(self.address, path)),
            None => get(self.address, path),
        }
    }

    /// What Prometheus would get now.
    pub(crate) fn scrape(&self) -> Samples {
        let (status, body) = self.get("/metrics").expect("no answer to a scrape");
        assert_eq!(status, 200, "{body}");
        Samples::parse(&body)
    }

    /// Scrapes until there is an answer.
    pub(crate) fn wait<T>(&self, what: &str, mut answer: impl FnMut(&Samples) -> Option<T>) -> T {
        let mut found = None;
        host::wait_until(what, || {
            found = answer(&self.scrape());
            found.is_some()
        });
        found.unwrap()
    }

    /// Scrapes a reading that was begun after this call.
    pub(crate) fn fresh(&self) -> Samples {
        let ticks = |samples: &Samples| samples.one("plimsoll_ticks_total", &[]).unwrap().value;
        // The tick that is under way may have read already.
        let enough = ticks(&self.scrape()) + 2.0;
        self.wait("two ticks", |samples| {
            (ticks(samples) >= enough).then(|| samples.clone())
        })
    }

    /// JSON that a verb of the command line prints about this agent.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ask_text(arguments)).unwrap()
    }

    /// Events that are remembered and pass the filters (`KEY=VALUE`).
    pub(crate) fn events(&self, filters: &[&str]) -> Vec<Value> {
        let filters = filters.iter().flat_map(|filter| ["--filter", *filter]);
        let arguments: Vec<_> = ["events"].into_iter().chain(filters).collect();
        let text = self.ask_text(&arguments);
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        socket(self.dir.path())
    }

    fn ask_text(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).args(["--format", "json"]);
        host::stdout(command.arg("--socket").arg(socket(self.dir.path())))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.dir.path().join("log");
            println!("the agent's log ends so:\n{}", host::tail(&log));
        }
    }
}

fn socket(dir: &Path) -> PathBuf {
    dir.join("plimsoll.sock")
}

fn policy(dir: &Path) -> PathBuf {
    dir.join("policy.toml")
}

/// Ticks come fast, so that tests need not wait.
fn text(config: &Config, dir: &Path, address: SocketAddr) -> String {
    format!(
        "[agent]\nsocket = {:?}\ntick = \"200ms\"\n\
         [attribution]\ndocker_socket = {:?}\npodman_socket = \"\"\ncontainers_storage = {:?}\n\
         containerd_state = \"/nonexistent\"\n\
         [containers]\nstore_container_labels = {}\nwhitelisted_container_labels = {:?}\n\
         [metrics]\nlisten = \"{address}\"\n\
         [policy]\nfile = {:?}\n[audit]\npath = {:?}\n\
         [engine]\nenable = {}\ndata_dir = {:?}\nrun_dir = {:?}\n\
         [enforce]\nstate_dir = {:?}\nmode = {:?}\n",
        socket(dir),
        config.docker_socket,
        Some(&config.containers_storage)
            .filter(|storage| storage.is_absolute())
            .map_or(Path::new("/nonexistent"), PathBuf::as_path),
        config.all_labels,
        config.labels,
        policy(dir),
        dir.join("audit"),
        config.engine,
        dir.join("data"),
        dir.join("run"),
        dir.join("enforce"),
        if config.monitors {
            "monitor"
        } else {
            "enforce"
        },
    )
}

/// Status and body. HTTP/1.0, so that the body comes in one piece and ends with the connection.
fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
