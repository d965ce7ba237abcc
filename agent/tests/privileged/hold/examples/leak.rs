//! Memory leak: freeze and tell.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read, Write};
use std::net::TcpListener;

use super::{Engine, example};
use crate::support::{installed, poll};

pub(super) const FILE: &str = "memory-leak-freeze-and-tell.toml";
const LIMIT: u64 = 256 << 20;

#[test]
fn a_leak_is_stopped_before_the_oom_killer_comes() {
    let test = "a_leak_is_stopped_before_the_oom_killer_comes";
    if !installed(test, "perl") {
        return;
    }
    let engine = Engine::new();
    let Some(mut cell) = engine.container(test, ("leak.watch", "true")) else {
        return;
    };
    cell.set_memory_max(LIMIT);
    let receiver = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = receiver.local_addr().unwrap().to_string();
    let policy = example(FILE, &[("127.0.0.1:9093", &address)]);
    let Some(agent) = engine.agent(test, &policy) else {
        return;
    };
    let leak =
        "my @held; while (1) { push @held, 'x' x (1 << 20); select undef, undef, undef, 0.02 }";
    let leaking = cell.spawn("perl", &["-e", leak]).id();
    let request = notified(&receiver);
    assert!(request.contains(&cell.path()), "{request}");
    poll("freeze", || cell.is_frozen().then_some(()));
    let usage = cell.memory_usage();
    assert!(usage > LIMIT * 8 / 10 && usage < LIMIT, "{usage}");
    assert_eq!(cell.oom_kills(), 0);
    // Somebody may look at it now, and let it go on.
    assert_eq!(cell.processes(), [leaking]);
    agent.say(&["thaw", &cell.path()]);
    poll("thaw", || (!cell.is_frozen()).then_some(()));
}

/// The body of the webhook's request.
fn notified(receiver: &TcpListener) -> String {
    receiver.set_nonblocking(true).unwrap();
    let (mut stream, _) = poll("webhook", || receiver.accept().ok());
    stream.set_nonblocking(false).unwrap();
    let mut request = Vec::new();
    let body = loop {
        let mut part = [0; 4_096];
        let read = stream.read(&mut part).unwrap();
        request.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((_, body)) = text.split_once("\r\n\r\n")
            && (read == 0 || serde_json::from_str::<serde_json::Value>(body).is_ok())
        {
            break body.to_owned();
        }
        assert!(read > 0, "{text}");
    };
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .unwrap();
    body
}
