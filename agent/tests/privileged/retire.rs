//! Series of the dead: exported until a scrape showed them, and not for ever without one.
#![allow(clippy::unwrap_used)]

use crate::support::{Agent, OwnCgroup, Settings, V2, cpu_hierarchies, poll};

const USAGE: &str = "container_cpu_usage_seconds_total";

#[test]
fn the_dead_are_exported_until_scraped() {
    let test = "the_dead_are_exported_until_scraped";
    let Some(mut own) = OwnCgroup::make(test, &cpu_hierarchies()) else {
        return;
    };
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let id = own.path();
    own.run(
        "sh",
        &["-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"],
    );
    let used = poll("standstill", || {
        let used = own.cpu_ns();
        agent.next_tick();
        (used == own.cpu_ns()).then_some(used)
    });
    own.remove();
    // Many ticks without a scrape: it waits for one.
    for _ in 0..5 {
        agent.next_tick();
        assert_eq!(agent.workload(&id).unwrap()["life"]["state"], "dead");
    }
    let shown = agent.scrape();
    let ours = (shown.of(&id, USAGE).expect("a dead workload's last value") * 1e9).round();
    assert_eq!(ours, used as f64);
    poll("retirement", || agent.workload(&id).is_none().then_some(()));
    assert!(!agent.scrape().has(&id));
}

#[test]
fn the_dead_do_not_wait_for_ever() {
    let test = "the_dead_do_not_wait_for_ever";
    let Some(mut own) = OwnCgroup::make(test, &[V2]) else {
        return;
    };
    let settings = Settings {
        retain_dead: "1s",
        ..Settings::default()
    };
    let Some(agent) = Agent::start(test, &settings) else {
        return;
    };
    let id = own.path();
    let removed = std::time::Instant::now();
    own.remove();
    let state = || {
        agent
            .workload(&id)
            .map(|found| found["life"]["state"].clone())
    };
    poll("death", || {
        (state().is_none_or(|state| state == "dead")).then_some(())
    });
    poll("retirement", || state().is_none().then_some(()));
    let waited = removed.elapsed().as_secs_f64();
    assert!(waited >= 1.0, "gone after {waited} s");
}
