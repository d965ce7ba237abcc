//! Exec and exit, with the status that `wait` has.
#![allow(clippy::unwrap_used)]

mod threads;

use serde_json::Value;

use crate::support::{Agent, OwnCgroup, Settings, V2};

/// The one exit event of a process.
fn exit(agent: &Agent, pid: u32) -> Value {
    let exit = agent.event(&["event=exit"], |event| event["tgid"] == pid);
    // A second one would be told by now.
    agent.next_tick();
    let mut all = agent.events(&["event=exit"]);
    all.retain(|event| event["tgid"] == pid);
    assert_eq!(all.len(), 1, "{all:?}");
    exit
}

#[test]
fn exec_and_exit_are_told() {
    let test = "exec_and_exit_are_told";
    let Some(mut own) = OwnCgroup::make(test, &[V2]) else {
        return;
    };
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let id = own.path();
    let child = own.spawn("sleep", &["0"]);
    let pid = child.id();
    child.wait().unwrap();
    let exec = agent.event(&["event=exec", &format!("workload={id}")], |event| {
        event["tgid"] == pid && event["comm"] == "sleep"
    });
    assert_eq!(exec["workload"], id.as_str());
    let ended = exit(&agent, pid);
    assert_eq!(
        (&ended["code"], &ended["signal"]),
        (&0.into(), &Value::Null)
    );

    let child = own.spawn("sh", &["-c", "exit 3"]);
    let pid = child.id();
    child.wait().unwrap();
    let ended = exit(&agent, pid);
    assert_eq!(
        (&ended["code"], &ended["signal"]),
        (&3.into(), &Value::Null)
    );
    assert_eq!(ended["workload"], id.as_str());

    let child = own.spawn("sleep", &["600"]);
    let pid = child.id();
    agent.event(&["event=exec"], |event| {
        event["tgid"] == pid && event["comm"] == "sleep"
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let ended = exit(&agent, pid);
    assert_eq!(
        (&ended["code"], &ended["signal"]),
        (&Value::Null, &9.into())
    );

    let metrics = agent.fresh_scrape();
    assert_eq!(metrics.of(&id, "plimsoll_container_execs_total"), Some(3.0));
    assert_eq!(metrics.of(&id, "plimsoll_container_exits_total"), Some(3.0));
}

#[test]
fn a_process_that_outruns_its_cgroup_is_told_with_it() {
    let test = "a_process_that_outruns_its_cgroup_is_told_with_it";
    let Some(mut own) = OwnCgroup::make(test, &[V2]) else {
        return;
    };
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    for n in 0..30 {
        let mut short = own.nested(&n.to_string());
        let child = short.spawn("true", &[]);
        let pid = child.id();
        child.wait().unwrap();
        short.remove();
        let ended = agent.event(&["event=exit"], |event| event["tgid"] == pid);
        assert_eq!(ended["workload"], short.path().as_str(), "{ended}");
    }
    own.remove();
}
