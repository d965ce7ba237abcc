//! The command line about a running container, beside docker's own.

use serde_json::Value;

use super::{agent_of, docker};
use crate::blocking_turn;
use crate::docker;
use crate::host::wait_until;

const BUSY: [&str; 3] = ["sh", "-c", "while :; do :; done"];
/// Ours is all that is charged; docker leaves inactive page cache out, of which there is next to none
/// here, and asks at another time.
const MEMORY_TOLERANCE: f64 = 1024.0 * 1024.0;
/// In percent of a core, of the 50 it may have: each measures a second, but not the same one, and others
/// want the CPU too.
const CPU_TOLERANCE: f64 = 30.0;

#[test]
fn ps_and_stats_agree_with_docker_stats() {
    let Some(docker) = docker("ps_and_stats_agree_with_docker_stats") else {
        return;
    };
    let _turn = blocking_turn();
    let agent = agent_of(&docker);
    let options = ["--name", "listed", "--cpus", "0.5", "-m", "64m"];
    let container = docker.container("none", &options, &BUSY);
    let listed = || {
        let list = agent.ask(&["workloads", "--filter", "name=listed"]);
        list["workloads"].as_array().unwrap().first().cloned()
    };
    let busy = |workload: Value| {
        workload["cpu_cores"]
            .as_f64()
            .is_some_and(|cores| cores > 0.0)
    };
    wait_until("it in the list", || listed().is_some_and(busy));
    let workload = listed().unwrap();
    let identity = &workload["identity"];
    assert_eq!(identity["container_id"], *container.id);
    assert_eq!(identity["image"], docker::IMAGE);
    assert_eq!(
        (&identity["runtime"], &identity["kind"]),
        (&"docker".into(), &"container".into())
    );
    assert_eq!(workload["life"]["state"], "alive");

    let frame = agent.ask(&["stats", "--no-stream", "listed"]);
    let of_docker = docker.cli(&["stats", "--no-stream", "--format", "{{json .}}", "listed"]);
    let of_docker: Value = serde_json::from_str(&of_docker).unwrap();
    println!("{frame}\n{of_docker}");
    let ours = &frame["workloads"][0];
    assert_eq!(ours["name"], "listed");
    let theirs = |field: &str| of_docker[field].as_str().unwrap().to_owned();
    let memory = bytes(theirs("MemUsage").split(" / ").next().unwrap());
    let told = ours["memory_usage_bytes"].as_f64().unwrap();
    assert!(
        (told - memory).abs() <= MEMORY_TOLERANCE,
        "{told}, docker has {memory}"
    );
    assert_eq!(ours["pids"].to_string(), theirs("PIDs"));
    let cpu: f64 = theirs("CPUPerc").trim_end_matches('%').parse().unwrap();
    let told = ours["cpu_percent"].as_f64().unwrap();
    assert!(
        (told - cpu).abs() <= CPU_TOLERANCE,
        "{told} %, docker has {cpu} %"
    );
}

/// `1.5MiB` in bytes.
fn bytes(text: &str) -> f64 {
    let unit = text.find(|c: char| c.is_ascii_alphabetic()).unwrap();
    let (number, unit) = text.split_at(unit);
    let factor = match unit {
        "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        other => panic!("unit {other}"),
    };
    number.parse::<f64>().unwrap() * factor
}
