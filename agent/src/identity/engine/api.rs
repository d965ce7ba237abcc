//! Docker's Engine API, as dockerd and podman speak it.

use std::collections::HashMap;
use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::errors::Error as ApiError;
use bollard::models::ContainerInspectResponse;
use bollard::{API_DEFAULT_VERSION, Docker as Client};
use tokio::time::timeout;

use crate::identity::details::Details;
use crate::identity::workload::Runtime;

/// bollard's own limit, beyond ours: it counts whole seconds and leaves the body out.
const CLIENT_TIMEOUT_SECONDS: u64 = 120;

/// An API socket.
#[derive(Clone)]
pub(super) struct Socket {
    pub(super) path: PathBuf,
    pub(super) timeout: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("no socket")]
    Absent,
    #[error("no answer within {}", humantime::format_duration(*.0))]
    Slow(Duration),
    #[error("{0}")]
    Failed(String),
}

impl Socket {
    /// `None`: switched off.
    pub(super) fn new(path: &Path, timeout: Duration) -> Option<Self> {
        (!path.as_os_str().is_empty()).then(|| Self {
            path: path.to_owned(),
            timeout,
        })
    }

    /// A client that speaks the engine's version of the API.
    pub(super) async fn connect(&self) -> Result<Client, Failure> {
        if !tokio::fs::try_exists(&self.path).await.unwrap_or(false) {
            return Err(Failure::Absent);
        }
        let path = self.path.to_string_lossy();
        let client = Client::connect_with_unix(&path, CLIENT_TIMEOUT_SECONDS, API_DEFAULT_VERSION)
            .map_err(|error| failure(&error))?;
        timeout(self.timeout, client.negotiate_version())
            .await
            .map_err(|_elapsed| Failure::Slow(self.timeout))?
            .map_err(|error| failure(&error))
    }

    /// `None`: the engine knows no such container (yet, or any more).
    pub(super) async fn inspect(
        &self,
        client: &Client,
        id: &str,
    ) -> Result<Option<ContainerInspectResponse>, Failure> {
        let answer = timeout(self.timeout, client.inspect_container(id, None))
            .await
            .map_err(|_elapsed| Failure::Slow(self.timeout))?;
        match answer {
            Ok(container) => Ok(Some(container)),
            Err(ApiError::DockerResponseServerError {
                status_code: 404, ..
            }) => Ok(None),
            Err(error) => Err(failure(&error)),
        }
    }
}

/// The innermost cause says it (`Connection refused (os error 111)`); the layers above are HTTP's.
pub(super) fn failure(error: &ApiError) -> Failure {
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        reason = inner.to_string();
        cause = inner.source();
    }
    Failure::Failed(reason)
}

/// What `inspect` says, in our words.
pub(super) fn details(runtime: Runtime, container: ContainerInspectResponse) -> Details {
    let config = container.config.unwrap_or_default();
    let mut details = Details {
        runtime,
        // The API writes the name as a path.
        name: container
            .name
            .map(|name| name.trim_start_matches('/').to_owned())
            .filter(|name| !name.is_empty()),
        image: config.image.filter(|image| !image.is_empty()),
        ..Details::default()
    };
    set_labels(&mut details, config.labels.unwrap_or_default());
    details
}

/// What an event says of its container: its labels, and among them `name` and `image`.
pub(super) fn told(runtime: Runtime, mut attributes: HashMap<String, String>) -> Details {
    let mut take = |key: &str| attributes.remove(key).filter(|value| !value.is_empty());
    let (name, image) = (take("name"), take("image"));
    let mut details = Details {
        runtime,
        name,
        image,
        ..Details::default()
    };
    set_labels(&mut details, attributes);
    details
}

fn set_labels(details: &mut Details, labels: HashMap<String, String>) {
    details.set_labels(labels);
    // cri-dockerd.
    let kind = details.labels.get("io.kubernetes.docker.type");
    details.sandbox = kind.is_some_and(|kind| kind == "podsandbox");
    details.set_pod_from_labels();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Captured from dockerd 20.10.24.
    const INSPECT: &str = include_str!("../../../tests/fixtures/identity/docker/inspect.json");

    #[test]
    fn an_event_tells_name_image_and_labels() {
        let attributes = [
            ("name", "web"),
            ("image", "busybox"),
            ("com.example.tier", "front"),
        ];
        let attributes = attributes.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let details = told(Runtime::Docker, attributes.into());
        assert_eq!(details.name.as_deref(), Some("web"));
        assert_eq!(details.image.as_deref(), Some("busybox"));
        assert_eq!(details.labels.len(), 1);
    }

    #[test]
    fn inspect_of_docker_20_10() {
        let details = details(Runtime::Docker, serde_json::from_str(INSPECT).unwrap());
        assert_eq!(details.name.as_deref(), Some("web"));
        assert_eq!(details.image.as_deref(), Some("plimsoll-busybox:1"));
        assert_eq!(details.labels["com.example.tier"], "front");
        assert!(!details.sandbox);
        assert_eq!(details.pod, None);
    }

    #[test]
    fn cri_dockerd_tells_the_pod_in_labels() {
        let mut container: ContainerInspectResponse = serde_json::from_str(INSPECT).unwrap();
        container.config.as_mut().unwrap().labels = Some(
            [
                ("io.kubernetes.docker.type", "podsandbox"),
                ("io.kubernetes.container.name", "POD"),
                ("io.kubernetes.pod.name", "web"),
                ("io.kubernetes.pod.namespace", "shop"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        );
        let details = details(Runtime::Docker, container);
        assert!(details.sandbox);
        assert_eq!(details.container.as_deref(), Some("POD"));
        assert_eq!(details.namespace.as_deref(), Some("shop"));
    }
}
