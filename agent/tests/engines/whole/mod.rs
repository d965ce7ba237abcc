//! The agent as users start it, over containers as users start them.

mod docker_cli;
mod docker_down;
mod docker_io;
mod docker_life;
mod docker_network;
mod docker_oom;
mod docker_readings;
mod foreign_namespace;
mod podman;
mod readings;
mod runc;
mod traffic;

use std::sync::Arc;

use crate::agent::{Agent, Config};
use crate::docker::Docker;
use crate::skip;

/// The shared docker, unless it cannot run here. Asked for before one's turn, so that it lives on.
fn docker(test: &str) -> Option<Arc<Docker>> {
    Docker::shared().map_err(|reason| skip(test, &reason)).ok()
}

/// An agent that asks this docker for names.
fn agent_of(docker: &Docker) -> Agent {
    Agent::start(&Config {
        docker_socket: docker.socket(),
        labels: &["tier"],
        ..Config::default()
    })
}
