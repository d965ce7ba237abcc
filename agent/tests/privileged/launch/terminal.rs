//! Terminals: of the first process, and of one that joined.

use plimsoll::launch::shim::{Hello, Kind, Line, Stdio};
use serde_json::json;

use super::bundle::Dock;
use super::cgroups::kill;

const SAY: &str = "tty; stty size; stat -c '%u %a' $(tty); read line; stty size; echo got $line";

fn hello() -> Hello {
    Hello {
        output: true,
        input: true,
        wait_for_me: true,
        logs: false,
    }
}

/// Output until it has `end` in it.
fn read_until(line: &mut Line, end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let frame = line.receive().unwrap().expect("output");
        assert_eq!(frame.kind, Kind::Output, "{text}");
        text.push_str(&String::from_utf8(frame.payload).unwrap());
    }
    text
}

#[test]
fn the_first_process_has_a_terminal_of_its_own() {
    let Some(dock) = Dock::new("the_first_process_has_a_terminal_of_its_own") else {
        return;
    };
    let stdio = Stdio::Terminal { log: None };
    let made = dock.create("a", SAY, stdio, |spec| {
        spec["process"]["terminal"] = json!(true);
        spec["process"]["consoleSize"] = json!({"height": 33, "width": 99});
        spec["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    });
    let mut held = made.unwrap();
    let mut client = Line::open(&dock.state("a"), &hello()).unwrap();
    assert!(client.welcome.terminal);
    held.start().unwrap();
    let text = read_until(&mut client, "1000 620");
    assert!(text.contains("/dev/pts/0\r\n33 99\r\n"), "{text}");
    client.resize(50, 150).unwrap();
    client.send(Kind::Input, b"words\n").unwrap();
    let text = read_until(&mut client, "got words");
    assert!(text.contains("50 150"), "{text}");
    assert_eq!(held.wait().unwrap().code, 0);
    held.reap().unwrap();
}

#[test]
fn a_joined_process_has_a_terminal_and_a_client_may_leave_and_come_again() {
    let Some(dock) =
        Dock::new("a_joined_process_has_a_terminal_and_a_client_may_leave_and_come_again")
    else {
        return;
    };
    let mut held = dock.run("a", "sleep 1000", Stdio::Null);
    let stdio = Stdio::Terminal { log: None };
    let request = dock.join_request("a", "b", "read a; read b; echo $a $b", stdio);
    let mut joined = dock.spare().join(request, None).unwrap();
    let state = dock.state("a").join("exec/b");
    let mut first = Line::open(&state, &hello()).unwrap();
    first.send(Kind::Input, b"one\n").unwrap();
    read_until(&mut first, "one");
    drop(first);
    let mut second = Line::open(&state, &hello()).unwrap();
    second.send(Kind::Input, b"two\n").unwrap();
    read_until(&mut second, "one two");
    assert_eq!(joined.wait().unwrap().code, 0);
    joined.reap().unwrap();
    kill(held.made.process.pid);
    held.wait().unwrap();
    held.reap().unwrap();
}
