//! An OOM kill outlives its container.

use super::{agent_of, docker};
use crate::blocking_turn;
use crate::host::wait_until;

const HOG: &str = "dd if=/dev/zero of=/dev/null bs=100M count=1";

#[test]
fn oom_kill_is_counted_though_the_container_is_gone() {
    let Some(docker) = docker("oom_kill_is_counted_though_the_container_is_gone") else {
        return;
    };
    let _turn = blocking_turn();
    let agent = agent_of(&docker);
    let options = ["--name", "hog", "--rm", "-m", "32m"];
    let container = docker.container("none", &options, &["sh", "-c", HOG]);
    wait_until("the container's removal", || {
        docker
            .cli(&["ps", "--all", "--quiet", "--filter", "name=hog"])
            .is_empty()
    });

    // Nobody has scraped yet.
    let kernel_said = || agent.events(&["event=oom_kill"]);
    wait_until("the event", || !kernel_said().is_empty());
    // The command line is no scrape: the first one has the series of the dead.
    let dead = [
        "workloads",
        "--all",
        "--filter",
        "state=dead",
        "--filter",
        "name=hog",
    ];
    wait_until("its end under its name", || {
        !agent.ask(&dead)["workloads"].as_array().unwrap().is_empty()
    });
    let samples = agent.scrape();
    let kills = samples.one("container_oom_events_total", &[("name", "hog")]);
    let kills = kills.expect("no series of that name");
    assert_eq!(kills.value, 1.0);
    let id = format!("/docker/{}", container.id);
    assert_eq!(kills.label("id"), id);

    let events = kernel_said();
    let [event] = events
        .iter()
        .filter(|event| event["workload"] == *id)
        .collect::<Vec<_>>()[..]
    else {
        panic!("not one event: {events:?}");
    };
    assert_eq!(event["comm"], "dd");
    assert!(
        event["tgid"].as_u64().is_some_and(|tgid| tgid > 1),
        "{event}"
    );
}
