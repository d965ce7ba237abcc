//! What goes in and out of a workload through its shim.

use std::fs;
use std::io::{ErrorKind, Write};
use std::sync::mpsc::channel;
use std::time::Duration;

use plimsoll::launch::shim::{Hello, Kind, Line, LogFile, Patience, Stdio};
use plimsoll::launch::{Exit, Phase};
use serde_json::Value;

use super::bundle::Dock;
use super::cgroups::kill;
use crate::support::poll;

/// 3,000,000 bytes in lines of a hundred.
const MUCH: &str = "yes $(head -c 99 /dev/zero | tr '\\0' x) | head -c 3000000";

fn pipes(dock: &Dock, input: bool) -> Stdio {
    Stdio::Pipes {
        input,
        log: Some(LogFile {
            path: dock.file("log"),
            max_bytes: 100_000,
            max_files: 2,
            buffer_bytes: 1 << 20,
            patience: Patience::Briefly,
        }),
    }
}

/// Text by stream, as the log has it.
fn logged(dock: &Dock, stream: &str) -> String {
    // Between two names while it is rotated. What one stream said last may be in the older one.
    let files = ["log.1", "log"].map(|name| fs::read_to_string(dock.file(name)));
    let text: String = files.into_iter().flatten().collect();
    // The last line may be on its way.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let entries = whole
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_stream = entries.filter(|entry| entry["stream"] == stream);
    of_stream
        .map(|entry| entry["log"].as_str().unwrap().to_owned())
        .collect()
}

fn everything() -> Hello {
    Hello {
        output: true,
        input: true,
        wait_for_me: true,
        logs: false,
    }
}

