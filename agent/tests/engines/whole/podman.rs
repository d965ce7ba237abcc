//! A podman container on runc, named from podman's storage.

use super::readings::{BUSY, CPU, Watched};
use crate::agent::{Agent, Config};
use crate::kernel::Cgroup;
use crate::podman::{self, Podman};
use crate::{blocking_turn, skip};

#[test]
fn podman_cpu_and_memory_are_the_kernels() {
    let _turn = blocking_turn();
    let podman = match Podman::start() {
        Ok(podman) => podman,
        Err(reason) => return skip("podman_cpu_and_memory_are_the_kernels", &reason),
    };
    let agent = Agent::start(&Config {
        containers_storage: podman.storage(),
        ..Config::default()
    });
    let limits = ["--name", "back", "--cpus", "0.2", "-m", "64m"];
    let id = podman.run(&limits, &BUSY);
    let kernel = Cgroup::of(&podman.pid(&id));

    let samples = agent.wait("back", |samples| {
        samples.of("back", CPU).map(|_| samples.clone())
    });
    let cpu = samples.one(CPU, &[("name", "back")]).unwrap();
    assert!(
        cpu.label("id").ends_with(&format!("libpod-{id}")),
        "{cpu:?}"
    );
    assert_eq!(cpu.label("image"), podman::IMAGE);
    assert_eq!(samples.ids_ending(&id).len(), 1);
    assert_eq!(
        samples.of("back", "container_spec_cpu_quota"),
        Some(20_000.0)
    );

    let watched = Watched {
        agent: &agent,
        label: ("name", "back"),
        kernel,
    };
    watched.cpu_keeps_up();
    watched.interval_is_the_kernels(|stop| {
        podman.cli(&[if stop { "pause" } else { "unpause" }, "back"]);
    });
}
