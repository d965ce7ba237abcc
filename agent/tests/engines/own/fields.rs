//! What clients index: the same keys as docker's answers have, set or not.

use std::process::Command;

use serde_json::Value;

use super::alike::sides;
use super::side::Side;
use crate::docker::IMAGE;
use crate::{blocking_turn, host};

/// Keys that are names, not the API's; and what was gone by 1.43.
const NOT_OURS: [&str; 7] = [
    "/networks/net/Containers/",
    "/Options/com.docker.network.",
    "/info/Runtimes/",
    "/info/RegistryConfig/IndexConfigs/",
    "/info/KernelMemory",
    "/containers/box/json/HostConfig/KernelMemory",
    "GraphDriver/Data/",
];

fn get(side: &Side, path: &str) -> Value {
    let socket = match side {
        Side::Ours { agent, .. } => agent.socket().to_owned(),
        Side::Oracle(docker) => docker.socket(),
    };
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail", "--unix-socket"])
        .arg(socket);
    let text = host::stdout(curl.arg(format!("http://docker/v1.41{path}")));
    serde_json::from_str(&text).unwrap()
}

/// Keys that one has and the other does not; of lists, the first.
fn missing(path: &str, wanted: &Value, found: &Value) -> Vec<String> {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            let keys = wanted.iter().flat_map(|(key, wanted)| {
                let path = format!("{path}/{key}");
                match found.get(key) {
                    Some(found) => missing(&path, wanted, found),
                    None => vec![path],
                }
            });
            keys.collect()
        }
        (Value::Array(wanted), Value::Array(found)) => match (wanted.first(), found.first()) {
            (Some(wanted), Some(found)) => missing(&format!("{path}/0"), wanted, found),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

#[test]
fn answers_have_the_keys_that_dockers_have() {
    let test = "answers_have_the_keys_that_dockers_have";
    let _turn = blocking_turn();
    let Some(sides) = sides(test) else { return };
    if let Err(reason) = host::programs(["curl"]) {
        return crate::skip(test, &reason);
    }
    for side in &sides {
        side.cli(&["network", "create", "--subnet", "10.136.0.0/24", "net"]);
        side.cli(&["volume", "create", "vol"]);
        let run = ["run", "-d", "--name", "box", "--network", "net"];
        let rest = ["-v", "vol:/vol", IMAGE, "sleep", "1000"];
        side.cli(&[&run as &[&str], &rest].concat());
    }
    let mut lacking = Vec::new();
    for path in [
        "/containers/json",
        "/containers/box/json",
        "/networks",
        "/networks/net",
        "/networks/bridge",
        "/volumes",
        "/volumes/vol",
        "/images/json",
        &format!("/images/{IMAGE}/json"),
        "/info",
    ] {
        let [ours, oracle] = sides.each_ref().map(|side| get(side, path));
        lacking.extend(missing(path, &oracle, &ours));
    }
    lacking.retain(|path| !NOT_OURS.iter().any(|other| path.contains(other)));
    for side in &sides {
        side.cli(&["rm", "--force", "box"]);
        side.cli(&["volume", "rm", "vol"]);
        side.cli(&["network", "rm", "net"]);
    }
    assert!(lacking.is_empty(), "{lacking:#?}");
}

#[test]
fn info_tells_of_the_host_as_docker_does() {
    let _turn = blocking_turn();
    let Some(sides) = sides("info_tells_of_the_host_as_docker_does") else {
        return;
    };
    let format = "{{.MemTotal}} {{.NCPU}} {{.OSType}} {{.Architecture}} {{.KernelVersion}} \
                  {{.OperatingSystem}} {{.CgroupVersion}} {{.CgroupDriver}} {{.MemoryLimit}} {{.SwapLimit}} \
                  {{.PidsLimit}} {{.CPUSet}} {{.CPUShares}} {{.CPUCfsQuota}} {{.OomKillDisable}} {{.Name}} \
                  {{.Swarm.LocalNodeState}} {{.LoggingDriver}}";
    let line = ["info", "--format", format];
    let [ours, oracle] = sides.each_ref().map(|side| side.see(&line));
    assert_eq!(ours, oracle);
    let [ours, _] = &sides;
    let shown = ours.see(&["info"]);
    assert_eq!(shown.status, Some(0), "{shown:?}");
    for zero in ["0B", "CPUs: 0", "ERROR"] {
        assert!(!shown.output.contains(zero), "{}", shown.output);
    }
    assert!(!shown.errors.contains("ERROR"), "{}", shown.errors);
}
