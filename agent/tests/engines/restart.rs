//! Containers restarted through their engine's API. The oracle is the engine's own command line.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant, SystemTime};

use plimsoll::cgroup::{Control, Layout, Placement};
use plimsoll::config::AuditConfig;
use plimsoll::enforce::Outcome;
use plimsoll::enforce::audit::Audit;
use plimsoll::enforce::once::{Errand, Errands, Finished, Settings};
use plimsoll::identity::{Kind, Runtime, classify};
use plimsoll::policy::{Claimant, Evidence, Once};

use crate::docker::Docker;
use crate::podman::Podman;
use crate::{blocking_turn, host, skip};

/// Ends at once when it is told to.
const HEEDS: [&str; 3] = [
    "sh",
    "-c",
    "trap 'exit 0' TERM; while :; do sleep 0.1; done",
];

/// Restarts what is in this cgroup.
fn restart(settings: Settings, path: &str) -> Finished {
    let config = AuditConfig {
        path: Path::new("").into(),
        ..AuditConfig::default()
    };
    let (sender, ends) = channel();
    let audit = Audit::start(&config).unwrap();
    let errands = Errands::start(settings, audit, move |end| sender.send(end).unwrap()).unwrap();
    let nowhere = Control::open(&Layout::from_hierarchies(Vec::new()), &Placement::default());
    let errand = Errand {
        id: 1,
        time: SystemTime::now(),
        claimant: Claimant::Operator,
        identity: Arc::new(classify(path)),
        control: Arc::new(nowhere),
        once: Once::Restart,
        evidence: Evidence {
            condition: "a test".into(),
            observed: String::new(),
            at: SystemTime::now(),
            read: Instant::now(),
            held: Duration::ZERO,
        },
    };
    errands.run(errand).unwrap();
    ends.recv_timeout(Duration::from_secs(60)).unwrap()
}

/// The path by which the container's engine is known.
fn path(pid: &str, runtime: Runtime) -> String {
    let known = |path: &String| {
        let identity = classify(path);
        identity.runtime == runtime && identity.kind == Kind::Container
    };
    host::cgroups(pid).into_iter().find(known).unwrap()
}

#[test]
fn docker_restarts_a_container() {
    let test = "docker_restarts_a_container";
    let Some(docker) = Docker::shared().map_err(|reason| skip(test, &reason)).ok() else {
        return;
    };
    let _turn = blocking_turn();
    let settings = || Settings {
        docker_socket: docker.socket(),
        ..Settings::default()
    };
    let container = docker.container("none", &[], &HEEDS);
    let before = container.pid();
    let path = path(&before, Runtime::Docker);
    let finished = restart(settings(), &path);
    assert_eq!(finished.outcome, Outcome::Done, "{finished:?}");
    let said = finished.after.unwrap();
    assert!(said.starts_with("docker restarted it in "), "{said}");
    assert_ne!(container.pid(), before);
    let state = |field: &str| docker.cli(&["inspect", "--format", field, &container.id]);
    assert_eq!(state("{{.State.Running}}"), "true");

    drop(container);
    let Outcome::Failed(reason) = restart(settings(), &path).outcome else {
        panic!("a container that is gone");
    };
    assert!(
        reason.starts_with("docker: No such container: "),
        "{reason}"
    );
    let off = restart(Settings::default(), &path).outcome;
    let said = "docker: its API is switched off in [attribution]";
    assert_eq!(off, Outcome::Failed(said.into()));
}

#[test]
fn podman_restarts_a_container() {
    let test = "podman_restarts_a_container";
    let _turn = blocking_turn();
    let mut podman = match Podman::start() {
        Ok(podman) => podman,
        Err(reason) => return skip(test, &reason),
    };
    let container = podman.run(&[], &HEEDS);
    let before = podman.pid(&container);
    let path = path(&before, Runtime::Podman);
    let settings = || Settings {
        podman_socket: podman.socket(),
        ..Settings::default()
    };
    let Outcome::Failed(reason) = restart(settings(), &path).outcome else {
        panic!("nobody serves the API");
    };
    assert!(reason.starts_with("podman: no API at "), "{reason}");

    podman.start_service();
    let settings = Settings {
        podman_socket: podman.socket(),
        ..Settings::default()
    };
    let finished = restart(settings, &path);
    assert_eq!(finished.outcome, Outcome::Done, "{finished:?}");
    assert_ne!(podman.pid(&container), before);
    let running = ["inspect", "--format", "{{.State.Running}}", &container];
    assert_eq!(podman.cli(&running), "true");
}