/// Output, errors, and the exit.
fn read_all(line: &mut Line) -> (Vec<u8>, Vec<u8>, Exit) {
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    loop {
        let frame = line.receive().unwrap().expect("the exit comes first");
        match frame.kind {
            Kind::Output => output.extend(frame.payload),
            Kind::Error => errors.extend(frame.payload),
            Kind::Exit => {
                return (
                    output,
                    errors,
                    serde_json::from_slice(&frame.payload).unwrap(),
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn output_and_errors_are_apart_and_complete() {
    let Some(dock) = Dock::new("output_and_errors_are_apart_and_complete") else {
        return;
    };
    let line = "i=0; while [ $i -lt 1000 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done; \
                printf last; exit 3";
    let mut held = dock.create("a", line, pipes(&dock, false), |_| {}).unwrap();
    let mut client = Line::open(&dock.state("a"), &everything()).unwrap();
    assert_eq!(client.welcome.phase, Phase::Created);
    assert_eq!(client.welcome.process, held.made.process);
    held.start().unwrap();
    let (output, errors, exit) = read_all(&mut client);
    assert_eq!(exit.code, 3);
    let lines = |word: &str| {
        (0..1000)
            .map(|n| format!("{word} {n}\n"))
            .collect::<String>()
    };
    let expected = lines("out") + "last";
    assert!(output == expected.as_bytes(), "{} bytes", output.len());
    assert!(errors == lines("err").as_bytes(), "{} bytes", errors.len());
    assert_eq!(held.wait().unwrap(), exit);
    held.reap().unwrap();
    // Rotated on the way; the last are there.
    for (stream, said) in [("stdout", expected), ("stderr", lines("err"))] {
        let logged = logged(&dock, stream);
        assert!(!logged.is_empty() && said.ends_with(&logged), "{stream}");
    }
}

#[test]
fn input_is_passed_on_and_ends() {
    let Some(dock) = Dock::new("input_is_passed_on_and_ends") else {
        return;
    };
    let mut held = dock.run("a", "wc -c", pipes(&dock, true));
    let mut client = Line::open(&dock.state("a"), &everything()).unwrap();
    // More than a pipe and the shim's own buffer hold.
    let text = vec![b'x'; 300_000];
    client.send(Kind::Input, &text).unwrap();
    client.send(Kind::Input, &[]).unwrap();
    let (output, _, exit) = read_all(&mut client);
    assert_eq!((output, exit.code), (b"300000\n".to_vec(), 0));
    held.wait().unwrap();
    held.reap().unwrap();
}

#[test]
fn a_process_that_reads_no_input_keeps_nobody_out() {
    let Some(dock) = Dock::new("a_process_that_reads_no_input_keeps_nobody_out") else {
        return;
    };
    let mut held = dock.run("a", "sleep 1000", pipes(&dock, true));
    let (mut giver, _) = Line::open(&dock.state("a"), &everything())
        .unwrap()
        .into_stream();
    giver.set_nonblocking(true).unwrap();
    let mut text = Vec::new();
    Kind::Input.encode(&[b'x'; 1_000_000], &mut text);
    // Until nobody takes any more for a while.
    let mut full = 0;
    while full < 100 {
        match giver.write(&text) {
            Ok(length) => drop(text.drain(..length)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                full += 1;
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => panic!("{error}"),
        }
    }
    Line::open(&dock.state("a"), &everything()).unwrap();
    Line::open(&dock.state("a"), &Hello::default()).unwrap();
    kill(held.made.process.pid);
    held.wait().unwrap();
    held.reap().unwrap();
}

#[test]
fn a_joined_process_ends_although_a_child_of_it_writes_on() {
    let Some(dock) = Dock::new("a_joined_process_ends_although_a_child_of_it_writes_on") else {
        return;
    };
    let mut held = dock.run("a", "sleep 1000", Stdio::Null);
    let stdio = Stdio::Pipes {
        input: false,
        log: None,
    };
    let mut request = dock.join_request("a", "b", "echo first; yes & sleep 0.1; exit 3", stdio);
    request.expects_client = true;
    let mut joined = dock.spare().join(request, None).unwrap();
    let state = dock.state("a").join("exec/b");
    let mut client = Line::open(&state, &everything()).unwrap();
    // While its client does not read.
    let (sender, ended) = channel();
    let waiting = std::thread::spawn(move || {
        sender.send(joined.wait().unwrap().code).unwrap();
        joined
    });
    assert_eq!(ended.recv_timeout(Duration::from_secs(30)), Ok(3));
    let joined = waiting.join().unwrap();
    let (output, _, exit) = read_all(&mut client);
    assert!(output.starts_with(b"first\ny\n"));
    assert_eq!(exit.code, 3);
    joined.reap().unwrap();
    kill(held.made.process.pid);
    held.wait().unwrap();
    held.reap().unwrap();
}

#[test]
fn a_joined_process_ends_with_its_output() {
    let Some(dock) = Dock::new("a_joined_process_ends_with_its_output") else {
        return;
    };
    let mut held = dock.run("a", "sleep 1000", Stdio::Null);
    let stdio = || Stdio::Pipes {
        input: false,
        log: None,
    };
    for (id, line, expected) in [
        ("b", "(sleep 0.2; echo late) & echo early", "early\nlate\n"),
        ("c", "sleep 1000 & echo early", "early\n"),
    ] {
        let mut request = dock.join_request("a", id, line, stdio());
        request.expects_client = true;
        let joined = dock.spare().join(request, None).unwrap();
        let state = dock.state("a").join("exec").join(id);
        let mut client = Line::open(&state, &everything()).unwrap();
        let (output, _, exit) = read_all(&mut client);
        assert_eq!(String::from_utf8(output).unwrap(), expected);
        assert_eq!(exit.code, 0);
        joined.reap().unwrap();
    }
    kill(held.made.process.pid);
    held.wait().unwrap();
    held.reap().unwrap();
}

#[test]
fn a_client_that_asks_for_it_may_read_the_end_late() {
    let Some(dock) = Dock::new("a_client_that_asks_for_it_may_read_the_end_late") else {
        return;
    };
    let mut held = dock.create("a", MUCH, pipes(&dock, false), |_| {}).unwrap();
    let mut client = Line::open(&dock.state("a"), &everything()).unwrap();
    held.start().unwrap();
    // Slower than it writes, until it has ended.
    let (ended, mut early) = (dock.state("a").join("exit.json"), 0);
    while !ended.exists() {
        early += client.receive().unwrap().unwrap().payload.len();
        std::thread::sleep(Duration::from_millis(5));
    }
    held.wait().unwrap();
    // Longer than others may take.
    std::thread::sleep(Duration::from_secs(11));
    let (output, _, exit) = read_all(&mut client);
    assert_eq!((early + output.len(), exit.code), (3_000_000, 0));
    held.reap().unwrap();
}

#[test]
fn a_client_that_does_not_read_is_let_go_and_blocks_nobody() {
    let Some(dock) = Dock::new("a_client_that_does_not_read_is_let_go_and_blocks_nobody") else {
        return;
    };
    let line = format!("{MUCH}; echo done >&2; sleep 1000");
    let mut held = dock
        .create("a", &line, pipes(&dock, false), |_| {})
        .unwrap();
    let slow = Hello {
        output: true,
        ..Hello::default()
    };
    let mut client = Line::open(&dock.state("a"), &slow).unwrap();
    held.start().unwrap();
    // It reads nothing, and the workload comes to its end all the same.
    poll("end of the output", || {
        (logged(&dock, "stderr") == "done\n").then_some(())
    });
    let mut seen = 0;
    while let Some(frame) = client.receive().unwrap() {
        seen += frame.payload.len();
    }
    assert!(seen < 3_000_000, "let go before the end");
    kill(held.made.process.pid);
    held.wait().unwrap();
    held.reap().unwrap();
}

#[test]
fn a_client_that_asks_for_it_misses_nothing() {
    let Some(dock) = Dock::new("a_client_that_asks_for_it_misses_nothing") else {
        return;
    };
    let mut held = dock.create("a", MUCH, pipes(&dock, false), |_| {}).unwrap();
    let mut client = Line::open(&dock.state("a"), &everything()).unwrap();
    held.start().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let (output, _, exit) = read_all(&mut client);
    assert_eq!((output.len(), exit.code), (3_000_000, 0));
    held.wait().unwrap();
    held.reap().unwrap();
}

#[test]
fn the_socket_is_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let Some(dock) = Dock::new("the_socket_is_for_the_owner_alone") else {
        return;
    };
    let mut held = dock.run("a", "sleep 1000", Stdio::Null);
    let mode = fs::metadata(dock.state("a").join("shim.sock"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    kill(held.made.process.pid);
    held.wait().unwrap();
    held.reap().unwrap();
}
