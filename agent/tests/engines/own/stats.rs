//! `docker stats`, of our containers as of docker's.

use serde_json::Value;

use super::side::{self, Side};
use crate::docker::IMAGE;
use crate::{blocking_turn, host, skip};

/// Writes, sends something, and keeps one CPU busy from then on, with two processes.
const BUSY: &str = "dd if=/dev/zero of=/file bs=1M count=4 conv=fsync 2>/dev/null; \
                    ping -c 3 -i 0.2 $(ip route | awk '/default/ {print $3}') >/dev/null; \
                    sleep 1000 & touch /ready; while :; do :; done";

/// One line of `docker stats --no-stream`.
fn row(side: &Side, name: &str) -> Value {
    let line = side.cli(&["stats", "--no-stream", "--format", "{{json .}}", name]);
    serde_json::from_str(&line).unwrap()
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap()
}

fn percent(row: &Value, field: &str) -> f64 {
    text(row, field).trim_end_matches('%').parse().unwrap()
}

/// `12.6MB` in bytes.
fn bytes(text: &str) -> f64 {
    let end = text.find(char::is_alphabetic).unwrap();
    let (number, unit) = text.split_at(end);
    let scale = match unit {
        "B" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => f64::from(1 << 20),
        "GiB" => f64::from(1 << 30),
        other => panic!("{other}"),
    };
    number.parse::<f64>().unwrap() * scale
}

fn pair(row: &Value, field: &str) -> (f64, f64) {
    let (first, second) = text(row, field).split_once(" / ").unwrap();
    (bytes(first), bytes(second))
}

#[test]
fn stats_are_told_as_docker_tells_them() {
    let test = "stats_are_told_as_docker_tells_them";
    let _turn = blocking_turn();
    let sides = match side::both() {
        Ok(sides) => sides,
        Err(reason) => return skip(test, &reason),
    };
    for side in &sides {
        let limits = ["--memory", "64m", "--pids-limit", "50", "--cpus", "0.5"];
        let run = [&["run", "-d", "--name", "busy"] as &[&str], &limits];
        side.cli(&[&run.concat() as &[&str], &[IMAGE, "sh", "-c", BUSY]].concat());
        host::wait_until("it to be busy", || {
            side.see(&["exec", "busy", "ls", "/ready"]).status == Some(0)
        });
    }
    // What it did and its limits are in the readings from the next tick on; and a busy host may give it less for a while.
    let rows = sides.each_ref().map(|side| {
        let mut last = Value::Null;
        host::wait_until("readings", || {
            last = row(side, "busy");
            let is_limited = pair(&last, "MemUsage").1 < 100e6;
            is_limited && percent(&last, "CPUPerc") > 20.0 && pair(&last, "NetIO").1 > 250.0
        });
        last
    });
    let [ours, oracle] = &rows;
    // Docker's are all 0 where the block controller is v1's and its data are on another file system.
    assert!((4e6..6e6).contains(&pair(ours, "BlockIO").1), "{ours}");
    for field in ["Name", "PIDs"] {
        assert_eq!(ours[field], oracle[field], "{ours} {oracle}");
    }
    assert_eq!(text(ours, "PIDs"), "2");
    assert_eq!(pair(ours, "MemUsage").1, pair(oracle, "MemUsage").1);
    for row in &rows {
        // Held to half a CPU: a little more or less in one second.
        assert!((20.0..90.0).contains(&percent(row, "CPUPerc")), "{row}");
        let (used, limit) = pair(row, "MemUsage");
        assert!(used > 0.0 && used < limit, "{row}");
        let share = used / limit * 100.0;
        assert!((percent(row, "MemPerc") - share).abs() < 0.5, "{row}");
        assert!(pair(row, "NetIO").1 < 100e3, "{row}");
    }

    // A stream: each reading has the one before it in it.
    let Side::Ours { agent, .. } = &sides[0] else {
        unreachable!("the first is ours")
    };
    let lines = host::stdout(std::process::Command::new("sh").arg("-c").arg(format!(
        "curl -sN --unix-socket {} 'http://localhost/v1.41/containers/busy/stats' | head -n 3",
        agent.socket().display()
    )));
    let samples: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(samples.len(), 3, "{lines}");
    for pair in samples.windows(2) {
        assert_eq!(pair[0]["cpu_stats"], pair[1]["precpu_stats"]);
        assert_eq!(pair[0]["read"], pair[1]["preread"]);
        let usage = |sample: &Value| sample["cpu_stats"]["cpu_usage"]["total_usage"].as_u64();
        assert!(usage(&pair[0]) < usage(&pair[1]), "{lines}");
    }

    // One that does not run has nothing to tell.
    for side in &sides {
        side.cli(&["kill", "busy"]);
        side.cli(&["wait", "busy"]);
    }
    let [ours, oracle] = sides.each_ref().map(|side| row(side, "busy"));
    for field in ["CPUPerc", "MemUsage", "NetIO", "BlockIO", "PIDs"] {
        assert_eq!(ours[field], oracle[field], "{field}");
    }
    for side in &sides {
        side.cli(&["rm", "busy"]);
        assert_eq!(
            side.see(&["stats", "--no-stream", "nonesuch"]).status,
            Some(1)
        );
    }
}
