//! A docker container with limits: who it is, and that its readings are the kernel's.

use super::readings::{BUSY, CPU, Watched};
use super::{agent_of, docker};
use crate::agent::{Agent, Config};
use crate::blocking_turn;
use crate::docker::{self, Docker};
use crate::kernel::Cgroup;

#[test]
fn docker_cpu_and_memory_are_the_kernels() {
    let Some(docker) = docker("docker_cpu_and_memory_are_the_kernels") else {
        return;
    };
    let _turn = blocking_turn();
    let agent = agent_of(&docker);
    let limits = ["--name", "busy", "--cpus", "0.2", "-m", "64m"];
    let container = docker.container("none", &limits, &BUSY);
    let watched = Watched {
        agent: &agent,
        label: ("name", "busy"),
        kernel: Cgroup::of(&container.pid()),
    };
    watched.cpu_keeps_up();
    watched.interval_is_the_kernels(|stop| {
        docker.cli(&[if stop { "pause" } else { "unpause" }, "busy"]);
    });
}

#[test]
fn docker_container_is_told_with_its_limits_and_labels() {
    let Some(docker) = docker("docker_container_is_told_with_its_limits_and_labels") else {
        return;
    };
    let _turn = blocking_turn();
    let agent = agent_of(&docker);
    let limits = ["--cpus", "0.2", "-m", "64m", "--pids-limit", "77"];
    let labels = ["--label", "tier=front", "--label", "secret=x"];
    let options = [&["--name", "limited"], &limits[..], &labels[..]].concat();
    let container = docker.container("none", &options, &["/bin/sleep", "600"]);

    // Limits are read with the next tick.
    let samples = agent.wait("limited", |samples| {
        let limit = samples.of("limited", "container_spec_memory_limit_bytes");
        limit
            .and(samples.of("limited", CPU))
            .map(|_| samples.clone())
    });
    let cpu = samples.one(CPU, &[("name", "limited")]).unwrap();
    assert_eq!(cpu.label("id"), format!("/docker/{}", container.id));
    assert_eq!(cpu.label("image"), docker::IMAGE);
    assert_eq!(cpu.label("cpu"), "total");
    assert_eq!(cpu.label("container_label_tier"), "front");
    assert_eq!(cpu.label("container_label_secret"), "", "not on the list");
    // It has a cgroup in every hierarchy, and is one workload.
    assert_eq!(samples.ids_ending(&container.id).len(), 1);

    let limit = |family| samples.of("limited", family).unwrap();
    assert_eq!(limit("container_spec_cpu_quota"), 20_000.0);
    assert_eq!(limit("container_spec_cpu_period"), 100_000.0);
    assert_eq!(limit("container_spec_cpu_shares"), 1024.0);
    assert_eq!(
        limit("container_spec_memory_limit_bytes"),
        f64::from(64 << 20)
    );
    assert_eq!(limit("container_threads_max"), 77.0);
    assert_eq!(limit("container_threads"), 1.0);
    drop(agent);
    every_label_when_asked(&docker);
}

/// With `store_container_labels`.
fn every_label_when_asked(docker: &Docker) {
    let agent = Agent::start(&Config {
        docker_socket: docker.socket(),
        all_labels: true,
        ..Config::default()
    });
    let labels = agent.wait("labels", |samples| {
        let sample = samples.one(CPU, &[("name", "limited")])?;
        Some(sample.labels.clone())
    });
    assert_eq!(labels["container_label_tier"], "front");
    assert_eq!(labels["container_label_secret"], "x");
}
