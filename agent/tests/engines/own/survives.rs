//! What the agent sees of its own containers, and that they outlive it, and who asked for them.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use super::side::Side;
use crate::docker::IMAGE;
use crate::{blocking_turn, host, skip};

#[test]
fn its_containers_are_told_by_name_and_outlive_it() {
    let test = "its_containers_are_told_by_name_and_outlive_it";
    let _turn = blocking_turn();
    let mut side = match Side::ours() {
        Ok(side) => side,
        Err(reason) => return skip(test, &reason),
    };
    let script = "trap 'exit 9' TERM; i=0; while :; do echo $i; i=$((i+1)); sleep 0.1; done";
    let options = [
        "run",
        "-d",
        "--name",
        "own",
        "--label",
        "tier=front",
        "-m",
        "32m",
    ];
    side.cli(&[&options as &[&str], &[IMAGE, "sh", "-c", script]].concat());
    let agent = side.agent();
    let image = agent.wait("its name", |samples| {
        let labels = [("name", "own")];
        let sample = samples.one("container_spec_memory_limit_bytes", &labels)?;
        // It may have been read before it was set.
        (sample.value == f64::from(32 << 20)).then_some(())?;
        Some(sample.labels.get("image").cloned())
    });
    assert_eq!(image.as_deref(), Some(IMAGE));
    let own = agent.ask(&["workloads", "--filter", "runtime=plimsoll"]);
    assert_eq!(
        own["workloads"][0]["identity"]["labels"]["tier"], "front",
        "{own}"
    );

    let why = agent.ask(&["why", "own"]);
    let besides = why["besides"].as_array().unwrap();
    let limit = serde_json::json!("memory.max 33554432");
    assert!(besides.contains(&limit), "{why}");
    assert_eq!(why["made_by"], "plimsoll run", "{why}");

    let pid = side.cli(&["inspect", "--format", "{{.State.Pid}}", "own"]);
    let before = side.cli(&["logs", "own"]).lines().count();
    side.agent_mut().start_again();
    assert_eq!(
        side.cli(&["inspect", "--format", "{{.State.Pid}}", "own"]),
        pid
    );
    host::wait_until("more output", || {
        side.cli(&["logs", "own"]).lines().count() > before + 3
    });
    side.cli(&["stop", "own"]);
    assert_eq!(side.cli(&["wait", "own"]), "9");
    side.cli(&["rm", "own"]);
}

#[test]
fn a_start_is_carried_through_although_its_client_goes() {
    let test = "a_start_is_carried_through_although_its_client_goes";
    let _turn = blocking_turn();
    let side = match Side::ours() {
        Ok(side) => side,
        Err(reason) => return skip(test, &reason),
    };
    let program = ["sh", "-c", "sleep 1; exit 7"];
    side.cli(&[&["create", "--name", "left", IMAGE] as &[&str], &program].concat());
    let mut client = UnixStream::connect(side.agent().socket()).unwrap();
    let request = "POST /containers/left/start HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    client.write_all(request.as_bytes()).unwrap();
    drop(client);
    let state = |field: &str| {
        let format = format!("{{{{.State.{field}}}}}");
        side.cli(&["inspect", "--format", &format, "left"])
    };
    host::wait_until("its end", || state("Status") == "exited");
    assert_eq!(state("ExitCode"), "7");
    side.cli(&["rm", "left"]);
}

#[test]
fn what_is_sent_for_a_container_that_is_not_there_is_refused() {
    let test = "what_is_sent_for_a_container_that_is_not_there_is_refused";
    let _turn = blocking_turn();
    let side = match Side::ours() {
        Ok(side) => side,
        Err(reason) => return skip(test, &reason),
    };
    let mut client = UnixStream::connect(side.agent().socket()).unwrap();
    let head = "PUT /containers/nope/archive?path=/ HTTP/1.1\r\nHost: x\r\n";
    let request = format!("{head}Content-Length: 5\r\nConnection: close\r\n\r\nwords");
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert!(answer.contains("No such container: nope"), "{answer}");
}

/// As clients do that read the answer's head by themselves, and take the connection then.
#[test]
fn an_execs_output_comes_after_the_head_of_the_answer() {
    let test = "an_execs_output_comes_after_the_head_of_the_answer";
    let _turn = blocking_turn();
    let side = match Side::ours() {
        Ok(side) => side,
        Err(reason) => return skip(test, &reason),
    };
    side.cli(&["run", "-d", "--name", "joined", IMAGE, "sleep", "1000"]);
    let post = |path: &str, headers: &str, body: &str| {
        let mut client = UnixStream::connect(side.agent().socket()).unwrap();
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             {headers}Content-Length: {length}\r\n\r\n{body}"
        );
        client.write_all(request.as_bytes()).unwrap();
        client
    };
    let said = |client: &mut UnixStream| {
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer
    };
    let exec = r#"{"AttachStdout": true, "Tty": true, "Cmd": ["echo", "out"]}"#;
    for round in 0..20 {
        let mut client = post(
            "/v1.41/containers/joined/exec",
            "Connection: close\r\n",
            exec,
        );
        let created = said(&mut client);
        let id = created.split(r#"{"Id":""#).nth(1).expect(&created);
        let id = &id[..64];
        let upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n";
        let start = format!("/v1.41/exec/{id}/start");
        let mut client = post(&start, upgrade, r#"{"Tty": true}"#);
        let mut head = [0; 4096];
        let length = client.read(&mut head).unwrap();
        let head = String::from_utf8_lossy(&head[..length]);
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        assert!(head.ends_with("\r\n\r\n"), "{round}: {head}");
        assert_eq!(said(&mut client), "out\r\n");
    }
    let mut client = post("/v1.41/commit", "Connection: close\r\n", "");
    let answer = said(&mut client);
    assert!(
        answer.contains(r#""message":"no such path: /commit""#),
        "{answer}"
    );
}
