//! Attribution of containers that real engines run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use plimsoll::config::AttributionConfig;
use plimsoll::identity::{
    Attribution, Details, Identity, Kind, Presence, Runtime, Update, classify,
};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::containerd::Containerd;
use crate::docker::{self, Docker};
use crate::host;
use crate::podman::{self, Podman};
use crate::runc::Runc;
use crate::{skip, turn};

const PATIENCE: Duration = Duration::from_secs(40);
const SLEEP: [&str; 2] = ["/bin/sleep", "600"];

/// Attribution of nothing but what a test names.
fn nowhere() -> AttributionConfig {
    AttributionConfig {
        docker_socket: PathBuf::new(),
        podman_socket: PathBuf::new(),
        containers_storage: PathBuf::from("/nonexistent"),
        containerd_state: PathBuf::from("/nonexistent"),
        ..AttributionConfig::default()
    }
}

struct Asked {
    attribution: Attribution,
    updates: mpsc::Receiver<Update>,
    stop: CancellationToken,
}

impl Asked {
    fn start(config: &AttributionConfig) -> Self {
        let stop = CancellationToken::new();
        let (attribution, updates) = Attribution::start(config, stop.clone());
        Self {
            attribution,
            updates,
            stop,
        }
    }

    /// The next thing said about `key`.
    async fn next(&mut self, key: &str) -> Arc<Details> {
        let said = async {
            loop {
                let update = self.updates.recv().await.expect("attribution has ended");
                if update.container_id == key {
                    return update.details;
                }
            }
        };
        timeout(PATIENCE, said).await.expect("nothing was said")
    }

    fn presence(&self, engine: &str) -> Option<Presence> {
        let engines = self.attribution.engines();
        let found = engines.into_iter().find(|known| known.name == engine);
        found.map(|engine| engine.presence)
    }

