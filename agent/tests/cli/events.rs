//! `plimsoll events`

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use plimsoll::ledger::EventKind;

use crate::snapshot::at;
use crate::world::{World, text};

fn push(world: &World, name: &str, kind: EventKind) {
    let path = format!("/docker/{name}");
    world
        .events
        .push(at(1), Some(path.into()), Some(name.into()), kind);
}

fn exec(comm: &str) -> EventKind {
    EventKind::Exec {
        tgid: 77,
        comm: comm.into(),
    }
}

fn oom() -> EventKind {
    EventKind::OomKill {
        tgid: 78,
        comm: "hog".into(),
    }
}

fn lost() -> EventKind {
    EventKind::Lost {
        ring: "lifecycle".into(),
        count: 12,
    }
}

const LINES: &str = "\
2024-05-06T10:00:01.000Z  exec                     web                       nginx[77]
2024-05-06T10:00:01.000Z  oom_kill                 db                        hog[78] killed: out of memory
";

#[test]
fn prints_what_is_remembered() {
    let world = World::new();
    push(&world, "web", exec("nginx"));
    push(&world, "db", oom());
    assert_eq!(world.shown(80, &["events"]), LINES);
    let last = LINES.lines().last().unwrap().to_owned() + "\n";
    assert_eq!(world.shown(80, &["events", "--since", "1"]), last);
    assert_eq!(world.shown(80, &["events", "--filter", "class=oom"]), last);
    assert_eq!(
        world.shown(80, &["events", "--filter", "workload=db"]),
        last
    );
    assert_eq!(world.shown(80, &["events", "--filter", "event=exit"]), "");
    // The made-up events are of 2024.
    assert_eq!(world.shown(80, &["events", "--since", "10m"]), "");
    assert_eq!(world.shown(80, &["events", "--since", "100years"]), LINES);
}

#[test]
fn json_is_one_event_a_line() {
    let world = World::new();
    push(&world, "web", exec("nginx"));
    push(&world, "db", oom());
    let lines = world.shown(80, &["events", "--format", "json"]);
    let events = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let events: Vec<serde_json::Value> = events.collect();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["sequence"], 1);
    assert_eq!(events[1]["event"], "oom_kill");
    assert_eq!(events[1]["name"], "db");
    assert_eq!(events[1]["time"], "2024-05-06T10:00:01Z");
}

#[test]
fn losses_are_shown_in_place_and_counted() {
    let world = World::new();
    push(&world, "web", exec("nginx"));
    world.events.push(at(1), None, None, lost());
    let output = world
        .command(&["events", "--filter", "class=oom"])
        .output()
        .unwrap();
    let expected = "2024-05-06T10:00:01.000Z  lost                     -                         \
                    12 events lost (lifecycle)\n";
    assert_eq!(text(&output), expected);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        errors,
        "plimsoll: 12 events were lost; they are marked above\n"
    );
}

#[test]
fn following_prints_as_it_happens_and_says_when_the_agent_stops() {
    let world = World::new();
    push(&world, "web", exec("nginx"));
    let mut command = world.command(&["events", "--follow", "--since", "0"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().ends_with("nginx[77]"));
    push(&world, "db", oom());
    assert!(
        lines
            .next()
            .unwrap()
            .unwrap()
            .ends_with("hog[78] killed: out of memory")
    );
    world.stop();
    assert!(lines.next().is_none());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(errors, "plimsoll: the agent has stopped\n");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let world = World::new();
    for _ in 0..50_000 {
        push(&world, "web", exec("nginx"));
    }
    let mut command = world.command(&["events"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 100]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}
