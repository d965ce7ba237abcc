//! From `docker run` to `docker rm`: one series, under the name it has.

use serde_json::Value;

use super::{agent_of, docker};
use crate::blocking_turn;
use crate::host::wait_until;
use crate::samples::Samples;

const KILLS: &str = "container_oom_events_total";
const STARTED: &str = "container_start_time_seconds";
const SLEEP: [&str; 2] = ["/bin/sleep", "600"];
/// Wants more than the container may have.
const HOG: &str = "dd if=/dev/zero of=/dev/null bs=100M count=1 || true";

#[test]
fn docker_container_keeps_its_series_when_renamed_and_restarted() {
    let Some(docker) = docker("docker_container_keeps_its_series_when_renamed_and_restarted")
    else {
        return;
    };
    let _turn = blocking_turn();
    let agent = agent_of(&docker);
    let container = docker.container("none", &["--name", "web", "-m", "32m"], &SLEEP);
    agent.wait("web", |samples| samples.of("web", KILLS));

    docker.cli(&["rename", "web", "shop"]);
    agent.wait("shop", |samples| samples.of("shop", KILLS));
    assert!(agent.scrape().ids("web").is_empty());

    docker.cli(&["exec", "shop", "sh", "-c", HOG]);
    let killed = |samples: &Samples| (samples.of("shop", KILLS)? == 1.0).then_some(());
    agent.wait("the OOM kill", killed);

    let started = agent.scrape().of("shop", STARTED).unwrap();
    docker.cli(&["restart", "--time", "0", "shop"]);
    agent.wait("the restart", |samples| {
        assert!(samples.ids("shop").len() <= 1);
        let again = samples.of("shop", STARTED)?;
        (again > started && samples.of("shop", "container_threads")? == 1.0).then_some(())
    });
    let samples = agent.fresh();
    let id = format!("/docker/{}", container.id);
    assert_eq!(samples.ids("shop").into_iter().collect::<Vec<_>>(), [id]);
    assert_eq!(samples.ids_ending(&container.id).len(), 1);
    assert_eq!(samples.of("shop", KILLS), Some(1.0), "lost in the restart");
}

#[test]
fn docker_pause_freezes() {
    let Some(docker) = docker("docker_pause_freezes") else {
        return;
    };
    let _turn = blocking_turn();
    let agent = agent_of(&docker);
    let _container = docker.container("none", &["--name", "still"], &SLEEP);
    let frozen = |samples: &Samples| samples.of("still", "plimsoll_container_frozen");
    let state = |wanted: f64| {
        let what = format!("frozen {wanted}");
        agent.wait(&what, |samples| (frozen(samples)? == wanted).then_some(()));
    };
    state(0.0);
    docker.cli(&["pause", "still"]);
    state(1.0);
    let listed = agent.ask(&["workloads", "--filter", "state=frozen"]);
    let names: Vec<_> = listed["workloads"]
        .as_array()
        .unwrap()
        .iter()
        .map(name)
        .collect();
    assert!(names.contains(&"still"), "{names:?}");
    docker.cli(&["unpause", "still"]);
    state(0.0);
}

#[test]
fn docker_container_that_was_removed_waits_for_one_scrape() {
    let Some(docker) = docker("docker_container_that_was_removed_waits_for_one_scrape") else {
        return;
    };
    let _turn = blocking_turn();
    let agent = agent_of(&docker);
    let container = docker.container("none", &["--name", "brief"], &SLEEP);
    agent.wait("brief", |samples| samples.of("brief", KILLS));
    drop(container);
    // The command line does not count as a scrape.
    let dead = || {
        agent.ask(&[
            "workloads",
            "--all",
            "--filter",
            "state=dead",
            "--filter",
            "name=brief",
        ])
    };
    let tick = || dead()["tick"].as_u64().unwrap();
    wait_until("its end", || {
        !dead()["workloads"].as_array().unwrap().is_empty()
    });
    let ended = tick();
    wait_until("more ticks", || tick() > ended + 3);

    let last = agent.scrape();
    assert_eq!(last.ids("brief").len(), 1, "gone before it was scraped");
    assert!(
        last.of("brief", "container_cpu_usage_seconds_total")
            .unwrap()
            > 0.0
    );
    agent.wait("its retirement", |samples| {
        samples.ids("brief").is_empty().then_some(())
    });
}

fn name(workload: &Value) -> &str {
    workload["identity"]["name"].as_str().unwrap_or_default()
}