    async fn wait_for(&self, engine: &str, wanted: impl Fn(&Presence) -> bool) {
        let state = async {
            while !self
                .presence(engine)
                .is_some_and(|presence| wanted(&presence))
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let came = timeout(PATIENCE, state).await;
        assert!(came.is_ok(), "{engine} stayed {:?}", self.presence(engine));
    }

    async fn end(self) {
        self.stop.cancel();
        timeout(Duration::from_secs(1), self.attribution.stopped())
            .await
            .expect("tasks did not end");
    }
}

/// Identity of the container that process `pid` is in: the same one in every hierarchy that has it.
fn identity_of(pid: &str, container_id: &str) -> Identity {
    let mut identities = host::cgroups(pid)
        .iter()
        .map(|path| classify(path))
        .filter(|identity| identity.kind == Kind::Container)
        .collect::<Vec<_>>();
    assert!(!identities.is_empty(), "{:?}", host::cgroups(pid));
    for identity in &identities {
        assert_eq!(identity.container_id.as_deref(), Some(container_id));
    }
    identities.swap_remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn docker_container_is_named_and_renamed() {
    let _turn = turn().await;
    let docker = match Docker::start(&[]) {
        Ok(docker) => docker,
        Err(reason) => return skip("docker_container_is_named_and_renamed", &reason),
    };
    let mut asked = Asked::start(&AttributionConfig {
        docker_socket: docker.socket(),
        ..nowhere()
    });
    let id = docker.run(&["--name", "web", "--label", "tier=front"], &SLEEP);
    let identity = identity_of(&docker.pid(&id), &id);
    assert_eq!(identity.runtime, Runtime::Docker);
    assert!(asked.attribution.request(&identity));

    let details = asked.next(&id).await;
    let named = identity.with(&details);
    assert_eq!(named.name.as_deref(), Some("web"));
    assert_eq!(named.image.as_deref(), Some(docker::IMAGE));
    assert_eq!(named.labels.get("tier").map(String::as_str), Some("front"));
    assert_eq!((named.kind, named.pod), (Kind::Container, None));

    docker.cli(&["rename", "web", "shop"]);
    let details = asked.next(&id).await;
    assert_eq!(details.name.as_deref(), Some("shop"));

    docker.cli(&["rm", "--force", "shop"]);
    asked.attribution.forget(&id);
    assert_eq!(asked.attribution.unknown(), 0);
    asked.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn docker_that_is_down_gives_names_when_it_is_back() {
    let _turn = turn().await;
    let mut docker = match Docker::start(&["--live-restore"]) {
        Ok(docker) => docker,
        Err(reason) => {
            return skip("docker_that_is_down_gives_names_when_it_is_back", &reason);
        }
    };
    let [early, late] = ["early", "late"].map(|name| docker.run(&["--name", name], &SLEEP));
    let [of_early, of_late] = [&early, &late].map(|id| identity_of(&docker.pid(id), id));
    let mut asked = Asked::start(&AttributionConfig {
        docker_socket: docker.socket(),
        ..nowhere()
    });
    asked.attribution.request(&of_early);
    assert_eq!(asked.next(&early).await.name.as_deref(), Some("early"));

    docker.stop_daemon();
    asked
        .wait_for("docker", |presence| *presence != Presence::Up)
        .await;
    asked.attribution.request(&of_late);
    assert_eq!(asked.attribution.unknown(), 1);

    docker.start_daemon();
    asked
        .wait_for("docker", |presence| *presence == Presence::Up)
        .await;
    assert_eq!(asked.next(&late).await.name.as_deref(), Some("late"));
    // What was known is not said again.
    assert!(asked.updates.try_recv().is_err());
    asked.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn podman_container_is_named_from_storage_and_renamed() {
    let _turn = turn().await;
    let podman = match Podman::start() {
        Ok(podman) => podman,
        Err(reason) => {
            return skip(
                "podman_container_is_named_from_storage_and_renamed",
                &reason,
            );
        }
    };
    let mut asked = Asked::start(&AttributionConfig {
        containers_storage: podman.storage(),
        ..nowhere()
    });
    let id = podman.run(&["--name", "back"], &SLEEP);
    let identity = identity_of(&podman.pid(&id), &id);
    assert_eq!(identity.runtime, Runtime::Podman);
    asked.attribution.request(&identity);
    let named = identity.with(&*asked.next(&id).await);
    assert_eq!(named.name.as_deref(), Some("back"));
    assert_eq!(named.image.as_deref(), Some(podman::IMAGE));

    podman.cli(&["rename", "back", "stock"]);
    assert_eq!(asked.next(&id).await.name.as_deref(), Some("stock"));
    asked.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn podman_service_adds_labels() {
    let _turn = turn().await;
    let mut podman = match Podman::start() {
        Ok(podman) => podman,
        Err(reason) => return skip("podman_service_adds_labels", &reason),
    };
    podman.start_service();
    let mut asked = Asked::start(&AttributionConfig {
        podman_socket: podman.socket(),
        containers_storage: podman.storage(),
        ..nowhere()
    });
    let id = podman.run(&["--name", "back", "--label", "tier=back"], &SLEEP);
    asked
        .attribution
        .request(&identity_of(&podman.pid(&id), &id));
    let details = asked.next(&id).await;
    assert_eq!(details.name.as_deref(), Some("back"));
    assert_eq!(details.image.as_deref(), Some(podman::IMAGE));
    assert_eq!(details.labels.get("tier").map(String::as_str), Some("back"));
    asked.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containerd_container_is_named_from_its_bundle() {
    let _turn = turn().await;
    let containerd = match Containerd::start() {
        Ok(containerd) => containerd,
        Err(reason) => {
            return skip("containerd_container_is_named_from_its_bundle", &reason);
        }
    };
    let mut asked = Asked::start(&AttributionConfig {
        containerd_state: containerd.state(),
        ..nowhere()
    });
    containerd.run("plain", &[], &SLEEP);
    let identity = identity_of(&containerd.pid("plain"), "plain");
    assert_eq!(identity.runtime, Runtime::Containerd);
    asked.attribution.request(&identity);
    assert_eq!(asked.next("plain").await.name.as_deref(), Some("plain"));
    assert_eq!(asked.presence("containerd"), Some(Presence::Up));
    asked.end().await;
}

/// The kubelet's cgroups and CRI's annotations, without a kubelet: as close as `runc` and `ctr` get.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pod_is_named_by_its_containers() {
    let _turn = turn().await;
    let containerd = match Containerd::start() {
        Ok(containerd) => containerd,
        Err(reason) => return skip("pod_is_named_by_its_containers", &reason),
    };
    let uid = "0d1c7a9e-52f4-4b6e-9a55-6f0f2e0f9b11";
    let id = "b7f792a395a20b87e7f78881729cdb4d83caaba7159474fee077216052d0c1b5";
    let parent = format!("/kubepods/pod{uid}");
    let _parents = host::CgroupParents::watch(&[&parent[1..], "kubepods"]);
    let cgroup = format!("{parent}/{id}");
    let annotations = [
        "io.kubernetes.cri.container-type=sandbox",
        "io.kubernetes.cri.sandbox-name=web",
        "io.kubernetes.cri.sandbox-namespace=shop",
    ];
    let mut options = vec!["--cgroup", &cgroup];
    for annotation in annotations {
        options.extend(["--annotation", annotation]);
    }
    containerd.run(id, &options, &SLEEP);

    let mut asked = Asked::start(&AttributionConfig {
        containerd_state: containerd.state(),
        ..nowhere()
    });
    let identity = identity_of(&containerd.pid(id), id);
    assert_eq!(identity.runtime, Runtime::Kubernetes);
    asked.attribution.request(&classify(&parent));
    asked.attribution.request(&identity);
    let pod = classify(&parent).with(&*asked.next(uid).await);
    assert_eq!((pod.kind, pod.pod.as_deref()), (Kind::Pod, Some("web")));
    assert_eq!(pod.namespace.as_deref(), Some("shop"));
    // Both were said; which came first is of no matter.
    asked.attribution.forget(id);
    asked.attribution.request(&identity);
    let sandbox = identity.with(&*asked.next(id).await);
    assert_eq!(sandbox.kind, Kind::Sandbox);
    assert_eq!(sandbox.runtime, Runtime::Containerd);
    assert_eq!(sandbox.container.as_deref(), Some("POD"));
    asked.end().await;
    drop(containerd);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runc_container_is_what_its_path_says() {
    let _turn = turn().await;
    let runc = match Runc::start() {
        Ok(runc) => runc,
        Err(reason) => return skip("runc_container_is_what_its_path_says", &reason),
    };
    let id = "2353c701b8486f5c197310118403c348055ac36405c1ce8b678eae84fa4b5585";
    let _parents = host::CgroupParents::watch(&["plimsoll-test-jobs"]);
    let container = runc.run("job", &format!("/plimsoll-test-jobs/{id}"), &SLEEP, |_| {});
    let identity = identity_of(&container.pid(), id);
    assert_eq!(identity.id, format!("/plimsoll-test-jobs/{id}"));
}
