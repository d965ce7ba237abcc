//! `plimsoll stats`

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::snapshot::{WEB, snapshot};
use crate::world::World;

/// Lets the made-up time run while `during` does.
fn ticking<T>(world: &World, during: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for tick in 4.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                world.snapshots.send_replace(Arc::new(snapshot(tick)));
                thread::sleep(Duration::from_millis(20));
            }
        });
        let result = during();
        done.store(true, Ordering::Relaxed);
        result
    })
}

const ONCE: [&str; 4] = ["stats", "--no-stream", "--interval", "300ms"];

const AT_140: &str = "\
NAME                                  CPU %  MEM USAGE / LIMIT   MEM %  NET I/O         BLOCK I/O       PIDS  THROTTLED  PRESSURE C/M/I
debian                              150.00%  512MiB / 16GiB      3.12%  --              --                --         --  --
web                                  50.00%  243MiB / 256MiB    94.92%  1.21GB / 340MB  8.19MB / 4.1kB     9     30.00%  12.3/0.0/1.5
";

#[test]
fn rates_come_from_two_readings() {
    let world = World::new();
    let table = ticking(&world, || world.shown(140, &ONCE));
    let lines: Vec<&str> = table.lines().take(3).map(str::trim_end).collect();
    let expected: Vec<&str> = AT_140.lines().collect();
    let squeeze = |lines: &[&str]| {
        let words = lines
            .iter()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        words.collect::<Vec<String>>()
    };
    assert_eq!(squeeze(&lines), squeeze(&expected));
    assert!(
        table.lines().all(|line| line.chars().count() <= 140),
        "{table}"
    );
}

#[test]
fn eighty_columns_keep_what_docker_users_look_for() {
    let world = World::new();
    let table = ticking(&world, || world.shown(80, &ONCE));
    let titles = table.lines().next().unwrap().split("  ").map(str::trim);
    let titles: Vec<&str> = titles.filter(|title| !title.is_empty()).collect();
    let expected = ["NAME", "CPU %", "MEM USAGE / LIMIT", "NET I/O", "BLOCK I/O"];
    assert_eq!(titles, expected);
    assert!(
        table.lines().all(|line| line.chars().count() <= 80),
        "{table}"
    );
}

#[test]
fn names_ids_and_paths_choose_and_each_is_shown_once() {
    let world = World::new();
    let path = format!("/docker/{WEB}");
    for name in ["web", WEB, &WEB[..6], &path] {
        let frame = world.json(&[&ONCE[..], &[name, "web"]].concat());
        let lines = frame["workloads"].as_array().unwrap();
        assert_eq!(lines.len(), 1, "{name}");
        assert_eq!(lines[0]["id"], path);
        assert_eq!(lines[0]["memory_limit_bytes"], 256 << 20);
    }
    let frame = world.json(&[&ONCE[..], &["nginx"]].concat());
    assert_eq!(frame["workloads"][0]["name"], "nginx.service");
}

#[test]
fn a_stream_prints_frame_after_frame() {
    let world = World::new();
    let mut command = world.command(&["stats", "web", "--interval", "300ms", "--format", "json"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let frames: Vec<serde_json::Value> = ticking(&world, || {
        lines
            .take(3)
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    // The first has no rate of ours yet and shows the agent's.
    let cpu = |frame: &serde_json::Value| frame["workloads"][0]["cpu_percent"].as_f64();
    assert_eq!(
        frames.iter().map(cpu).collect::<Vec<_>>(),
        [Some(42.5), Some(50.0), Some(50.0)]
    );
    let throttled = |frame: &serde_json::Value| frame["workloads"][0]["throttled_percent"].clone();
    assert_eq!(throttled(&frames[0]), serde_json::Value::Null);
    assert_eq!(throttled(&frames[2]), 30.0);
    assert!(frames[1]["taken"].as_str() < frames[2]["taken"].as_str());
}

#[test]
fn a_workload_that_goes_leaves_the_frame() {
    let world = World::new();
    let mut command = world.command(&[
        "stats",
        "web",
        "nginx",
        "--interval",
        "300ms",
        "--format=json",
    ]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next =
        || -> serde_json::Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["workloads"].as_array().unwrap().len(), 2);
    let mut without = snapshot(4);
    without
        .workloads
        .retain(|w| w.identity.name.as_deref() != Some("web"));
    world.snapshots.send_replace(Arc::new(without));
    let frame = next();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(frame["workloads"].as_array().unwrap().len(), 1);
    assert_eq!(frame["workloads"][0]["name"], "nginx.service");
}
