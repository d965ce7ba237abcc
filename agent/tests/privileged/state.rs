//! What a cgroup goes through while it lives: processes, freezing, a new name.
#![allow(clippy::unwrap_used)]

use std::fs;

use serde_json::Value;

use crate::support::{Agent, OwnCgroup, Settings, V2, poll};

fn of(id: &str) -> impl Fn(&Value) -> bool {
    move |event| event["path"] == id
}

fn state(agent: &Agent, id: &str) -> String {
    agent.workload(id).unwrap()["life"]["state"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn first_and_last_process_are_told() {
    let test = "first_and_last_process_are_told";
    let Some(mut own) = OwnCgroup::make(test, &[V2]) else {
        return;
    };
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let id = own.path();
    own.run("true", &[]);
    let filters = ["event=cgroup_populated"];
    let told = poll("both events", || {
        let mut told = agent.events(&filters);
        told.retain(of(&id));
        (told.len() == 2).then_some(told)
    });
    assert_eq!(told[0]["populated"], true);
    assert_eq!(told[1]["populated"], false);
    let attached = agent.event(&["event=cgroup_attach_task"], of(&id));
    assert_eq!(attached["workload"], id.as_str());
}

#[test]
fn freezing_is_told_and_shown() {
    let test = "freezing_is_told_and_shown";
    let Some(mut own) = OwnCgroup::make(test, &[V2]) else {
        return;
    };
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let id = own.path();
    own.spawn("sleep", &["600"]);
    own.write(V2, "cgroup.freeze", "1");
    agent.event(&["event=cgroup_freeze"], of(&id));
    let frozen = agent.event(&["event=cgroup_frozen"], of(&id));
    assert_eq!(frozen["frozen"], true);
    assert_eq!(own.field(V2, "cgroup.events", "frozen"), 1);
    let metrics = agent.fresh_scrape();
    assert_eq!(metrics.of(&id, "plimsoll_container_frozen"), Some(1.0));
    assert_eq!(state(&agent, &id), "frozen");

    own.write(V2, "cgroup.freeze", "0");
    agent.event(&["event=cgroup_unfreeze"], of(&id));
    agent.event(&["event=cgroup_frozen"], |event| {
        event["path"] == id.as_str() && event["frozen"] == false
    });
    let metrics = agent.fresh_scrape();
    assert_eq!(metrics.of(&id, "plimsoll_container_frozen"), Some(0.0));
    assert_eq!(state(&agent, &id), "alive");
}

#[test]
fn what_was_frozen_before_the_agent_came_is_frozen() {
    let test = "what_was_frozen_before_the_agent_came_is_frozen";
    let Some(mut own) = OwnCgroup::make(test, &[V2]) else {
        return;
    };
    own.spawn("sleep", &["600"]);
    own.write(V2, "cgroup.freeze", "1");
    poll("frozen", || {
        (own.field(V2, "cgroup.events", "frozen") == 1).then_some(())
    });
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    poll("frozen", || {
        (state(&agent, &own.path()) == "frozen").then_some(())
    });
    own.write(V2, "cgroup.freeze", "0");
    poll("alive", || {
        (state(&agent, &own.path()) == "alive").then_some(())
    });
}

#[test]
fn v1s_freezer_is_shown() {
    let test = "v1s_freezer_is_shown";
    let Some(mut own) = OwnCgroup::make(test, &["freezer", "cpuacct", V2]) else {
        return;
    };
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    own.spawn("sleep", &["600"]);
    own.write("freezer", "freezer.state", "FROZEN");
    poll("frozen", || {
        (own.read("freezer", "freezer.state") == "FROZEN\n").then_some(())
    });
    poll("frozen", || {
        (state(&agent, &own.path()) == "frozen").then_some(())
    });
    own.write("freezer", "freezer.state", "THAWED");
    poll("alive", || {
        (state(&agent, &own.path()) == "alive").then_some(())
    });
}

#[test]
fn a_renamed_cgroup_has_its_new_name() {
    let test = "a_renamed_cgroup_has_its_new_name";
    let Some(own) = OwnCgroup::make(test, &["pids"]) else {
        return;
    };
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let old = own.nested("old");
    let below = old.nested("below");
    poll("birth", || agent.workload(&below.path()));
    let (from, to) = (old.directory("pids"), own.directory("pids").join("new"));
    fs::rename(from, &to).unwrap();
    let new = format!("{}/new", own.path());
    agent.event(&["event=cgroup_rename"], of(&new));
    agent.next_tick();
    let alive = agent.alive();
    let named: Vec<_> = alive
        .iter()
        .filter(|id| id.starts_with(&format!("{}/", own.path())))
        .collect();
    fs::rename(&to, from).unwrap();
    assert_eq!(named, [&new, &format!("{new}/below")], "{alive:?}");
}
