//! CRI-O, from the bundle that it keeps in the containers' storage:
//! `<storage>/overlay-containers/<id>/userdata/config.json`. It shares that storage with podman, so
//! only an answer tells that it is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bundle::{Annotations, is_file_name};
use super::{Engines, Presence, Query};
use crate::config::AttributionConfig;
use crate::identity::details::Details;
use crate::identity::workload::Runtime;

const ENGINE: &str = "cri-o";

pub(super) struct CriO {
    storage: Arc<PathBuf>,
    engines: Engines,
}

impl CriO {
    pub(super) fn new(config: &AttributionConfig, engines: Engines) -> Self {
        Self {
            storage: Arc::new(config.containers_storage.clone()),
            engines,
        }
    }

    pub(super) async fn look_up(&self, query: &Query) -> Option<Details> {
        let (storage, id) = (Arc::clone(&self.storage), query.id.clone());
        let answer = tokio::task::spawn_blocking(move || find(&storage, &id));
        // The task fails only when the runtime is shutting down.
        let details = answer.await.ok()??;
        self.engines.set(ENGINE, Presence::Up);
        Some(details)
    }
}

fn find(storage: &Path, id: &str) -> Option<Details> {
    if !is_file_name(id) {
        return None;
    }
    let bundle = storage.join("overlay-containers").join(id).join("userdata");
    details(&Annotations::read(&bundle.join("config.json"))?)
}

/// `None`: the bundle is somebody else's (podman keeps its own in the same place).
fn details(annotations: &Annotations) -> Option<Details> {
    let crio = |key: &str| {
        annotations
            .get(&format!("io.kubernetes.cri-o.{key}"))
            .map(str::to_owned)
    };
    let kind = crio("ContainerType")?;
    let sandbox = kind == "sandbox";
    // The sandbox's `Name` is the pod's.
    let name = if sandbox {
        crio("ContainerName").or_else(|| crio("Name"))
    } else {
        crio("Name").or_else(|| crio("ContainerName"))
    };
    let mut details = Details {
        runtime: Runtime::CriO,
        name,
        image: crio("ImageName").or_else(|| crio("Image")),
        container: annotations
            .get("io.kubernetes.container.name")
            .map(str::to_owned),
        pod: annotations.get("io.kubernetes.pod.name").map(str::to_owned),
        namespace: annotations
            .get("io.kubernetes.pod.namespace")
            .map(str::to_owned),
        sandbox,
        ..Details::default()
    };
    if let Some(labels) = crio("Labels")
        && let Ok(labels) = serde_json::from_str::<BTreeMap<String, String>>(&labels)
    {
        details.set_labels(labels);
    }
    details.set_pod_from_labels();
    Some(details)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Keys and forms as `crictl inspectp` of CRI-O 1.2x prints them in its `runtimeSpec`.
    #[test]
    fn sandbox() {
        let annotations = Annotations::from_pairs(&[
            ("io.container.manager", "cri-o"),
            ("io.kubernetes.container.name", "POD"),
            (
                "io.kubernetes.cri-o.ContainerName",
                "k8s_POD_web_shop_0d1c_0",
            ),
            ("io.kubernetes.cri-o.ContainerType", "sandbox"),
            ("io.kubernetes.cri-o.Image", "registry.k8s.io/pause:3.5"),
            (
                "io.kubernetes.cri-o.Labels",
                r#"{"io.kubernetes.container.name":"POD","io.kubernetes.pod.name":"web","io.kubernetes.pod.namespace":"shop","run":"web"}"#,
            ),
            ("io.kubernetes.cri-o.Name", "k8s_web_shop_0d1c_0"),
        ]);
        let details = details(&annotations).unwrap();
        assert!(details.sandbox);
        assert_eq!(details.name.as_deref(), Some("k8s_POD_web_shop_0d1c_0"));
        assert_eq!(details.image.as_deref(), Some("registry.k8s.io/pause:3.5"));
        assert_eq!(details.container.as_deref(), Some("POD"));
        assert_eq!(details.pod.as_deref(), Some("web"));
        assert_eq!(details.namespace.as_deref(), Some("shop"));
        assert_eq!(details.labels["run"], "web");
    }

    #[test]
    fn container() {
        let annotations = Annotations::from_pairs(&[
            ("io.kubernetes.container.name", "app"),
            ("io.kubernetes.pod.name", "web"),
            ("io.kubernetes.pod.namespace", "shop"),
            ("io.kubernetes.cri-o.ContainerType", "container"),
            ("io.kubernetes.cri-o.Name", "k8s_app_web_shop_0d1c_0"),
            ("io.kubernetes.cri-o.ImageName", "quay.io/shop/app:3"),
            ("io.kubernetes.cri-o.Image", "5b4f"),
            ("io.kubernetes.cri-o.Labels", "not json"),
        ]);
        let details = details(&annotations).unwrap();
        assert!(!details.sandbox);
        assert_eq!(details.name.as_deref(), Some("k8s_app_web_shop_0d1c_0"));
        assert_eq!(details.image.as_deref(), Some("quay.io/shop/app:3"));
        assert_eq!(details.container.as_deref(), Some("app"));
        assert_eq!(details.pod.as_deref(), Some("web"));
        assert!(details.labels.is_empty());
    }

    #[test]
    fn podmans_bundle_is_not_cri_os() {
        let storage = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/identity/storage");
        let id = "0221db5c6b391a4bee394aa02c5fdb549c544c6f06202cb5405f0a9fad071efd";
        assert!(
            storage
                .join("overlay-containers")
                .join(id)
                .join("userdata/config.json")
                .is_file()
        );
        assert_eq!(find(&storage, id), None);
    }
}
