//! What a running agent answers: on its socket by the command line, and on its port.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};

use serde_json::Value;

/// Where an agent listens, and the binary that asks it.
pub(crate) struct Api {
    binary: &'static str,
    socket: PathBuf,
    port: u16,
}

impl Api {
    pub(crate) fn new(binary: &'static str, socket: PathBuf, port: u16) -> Self {
        Self {
            binary,
            socket,
            port,
        }
    }

    /// Whether it has taken its first readings.
    pub(crate) fn is_ready(&self) -> bool {
        let answer = self.command(&["workloads"]).output().unwrap();
        let list = serde_json::from_slice::<Value>(&answer.stdout).unwrap_or_default();
        list["tick"].as_u64() > Some(0)
    }

    /// What a verb answers, as JSON.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Value {
        serde_json::from_slice(&self.answer(arguments).stdout).unwrap()
    }

    /// Events of these filters, oldest first.
    pub(crate) fn events(&self, filters: &[&str]) -> Vec<Value> {
        let mut arguments = vec!["events"];
        for filter in filters {
            arguments.extend(["--filter", filter]);
        }
        let output = self.answer(&arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Events from now on, as they come.
    pub(crate) fn follow(&self) -> Stream {
        let mut command = self.command(&["events", "--follow"]);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, events) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        Stream { process, events }
    }

    /// One workload, dead or alive, by cgroup path.
    pub(crate) fn workload(&self, path: &str) -> Option<Value> {
        let list = self.ask(&["workloads", "--all"]);
        let workloads = list["workloads"].as_array()?;
        workloads
            .iter()
            .find(|workload| workload["identity"]["id"] == path)
            .cloned()
    }

    /// The value of the one series that begins so and has all of the labels.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let line = self.series(name, labels)?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// The line of that series.
    pub(crate) fn series(&self, name: &str, labels: &[&str]) -> Option<String> {
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
        Some(line.to_owned())
    }

    fn answer(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        output
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.binary);
        command
            .args(arguments)
            .args(["--format", "json", "--socket"])
            .arg(&self.socket);
        command
    }
}

/// `plimsoll events --follow`, ended on drop.
pub(crate) struct Stream {
    process: Child,
    events: Receiver<Value>,
}

impl Stream {
    /// What has come since it was last asked.
    pub(crate) fn take(&self) -> Vec<Value> {
        self.events.try_iter().collect()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Both fail for one that has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
