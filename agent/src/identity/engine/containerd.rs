//! containerd, from the bundles its shims keep: `<state>/io.containerd.runtime.v2.task/<namespace>/<id>/config.json`.
//! No connection: a bundle is there before its cgroup is, and stays the same while the container runs.
//! A container that neither CRI nor nerdctl made has no image there.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bundle::{Annotations, is_file_name};
use super::{Engines, Presence, Query, file};
use crate::config::AttributionConfig;
use crate::identity::details::{Details, SANDBOX_NAME};
use crate::identity::workload::Runtime;

const ENGINE: &str = "containerd";
const TASKS: &str = "io.containerd.runtime.v2.task";
/// Docker keeps its containers here, and knows more about them.
const DOCKERS_NAMESPACE: &str = "moby";
const MAX_NAMESPACES: usize = 256;

pub(super) struct Containerd {
    tasks: Arc<PathBuf>,
    engines: Engines,
}

impl Containerd {
    pub(super) fn new(config: &AttributionConfig, engines: Engines) -> Self {
        Self {
            tasks: Arc::new(config.containerd_state.join(TASKS)),
            engines,
        }
    }

    pub(super) async fn look_up(&self, query: &Query) -> Option<Details> {
        let (tasks, query) = (Arc::clone(&self.tasks), query.clone());
        let answer = tokio::task::spawn_blocking(move || find(&tasks, &query));
        // The task fails only when the runtime is shutting down.
        let (presence, details) = match answer.await.ok()? {
            Ok(Some(details)) => (Presence::Up, Some(details)),
            Ok(None) => (self.presence().await, None),
            Err(error) => (Presence::Down(error.to_string()), None),
        };
        self.engines.set(ENGINE, presence);
        details
    }

    pub(super) async fn look_around(&self) {
        self.engines.set(ENGINE, self.presence().await);
    }

    async fn presence(&self) -> Presence {
        match tokio::fs::metadata(self.tasks.as_path()).await {
            Ok(_) => Presence::Up,
            Err(error) if file::is_missing(&error) => Presence::Absent,
            Err(error) => Presence::Down(error.to_string()),
        }
    }
}

fn find(tasks: &Path, query: &Query) -> io::Result<Option<Details>> {
    if !is_file_name(&query.id) {
        return Ok(None);
    }
    let entries = match tasks.read_dir() {
        Ok(entries) => entries,
        Err(error) if file::is_missing(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut namespaces = entries
        .take(MAX_NAMESPACES)
        .map(|entry| Ok(entry?.file_name()))
        .collect::<io::Result<Vec<_>>>()?;
    namespaces.retain(|namespace| namespace != DOCKERS_NAMESPACE);
    // `ctr` and nerdctl name the cgroup's parent after the namespace; ids are unique only within.
    namespaces.sort_by_key(|namespace| namespace.to_str() != query.parent.as_deref());
    for namespace in namespaces {
        let config = tasks.join(namespace).join(&query.id).join("config.json");
        if let Some(annotations) = Annotations::read(&config) {
            return Ok(Some(details(query, &annotations)));
        }
    }
    Ok(None)
}

fn details(query: &Query, annotations: &Annotations) -> Details {
    let cri = |key: &str| {
        annotations
            .get(&format!("io.kubernetes.cri.{key}"))
            .map(str::to_owned)
    };
    let sandbox = cri("container-type").as_deref() == Some("sandbox");
    let mut details = Details {
        runtime: Runtime::Containerd,
        name: Some(
            annotations
                .get("nerdctl/name")
                .unwrap_or(&query.id)
                .to_owned(),
        ),
        image: cri("image-name"),
        container: if sandbox {
            Some(SANDBOX_NAME.to_owned())
        } else {
            cri("container-name")
        },
        pod: cri("sandbox-name"),
        namespace: cri("sandbox-namespace"),
        sandbox,
        ..Details::default()
    };
    if details.pod.is_some() {
        details.set_labels_from_pod(query.pod_uid.as_deref());
    } else {
        let labels = annotations.with_prefix("nerdctl/");
        details.set_labels(labels.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
    details
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::identity::classify;

    /// Captured from containerd 1.6.20: `ctr run`, and a pod made through CRI.
    fn captured(path: &str) -> Option<Details> {
        let state =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/identity/containerd");
        find(&state.join(TASKS), &Query::of(&classify(path)).unwrap()).unwrap()
    }

    const POD: &str = "/kubepods/burstable/pod0d1c7a9e-52f4-4b6e-9a55-6f0f2e0f9b11";

    #[test]
    fn container_of_a_pod() {
        let id = "b7f792a395a20b87e7f78881729cdb4d83caaba7159474fee077216052d0c1b5";
        let details = captured(&format!("{POD}/{id}")).unwrap();
        assert_eq!(details.name.as_deref(), Some(id));
        assert_eq!(details.image.as_deref(), Some("docker.io/library/app:1.2"));
        assert_eq!(details.container.as_deref(), Some("app"));
        assert_eq!(details.pod.as_deref(), Some("web-7d4b9c"));
        assert_eq!(details.namespace.as_deref(), Some("shop"));
        assert!(!details.sandbox);
        assert_eq!(details.labels["io.kubernetes.container.name"], "app");
        assert_eq!(
            details.labels["io.kubernetes.pod.uid"],
            "0d1c7a9e-52f4-4b6e-9a55-6f0f2e0f9b11"
        );
    }

    #[test]
    fn sandbox_of_a_pod() {
        let id = "9289a92554774043f036edfb041cdd7bd653a908b5a2bc8fd125872b77f917db";
        let details = captured(&format!("{POD}/{id}")).unwrap();
        assert!(details.sandbox);
        assert_eq!(details.container.as_deref(), Some("POD"));
        assert_eq!(details.pod.as_deref(), Some("web-7d4b9c"));
        assert!(!details.labels.contains_key("io.kubernetes.container.name"));
    }

    #[test]
    fn plain_container_is_called_by_its_id() {
        let details = captured("/default/plain1").unwrap();
        assert_eq!(details.name.as_deref(), Some("plain1"));
        assert_eq!((details.image, details.pod), (None, None));
        assert_eq!(captured("/default/plain2"), None);
        assert_eq!(captured("/default/.."), None);
    }

    #[test]
    fn nerdctl_names_its_containers() {
        let query = Query::of(&classify("/default/plain1")).unwrap();
        let annotations =
            Annotations::from_pairs(&[("nerdctl/name", "web"), ("nerdctl/namespace", "default")]);
        let details = details(&query, &annotations);
        assert_eq!(details.name.as_deref(), Some("web"));
        assert_eq!(details.labels["nerdctl/namespace"], "default");
    }

    #[test]
    fn a_broken_bundle_is_as_good_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let bundle = dir.path().join("default/plain1");
        std::fs::create_dir_all(&bundle).unwrap();
        std::fs::write(bundle.join("config.json"), "{").unwrap();
        let query = Query::of(&classify("/default/plain1")).unwrap();
        assert_eq!(find(dir.path(), &query).unwrap(), None);
    }
}
