//! Engines that are off, gone, refusing or silent. Real ones are in `tests/engines/`.

#![allow(clippy::unwrap_used)]

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use tokio::time::{sleep, timeout};

use super::*;
use crate::identity::{Presence, classify};

const DOCKERS: &str = "/docker/2353c701b8486f5c197310118403c348055ac36405c1ce8b678eae84fa4b5585";
const PATIENCE: Duration = Duration::from_secs(20);

fn config(socket: PathBuf) -> AttributionConfig {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/identity");
    AttributionConfig {
        docker_socket: socket,
        podman_socket: PathBuf::new(),
        containers_storage: fixtures.join("storage"),
        containerd_state: fixtures.join("containerd"),
        timeout: Duration::from_millis(100),
    }
}

async fn presence(attribution: &Attribution, engine: &str, wanted: Presence) {
    let now = || {
        let engines = attribution.engines();
        let found = engines.into_iter().find(|known| known.name == engine);
        found.map(|engine| engine.presence)
    };
    let came = timeout(PATIENCE, async {
        while now().as_ref() != Some(&wanted) {
            sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(came.await.is_ok(), "{:?} is not {wanted:?}", now());
}

/// Everything the others say comes, whatever docker does; and it all ends at once.
async fn others_are_named(socket: PathBuf, of_docker: Option<Presence>) {
    let stop = CancellationToken::new();
    let (attribution, mut updates) = Attribution::start(&config(socket), stop.clone());
    assert!(attribution.request(&classify(DOCKERS)));
    assert!(attribution.request(&classify("/default/plain1")));
    let update = timeout(PATIENCE, updates.recv()).await.unwrap().unwrap();
    assert_eq!(update.container_id, "plain1");
    assert_eq!(update.details.name.as_deref(), Some("plain1"));
    assert_eq!(attribution.unknown(), 1);
    presence(&attribution, "containerd", Presence::Up).await;
    match of_docker {
        Some(wanted) => presence(&attribution, "docker", wanted).await,
        None => assert!(attribution.engines().iter().all(|e| e.name != "docker")),
    }
    stop.cancel();
    timeout(Duration::from_secs(1), attribution.stopped())
        .await
        .unwrap();
    assert_eq!(updates.recv().await, None);
}

#[tokio::test]
async fn docker_that_is_switched_off_is_not_listed() {
    others_are_named(PathBuf::new(), None).await;
}

#[tokio::test]
async fn docker_without_a_socket_is_absent() {
    let dir = tempfile::tempdir().unwrap();
    others_are_named(dir.path().join("docker.sock"), Some(Presence::Absent)).await;
}

#[tokio::test]
async fn docker_that_refuses_is_down() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let reason = "Connection refused (os error 111)".to_owned();
    others_are_named(socket, Some(Presence::Down(reason))).await;
}

#[tokio::test]
async fn docker_that_is_silent_is_down() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let reason = "no answer within 100ms".to_owned();
    others_are_named(socket, Some(Presence::Down(reason))).await;
}

#[tokio::test]
async fn a_slow_receiver_misses_nothing() {
    const CONTAINERS: usize = 2 * UPDATES;
    let state = tempfile::tempdir().unwrap();
    let bundles = state.path().join("io.containerd.runtime.v2.task/default");
    for number in 0..CONTAINERS {
        let bundle = bundles.join(format!("c{number}"));
        std::fs::create_dir_all(&bundle).unwrap();
        std::fs::write(bundle.join("config.json"), "{}").unwrap();
    }
    let config = AttributionConfig {
        containerd_state: state.path().to_owned(),
        ..config(PathBuf::new())
    };
    let stop = CancellationToken::new();
    let (attribution, mut updates) = Attribution::start(&config, stop.clone());
    for number in 0..CONTAINERS {
        assert!(attribution.request(&classify(&format!("/default/c{number}"))));
    }
    let all_known = timeout(PATIENCE, async {
        while attribution.unknown() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    });
    all_known.await.unwrap();
    let mut told = std::collections::BTreeSet::new();
    while told.len() < CONTAINERS {
        let update = timeout(PATIENCE, updates.recv()).await.unwrap().unwrap();
        assert!(told.insert(update.container_id));
    }
    stop.cancel();
    attribution.stopped().await;
    assert_eq!(updates.recv().await, None);
}
