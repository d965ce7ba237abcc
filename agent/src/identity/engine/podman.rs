//! Podman. Names and images come from its storage on disk, `<driver>-containers/containers.json`,
//! which needs no service; labels only from its API, when somebody listens there. A rootless user's
//! containers are in the storage of that user.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::Docker as Client;
use nix::unistd::{Uid, User};
use tracing::debug;

use super::api::{self, Failure, Socket};
use super::storage::{Storage, Stored, index_paths};
use super::{Engines, Presence, Query, file};
use crate::config::AttributionConfig;
use crate::identity::details::Details;
use crate::identity::workload::Runtime;

const ENGINE: &str = "podman";
/// Below a user's home, unless they configured another.
const ROOTLESS_STORAGE: &str = ".local/share/containers/storage";
/// After a failure the socket is left alone for so long.
const SOCKET_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Podman {
    socket: Option<Socket>,
    /// Root's.
    root: PathBuf,
    storage: Arc<Storage>,
    engines: Engines,
    connection: tokio::sync::Mutex<Connection>,
}

enum Connection {
    None,
    Open(Client),
    Broken {
        /// Not asked again before then.
        until: Instant,
        /// Somebody listens, who did not answer.
        silent: bool,
    },
}

/// What the API said of a container.
enum Answer {
    Known(Details),
    /// It knows no such container, or there is no service; `silent`: it may say something later, as
    /// a service that is started on demand takes its time.
    Nothing {
        silent: bool,
    },
}

impl Podman {
    pub(super) fn new(config: &AttributionConfig, engines: Engines) -> Self {
        Self {
            socket: Socket::new(&config.podman_socket, config.timeout),
            root: config.containers_storage.clone(),
            storage: Arc::default(),
            engines,
            connection: tokio::sync::Mutex::new(Connection::None),
        }
    }

    pub(super) async fn look_up(&self, query: &Query) -> Option<Details> {
        let stored = self.stored(query).await;
        let answer = match query.owner {
            None => self.asked(query).await,
            Some(_) => Answer::Nothing { silent: false },
        };
        let details = match answer {
            Answer::Known(mut details) => {
                details.sandbox |= is_infra(query, details.name.as_deref());
                details
            }
            Answer::Nothing { silent } => Details {
                partial: silent,
                ..stored?
            },
        };
        self.engines.set(ENGINE, Presence::Up);
        Some(details)
    }

    /// Ids of containers that were renamed since the storage was last read.
    pub(super) async fn renamed(&self) -> Vec<String> {
        let storage = Arc::clone(&self.storage);
        let check = tokio::task::spawn_blocking(move || storage.renamed());
        // The task fails only when the runtime is shutting down.
        check.await.unwrap_or_default()
    }

    /// Says whether root's podman has ever been used here.
    pub(super) async fn look_around(&self) {
        let mut presence = Presence::Absent;
        for path in index_paths(&self.root) {
            match tokio::fs::metadata(path).await {
                Ok(_) => presence = Presence::Up,
                Err(error) if file::is_missing(&error) => {}
                Err(error) => presence = Presence::Down(error.to_string()),
            }
        }
        self.engines.set(ENGINE, presence);
    }

    async fn stored(&self, query: &Query) -> Option<Details> {
        let (query, root) = (query.clone(), self.root.clone());
        let storage = Arc::clone(&self.storage);
        let read = tokio::task::spawn_blocking(move || {
            let root = match query.owner {
                None => root,
                Some(uid) => home(uid)?.join(ROOTLESS_STORAGE),
            };
            let stored = storage.find(&root, query.owner, &query.id)?;
            Some(details(&query, stored))
        });
        // The task fails only when the runtime is shutting down.
        read.await.ok()?
    }

    /// Asks the API. Podman's own socket is started on demand and its service leaves again when it
    /// is idle, so there is no lasting connection to it, and nobody listening is not a fault.
    async fn asked(&self, query: &Query) -> Answer {
        let Some(socket) = self.socket.as_ref() else {
            return Answer::Nothing { silent: false };
        };
        let mut connection = self.connection.lock().await;
        let client = match &*connection {
            Connection::Open(client) => Ok(client.clone()),
            Connection::Broken { until, silent } if Instant::now() < *until => {
                return Answer::Nothing { silent: *silent };
            }
            Connection::Broken { .. } | Connection::None => socket.connect().await,
        };
        let answer = match client {
            Ok(client) => {
                let answer = socket.inspect(&client, &query.id).await;
                *connection = Connection::Open(client);
                answer
            }
            Err(failure) => Err(failure),
        };
        match answer {
            Ok(Some(container)) => Answer::Known(api::details(Runtime::Podman, container)),
            Ok(None) => Answer::Nothing { silent: false },
            Err(failure) => {
                let silent = !matches!(failure, Failure::Absent);
                if silent {
                    debug!(error = %failure, "podman's service does not answer");
                }
                let until = Instant::now() + SOCKET_PAUSE;
                *connection = Connection::Broken { until, silent };
                Answer::Nothing { silent }
            }
        }
    }
}

fn home(uid: u32) -> Option<PathBuf> {
    Some(User::from_uid(Uid::from_raw(uid)).ok()??.dir)
}

fn details(query: &Query, stored: Stored) -> Details {
    Details {
        runtime: Runtime::Podman,
        sandbox: is_infra(query, stored.name.as_deref()),
        name: stored.name,
        image: stored.image,
        ..Details::default()
    }
}

/// Podman calls a pod's sandbox after the pod: `<first 12 digits of its id>-infra`.
fn is_infra(query: &Query, name: Option<&str>) -> bool {
    let pod = query.pod_uid.as_deref().and_then(|pod| pod.get(..12));
    pod.zip(name)
        .is_some_and(|(pod, name)| name.strip_suffix("-infra") == Some(pod))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::*;
    use crate::identity::classify;

    const POD: &str =
        "/libpod_parent/68d179b7ced37ec93171b9cfa6f650141dc1777f6ffb2ffa1c7bc5eb8e08242b";

    /// Captured from podman 4.3.1: a container renamed from `pod-web` to `web-renamed`, and a pod.
    fn captured(path: &str) -> Option<Details> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/identity/storage");
        let query = Query::of(&classify(path)).unwrap();
        let stored = Storage::default().find(&root, None, &query.id)?;
        Some(details(&query, stored))
    }

    #[test]
    fn name_and_image_from_storage() {
        let details = captured(
            "/machine.slice/libpod-0221db5c6b391a4bee394aa02c5fdb549c544c6f06202cb5405f0a9fad071efd.scope",
        )
        .unwrap();
        assert_eq!(details.runtime, Runtime::Podman);
        assert_eq!(details.name.as_deref(), Some("web-renamed"));
        assert_eq!(
            details.image.as_deref(),
            Some("localhost/plimsoll-busybox:1")
        );
        assert!(!details.sandbox);
    }

    #[test]
    fn infra_container_is_the_pods_sandbox() {
        let infra = captured(&format!(
            "{POD}/libpod-7f17e4d163cfc1920acc3e3a88864525102e3b85af843c7ec76adae81fd95b13"
        ));
        assert!(infra.unwrap().sandbox);
        let other = captured(&format!(
            "{POD}/libpod-3f3011bc159232182ef03f0d09105f6e043aa2f77ce896f83851b7f47a57421c"
        ));
        assert!(!other.unwrap().sandbox);
    }
}
