//! Debian's Prometheus, with the configuration and rules of the repository.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::files::{RULES, read};
use crate::process::{Daemon, free_address};

const START: Duration = Duration::from_secs(30);

/// A running server that scrapes the agent and evaluates the rules every second.
pub(crate) struct Server {
    pub(crate) daemon: Daemon,
    address: SocketAddr,
    _dir: TempDir,
}

/// One element of an answer: seconds since the epoch, value.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) points: Vec<(f64, f64)>,
}

impl Server {
    /// `agent` is where the agent listens.
    pub(crate) fn start(agent: SocketAddr) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = configure(dir.path(), agent);
        let address = free_address();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn");
        let log = dir.path().join("prometheus.log");
        let mut daemon = Daemon::start("prometheus", &mut command, log);
        daemon.ready(START, || {
            let ready = ureq::get(format!("http://{address}/-/ready")).call();
            ready.map_err(|error| error.to_string())
        });
        Self {
            daemon,
            address,
            _dir: dir,
        }
    }

    /// Answer to an instant query, now. `Err`: the server's complaint.
    pub(crate) fn query(&self, expression: &str) -> Result<Vec<Series>, String> {
        self.ask("query", &[("query", expression)])
            .map(|data| series(&data))
    }

    /// Answer to an instant query at a time.
    pub(crate) fn query_at(&self, expression: &str, time: f64) -> Result<Vec<Series>, String> {
        let time = format!("{time:.3}");
        self.ask("query", &[("query", expression), ("time", &time)])
            .map(|data| series(&data))
    }

    /// Rules that did not evaluate well: name and complaint.
    pub(crate) fn sick_rules(&self) -> Vec<String> {
        let data = self.ask("rules", &[]).unwrap();
        let groups = data["groups"].as_array().unwrap();
        let rules = groups.iter().flat_map(|it| it["rules"].as_array().unwrap());
        rules
            .filter(|rule| rule["health"] != "ok")
            .map(|rule| format!("{}: {} {}", rule["name"], rule["health"], rule["lastError"]))
            .collect()
    }

    fn ask(&self, endpoint: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let url = format!("http://{}/api/v1/{endpoint}", self.address);
        let mut response = ureq::get(url)
            .config()
            .http_status_as_error(false)
            .build()
            .query_pairs(parameters.iter().copied())
            .call()
            .map_err(|error| error.to_string())?;
        let body = response
            .body_mut()
            .read_to_string()
            .map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
        if answer["status"] == "success" {
            Ok(answer["data"].clone())
        } else {
            Err(answer["error"].to_string())
        }
    }
}

/// The repository's own files, faster and aimed at the agent under test.
fn configure(dir: &Path, agent: SocketAddr) -> std::path::PathBuf {
    for rules in RULES {
        fs::write(dir.join(rules), read(&format!("prometheus/{rules}"))).unwrap();
    }
    let mut text = read("prometheus/prometheus.yml");
    let agent = agent.to_string();
    for (from, to) in [
        ("scrape_interval: 15s", "scrape_interval: 1s"),
        ("evaluation_interval: 15s", "evaluation_interval: 1s"),
        ("127.0.0.1:9470", &agent),
    ] {
        assert!(text.contains(from), "prometheus.yml has no {from}");
        text = text.replace(from, to);
    }
    let path = dir.join("prometheus.yml");
    fs::write(&path, text).unwrap();
    path
}

/// Vector, matrix or scalar alike.
fn series(data: &Value) -> Vec<Series> {
    let result = &data["result"];
    if data["resultType"] == "scalar" {
        return vec![Series {
            points: vec![point(result)],
        }];
    }
    let all = result.as_array().unwrap();
    all.iter()
        .map(|one| Series {
            points: match one["values"].as_array() {
                Some(values) => values.iter().map(point).collect(),
                None => vec![point(&one["value"])],
            },
        })
        .collect()
}

fn point(pair: &Value) -> (f64, f64) {
    let value = pair[1].as_str().unwrap().parse().unwrap();
    (pair[0].as_f64().unwrap(), value)
}
