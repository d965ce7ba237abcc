//! The API itself, through the client and by hand.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use plimsoll::api::{Client, ClientError, EventQuery, WorkloadQuery};
use plimsoll::ledger::EventKind;

use crate::snapshot::at;
use crate::world::World;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future)
}

/// Status line and body.
fn raw(world: &World, method: &str, path: &str) -> (String, String) {
    let mut stream = UnixStream::connect(&world.socket).unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[test]
fn workloads_survive_the_way() {
    let world = World::new();
    let query = WorkloadQuery {
        all: true,
        ..WorkloadQuery::default()
    };
    let list = block_on(Client::new(&world.socket).workloads(&query)).unwrap();
    let sent = world.snapshots.borrow().clone();
    assert_eq!(list.tick, sent.tick);
    assert_eq!(list.taken, sent.taken);
    assert_eq!(
        format!("{:?}", list.workloads),
        format!("{:?}", sent.workloads)
    );
    assert_eq!(format!("{:?}", list.host), format!("{:?}", sent.host));
}

#[test]
fn one_workload_by_name_by_path_or_not_at_all() {
    let world = World::new();
    let client = Client::new(&world.socket);
    let web = block_on(client.workload("web")).unwrap();
    let same = block_on(client.workload(&web.workload.identity.id)).unwrap();
    assert_eq!(same.workload.identity, web.workload.identity);
    let error = block_on(client.workload("no/such thing?")).unwrap_err();
    let ClientError::Refused { status, message } = error else {
        panic!("{error}");
    };
    assert_eq!(status, 404);
    assert!(
        message.starts_with("no workload is named `no/such thing?`"),
        "{message}"
    );
}

#[test]
fn probes_and_version() {
    let world = World::new();
    let client = Client::new(&world.socket);
    let probes = block_on(client.probes()).unwrap();
    assert_eq!(probes.probes, world.snapshots.borrow().agent.probes);
    let version = block_on(client.version()).unwrap();
    assert_eq!(version.version, env!("CARGO_PKG_VERSION"));
    assert_eq!(version.pid, std::process::id());
    assert_eq!(version.started, Some(at(0)));
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(version.kernel, kernel.trim());
}

#[test]
fn refusals_are_json_with_a_status() {
    let world = World::new();
    for (method, path, status, error) in [
        (
            "GET",
            "/v2/workloads",
            "404 Not Found",
            "no such path: /v2/workloads",
        ),
        (
            "POST",
            "/v1/version",
            "405 Method Not Allowed",
            "this path does not answer this method",
        ),
        (
            "GET",
            "/v1/workloads/nope",
            "404 Not Found",
            "no workload is named `nope`",
        ),
        (
            "GET",
            "/v1/workloads?al=1",
            "400 Bad Request",
            "unknown parameter `al`",
        ),
        (
            "GET",
            "/v1/events?filter=class%3Dx",
            "400 Bad Request",
            "filter: `x` is none of",
        ),
        ("GET", "/v1/workloads/%FF", "400 Bad Request", "Invalid URL"),
    ] {
        let (head, body) = raw(&world, method, path);
        assert_eq!(head, format!("HTTP/1.1 {status}"), "{path}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let told = body["error"].as_str().unwrap();
        assert!(told.starts_with(error), "{path}: {told}");
    }
}

#[test]
fn a_follower_that_does_not_read_is_told_what_it_lost() {
    let world = World::new();
    block_on(async {
        let query = EventQuery {
            follow: true,
            ..EventQuery::default()
        };
        let mut events = Client::new(&world.socket).events(&query).await.unwrap();
        let pushed = 50_000;
        for _ in 0..pushed {
            let kind = EventKind::Exec {
                tgid: 1,
                comm: "true".into(),
            };
            world.events.push(at(1), None, None, kind);
        }
        let (mut last, mut lost) = (0, 0);
        while last < pushed {
            let event = events.next().await.unwrap().unwrap();
            match event.kind {
                EventKind::Lost { count, .. } => {
                    lost += count;
                    assert_eq!(event.sequence, last + count);
                }
                _ => assert_eq!(event.sequence, last + 1),
            }
            last = event.sequence;
        }
        assert!(lost > 0);
    });
}

#[test]
fn shutdown_waits_for_nobody() {
    let world = World::new();
    // One that follows, one that asked for much and does not read, one that never asks.
    for _ in 0..50_000 {
        let comm = "x".repeat(15);
        world
            .events
            .push(at(1), None, None, EventKind::Exec { tgid: 1, comm });
    }
    let ask = |path: &str| {
        let mut stream = UnixStream::connect(&world.socket).unwrap();
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
            .unwrap();
        stream
    };
    let _stuck = ask("/v1/events");
    let _silent = UnixStream::connect(&world.socket).unwrap();
    let mut follower = ask("/v1/events?follow=true");
    follower.read_exact(&mut [0; 16]).unwrap();
    let start = Instant::now();
    world.stop();
    follower
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    follower.read_to_end(&mut Vec::new()).unwrap();
    while !world.served.is_finished() {
        assert!(start.elapsed() < Duration::from_secs(1), "still serving");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(UnixStream::connect(&world.socket).is_err());
}
