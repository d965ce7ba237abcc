//! Entering a namespace of another workload is an event of its own.
#![allow(clippy::unwrap_used)]

use serde_json::Value;

use super::entered;
use crate::support::{Agent, OwnCgroup, Settings, V2};

const METRIC: &str = "plimsoll_container_foreign_namespace_enters_total";

/// A program in the cgroup enters the target's network namespace, and stays in it.
fn enter(own: &mut OwnCgroup, target: u32) -> u32 {
    let target = target.to_string();
    let enterer = own.spawn("nsenter", &["--target", &target, "--net", "sleep", "600"]);
    let enterer = enterer.id();
    entered(enterer, "net");
    enterer
}

fn told(agent: &Agent, enterer: u32) -> Vec<Value> {
    agent.event(&["event=namespace"], |event| {
        event["tgid"] == enterer && event["call"] == "setns"
    });
    // The event of the entry itself is told first, this one right behind it.
    agent.next_tick();
    let mut told = agent.events(&["event=namespace_foreign_enter"]);
    told.retain(|event| event["tgid"] == enterer);
    told
}

#[test]
fn entering_a_foreign_namespace_is_told() {
    let test = "entering_a_foreign_namespace_is_told";
    let Some(mut owner) = OwnCgroup::make(test, &[V2]) else {
        return;
    };
    let mut other = OwnCgroup::make(test, &[V2]).unwrap();
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let maker = owner.spawn("unshare", &["--net", "sleep", "600"]).id();
    let namespace = entered(maker, "net");

    let own = enter(&mut owner, maker);
    assert_eq!(
        told(&agent, own),
        [] as [Value; 0],
        "the workload's own task"
    );
    let foreign = enter(&mut other, maker);
    let events = told(&agent, foreign);
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["owner"], owner.path());
    assert_eq!(events[0]["workload"], other.path());
    assert_eq!(events[0]["kind"], "net");
    assert_eq!(events[0]["inode"], namespace);
    let metrics = agent.fresh_scrape();
    assert_eq!(metrics.of(&owner.path(), METRIC), Some(1.0));
    assert_eq!(metrics.of(&other.path(), METRIC), Some(0.0));
}

/// Engines make a container's namespaces before they move it to its cgroup.
#[test]
fn a_namespace_goes_with_its_tasks() {
    let test = "a_namespace_goes_with_its_tasks";
    let Some(mut engine) = OwnCgroup::make(test, &[V2]) else {
        return;
    };
    let mut container = OwnCgroup::make(test, &[V2]).unwrap();
    let mut other = OwnCgroup::make(test, &[V2]).unwrap();
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let maker = engine.spawn("unshare", &["--net", "sleep", "600"]).id();
    entered(maker, "net");
    agent.next_tick();
    container.write(V2, "cgroup.procs", &maker.to_string());
    agent.next_tick();

    let own = enter(&mut container, maker);
    assert_eq!(
        told(&agent, own),
        [] as [Value; 0],
        "the container's own task"
    );
    let foreign = enter(&mut other, maker);
    let events = told(&agent, foreign);
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["owner"], container.path());
    drop(engine);
}
