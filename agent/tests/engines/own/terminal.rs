//! Our command line's terminal on a container of ours.

use super::side::Side;
use crate::docker::IMAGE;
use crate::terminal::Session;
use crate::{blocking_turn, skip};

/// As `docker`'s command line leaves them.
#[test]
fn who_leaves_a_command_does_not_learn_its_status() {
    let test = "who_leaves_a_command_does_not_learn_its_status";
    let _turn = blocking_turn();
    let side = match Side::ours() {
        Ok(side) => side,
        Err(reason) => return skip(test, &reason),
    };
    side.cli(&["run", "-d", "--name", "screen", IMAGE, "sleep", "1000"]);
    let socket = side.agent().socket();
    let ours = |line: &[&str]| Session::start(&socket, line);
    let dockers = |line: &[&str]| {
        let mut command = side.command();
        command.args(line);
        Session::of(command)
    };
    for (who, start) in [
        ("docker", &dockers as &dyn Fn(&[&str]) -> Session),
        ("plimsoll", &ours),
    ] {
        let mut session = start(&["exec", "-it", "-e", "PS1=$ ", "screen", "sh"]);
        session.sees("$ ");
        session.types(b"\x10\x11");
        session.sees("read escape sequence");
        assert_eq!(session.ends(), Some(1), "{who}");
        let mut session = start(&["run", "-it", "--name", who, "-e", "PS1=$ ", IMAGE, "sh"]);
        session.sees("$ ");
        session.types(b"\x10\x11");
        assert_eq!(session.ends(), Some(0), "{who}");
    }
}

#[test]
fn a_terminal_is_resized_left_and_joined_again() {
    let test = "a_terminal_is_resized_left_and_joined_again";
    let _turn = blocking_turn();
    let side = match Side::ours() {
        Ok(side) => side,
        Err(reason) => return skip(test, &reason),
    };
    let socket = side.agent().socket();
    let keys = ["--detach-keys", "ctrl-x,q"];
    let run = ["--name", "screen", "-e", "PS1=$ ", IMAGE, "sh"];
    let run = [&["run", "-it"] as &[&str], &keys, &run].concat();
    let mut session = Session::start(&socket, &run);
    session.sees("$ ");
    session.types(b"stty size\r");
    session.sees("33 77");
    session.is_resized(40, 100);
    session.types(b"sleep 0.5; stty size\r");
    session.sees("40 100");
    // Those that would leave it otherwise are the shell's.
    session.types(b"stty raw; echo re\"\"ady; head -c 3 | od -An -tx1; stty sane\r");
    session.sees("ready");
    session.types(b"\x10\x11x");
    session.sees("10 11 78");
    session.types(b"\x18q");
    assert_eq!(session.ends(), Some(0));
    let running = || side.cli(&["inspect", "--format", "{{.State.Running}}", "screen"]);
    assert_eq!(running(), "true");

    let exec = ["-e", "PS1=% ", "screen", "sh"];
    let exec = [&["exec", "-it"] as &[&str], &keys, &exec].concat();
    let mut session = Session::start(&socket, &exec);
    session.sees("% ");
    session.types(b"stty raw; echo re\"\"ady; head -c 3 | od -An -tx1; stty sane\r");
    session.sees("ready");
    session.types(b"\x10\x11x");
    session.sees("10 11 78");
    session.is_resized(20, 60);
    session.types(b"sleep 0.5; stty size; exit 4\r");
    session.sees("20 60");
    assert_eq!(session.ends(), Some(4));

    let mut session = Session::start(&socket, &["attach", "screen"]);
    session.types(b"echo $((40 + 2))\r");
    session.sees("42");
    session.types(b"exit 3\r");
    assert_eq!(session.ends(), Some(3));
    side.cli(&["rm", "screen"]);
}
