//! Who enters a container's namespaces from outside is told of; what the container does itself is not.

use std::process::Command;

use serde_json::Value;

use super::{agent_of, docker};
use crate::agent::Agent;
use crate::host::{programs, stdout, wait_until};
use crate::{blocking_turn, skip};

const ENTERS: &str = "plimsoll_container_foreign_namespace_enters_total";
/// Makes a namespace and goes back to the container's, again and again.
const RESTLESS: [&str; 3] = [
    "sh",
    "-c",
    "while :; do unshare -n nsenter -t 1 -n true; sleep 0.1; done",
];

#[test]
fn foreign_namespace_enters_are_told_and_own_are_not() {
    let test = "foreign_namespace_enters_are_told_and_own_are_not";
    if let Err(reason) = programs(["nsenter"]) {
        return skip(test, &reason);
    }
    let Some(docker) = docker(test) else { return };
    let _turn = blocking_turn();
    let agent = agent_of(&docker);
    let rights = ["--cap-add", "SYS_ADMIN", "--cap-add", "SYS_PTRACE"];
    let confined = ["--security-opt", "seccomp=unconfined", "--name", "entered"];
    let options = [&rights[..], &confined[..]].concat();
    let container = docker.container("none", &options, &RESTLESS);
    let id = format!("/docker/{}", container.id);

    // Docker itself has entered to make the network; what counts is what comes now.
    agent.wait("entered", |samples| samples.of("entered", ENTERS));
    let before = enters(&agent);
    let own = || {
        events(&agent, "namespace", |event| {
            event["workload"] == *id && event["call"] == "setns"
        })
    };
    let already = own().len();
    wait_until("the container's own enters", || own().len() >= already + 3);
    assert_eq!(enters(&agent), before, "its own count");
    let foreign = || {
        events(&agent, "namespace_foreign_enter", |event| {
            event["owner"] == *id
        })
    };
    assert_eq!(foreign().len() as f64, before, "{:?}", foreign());

    stdout(Command::new("nsenter").args(["-t", &container.pid(), "-n", "-u", "true"]));
    wait_until("both", || foreign().len() as f64 >= before + 2.0);
    assert_eq!(enters(&agent), before + 2.0);
    let told = foreign();
    let (mut kinds, by): (Vec<_>, Vec<_>) = told[told.len() - 2..]
        .iter()
        .map(|event| (text(event, "kind"), text(event, "comm")))
        .unzip();
    kinds.sort_unstable();
    assert_eq!((kinds, by), (vec!["net", "uts"], vec!["nsenter"; 2]));

    docker.cli(&["exec", "entered", "true"]);
    let known = told.len();
    wait_until("docker exec", || {
        let since = foreign().split_off(known);
        let entered = |kind| since.iter().any(|event| text(event, "kind") == kind);
        entered("mnt") && entered("pid") && entered("net")
    });
    assert!(enters(&agent) >= before + 5.0);
}

/// As of now.
fn enters(agent: &Agent) -> f64 {
    agent.fresh().of("entered", ENTERS).unwrap()
}

fn events(agent: &Agent, kind: &str, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut events = agent.events(&[&format!("event={kind}")]);
    events.retain(wanted);
    events
}

fn text<'a>(event: &'a Value, field: &str) -> &'a str {
    event[field].as_str().unwrap()
}

#[test]
fn an_engine_at_work_is_no_foreign_enter() {
    let Some(docker) = docker("an_engine_at_work_is_no_foreign_enter") else {
        return;
    };
    let _turn = blocking_turn();
    let agent = agent_of(&docker);
    for _ in 0..5 {
        // Docker enters it to make its interface, and again to take it away.
        let container = docker.container("bridge", &["--name", "brief"], &["/bin/sleep", "600"]);
        agent.wait("brief", |samples| samples.of("brief", ENTERS));
        drop(container);
        agent.wait("its end", |samples| {
            samples.ids("brief").is_empty().then_some(())
        });
    }
    let foreign = events(&agent, "namespace_foreign_enter", |event| {
        event["owner"]
            .as_str()
            .is_some_and(|owner| owner.starts_with("/docker/"))
    });
    assert!(foreign.is_empty(), "{foreign:#?}");
}
