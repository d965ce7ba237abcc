//! An engine that is down or does not answer costs nothing but names.

use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use super::readings::CPU;
use super::{agent_of, docker};
use crate::agent::{Agent, Config};
use crate::docker::Docker;
use crate::samples::Samples;
use crate::{blocking_turn, skip};

const SLEEP: [&str; 2] = ["/bin/sleep", "600"];
/// Far above a scrape's share of a busy machine, far below the 2 s that an engine is waited for.
const SCRAPE: Duration = Duration::from_secs(1);

#[test]
fn docker_down_at_the_start_and_later_loses_no_reading() {
    let test = "docker_down_at_the_start_and_later_loses_no_reading";
    let _turn = blocking_turn();
    let mut docker = match Docker::start(&["--live-restore"]) {
        Ok(docker) => docker,
        Err(reason) => return skip(test, &reason),
    };
    let id = docker.run(&["--name", "kept"], &SLEEP);
    let path = format!("/docker/{id}");
    docker.stop_daemon();

    let agent = agent_of(&docker);
    let samples = agent.wait("readings", |samples| {
        cpu_by_id(samples, &path).map(|_| samples.clone())
    });
    assert_eq!(
        samples.one(CPU, &[("id", &path)]).unwrap().label("name"),
        ""
    );

    docker.start_daemon();
    agent.wait("its name", |samples| samples.of("kept", CPU));

    docker.stop_daemon();
    // Gone when its socket is, too.
    agent.wait("docker's end", |samples| {
        (up(samples) != Some(1.0)).then_some(())
    });
    let samples = agent.fresh();
    assert_eq!(samples.of("kept", CPU), cpu_by_id(&samples, &path));
    assert!(samples.of("kept", CPU).is_some(), "lost with its engine");
}

#[test]
fn docker_that_never_answers_slows_nothing() {
    let Some(docker) = docker("docker_that_never_answers_slows_nothing") else {
        return;
    };
    let _turn = blocking_turn();
    let dir = tempfile::tempdir().unwrap();
    let silent = dir.path().join("silent.sock");
    // Connections wait in the queue for ever.
    let _listener = UnixListener::bind(&silent).unwrap();
    let agent = Agent::start(&Config {
        docker_socket: silent,
        ..Config::default()
    });
    let container = docker.container("none", &[], &SLEEP);
    let path = format!("/docker/{}", container.id);
    agent.wait("readings", |samples| cpu_by_id(samples, &path));
    agent.wait("the engine's state", |samples| {
        (up(samples)? == 0.0).then_some(())
    });
    let scrapes = (0..5).map(|_| {
        let began = Instant::now();
        assert!(cpu_by_id(&agent.scrape(), &path).is_some());
        let took = began.elapsed();
        // Ticks go on.
        agent.fresh();
        took
    });
    // One that waited for the engine would not be the only one.
    let fastest = scrapes.min().unwrap();
    assert!(fastest < SCRAPE, "scrapes took {fastest:?} at least");
}

fn cpu_by_id(samples: &Samples, id: &str) -> Option<f64> {
    Some(samples.one(CPU, &[("id", id)])?.value)
}

fn up(samples: &Samples) -> Option<f64> {
    let docker = samples.one("plimsoll_engine_up", &[("engine", "docker")]);
    Some(docker?.value)
}
