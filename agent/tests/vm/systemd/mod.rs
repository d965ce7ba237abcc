//! A host as Debian makes it: systemd as init on pure cgroup v2, docker and podman of the
//! distribution, and the agent as the shipped unit runs it, confined.

mod container;
mod docker;
mod engine;
mod podman;
mod unit;

use std::fs;
use std::ops::Deref;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::api::Api;
use crate::guest::{outbox, skip};

/// Where the shipped unit expects it, and what it answers at by default.
const BINARY: &str = "/usr/local/bin/plimsoll";
const SOCKET: &str = "/run/plimsoll/plimsoll.sock";
const PORT: u16 = 9470;
const CONFIG: &str = "/etc/plimsoll/plimsoll.toml";
const SETTINGS: &str = "[containers]\nwhitelisted_container_labels = [\"tier\"]\n";
/// Docker and the agent start at once, on emulated CPUs.
const START: Duration = Duration::from_secs(60);

/// The unit's agent, ready, with [`SETTINGS`] that it took by a reload.
static UNIT: LazyLock<Api> = LazyLock::new(|| {
    let agent = ready();
    fs::create_dir_all(Path::new(CONFIG).parent().unwrap()).unwrap();
    fs::write(CONFIG, SETTINGS).unwrap();
    systemctl(&["reload", "plimsoll.service"]);
    agent
});

/// The unit's agent in one test, which shows the journal if it fails.
struct Unit(&'static Api);

/// `None`, and the test is skipped, where no systemd runs.
fn unit(test: &str) -> Option<Unit> {
    outbox(test)?;
    if !Path::new("/run/systemd/system").exists() {
        skip(test, "systemd is not this guest's init");
        return None;
    }
    Some(Unit(&UNIT))
}

impl Deref for Unit {
    type Target = Api;

    fn deref(&self) -> &Api {
        self.0
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", journal());
        }
    }
}

/// Waits for its first readings.
fn ready() -> Api {
    let agent = Api::new(BINARY, SOCKET.into(), PORT);
    let deadline = Instant::now() + START;
    while !agent.is_ready() {
        assert!(
            Instant::now() < deadline,
            "the agent is not ready:\n{}",
            journal()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    agent
}

fn journal() -> String {
    let mut journalctl = Command::new("journalctl");
    journalctl.args(["--no-pager", "--lines=60", "-u", "plimsoll", "-u", "docker"]);
    let output = journalctl.output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Standard output of a command that must succeed, without the last line's end.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim_end().to_owned()
}

fn systemctl(arguments: &[&str]) -> String {
    run("systemctl", arguments)
}
