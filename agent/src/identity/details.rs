//! What an engine says of one container.

use std::collections::BTreeMap;

use super::workload::Runtime;

/// Labels kept of one container, and the longest key and value. Whoever may start containers
/// chooses their labels; they must not choose how much memory the agent takes. A label that is too
/// long is left out rather than cut: a cut value would be a false one.
const MAX_LABELS: usize = 128;
const MAX_LABEL_KEY_BYTES: usize = 256;
const MAX_LABEL_VALUE_BYTES: usize = 1024;

/// Labels that the kubelet puts on every container it starts.
const POD_NAME: &str = "io.kubernetes.pod.name";
const POD_NAMESPACE: &str = "io.kubernetes.pod.namespace";
const CONTAINER_NAME: &str = "io.kubernetes.container.name";

/// The kubelet's name for a sandbox.
pub(super) const SANDBOX_NAME: &str = "POD";

/// An engine's answer. `None` and empty: it has no such thing, or does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Who answered.
    pub runtime: Runtime,
    /// Docker's and podman's `--name`; CRI-O's `k8s_…`; containerd's id, as cAdvisor has them.
    pub name: Option<String>,
    /// Image as it was named when the container was made.
    pub image: Option<String>,
    /// At most 128, none longer than 1 KiB.
    pub labels: BTreeMap<String, String>,
    /// Kubernetes: name in the pod, `POD` for the sandbox.
    pub container: Option<String>,
    pub pod: Option<String>,
    pub namespace: Option<String>,
    /// A pod's sandbox ("pause") container.
    pub sandbox: bool,
    /// The part of the engine that knows the labels did not answer: worth asking again.
    pub(super) partial: bool,
}

impl Details {
    /// Of a container that this agent runs.
    #[must_use]
    pub fn own(
        name: &str,
        image: &str,
        labels: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut details = Self {
            runtime: Runtime::Plimsoll,
            name: Some(name.to_owned()),
            image: (!image.is_empty()).then(|| image.to_owned()),
            ..Self::default()
        };
        details.set_labels(labels);
        details
    }

    /// Takes `labels`, within bounds.
    pub(super) fn set_labels(&mut self, labels: impl IntoIterator<Item = (String, String)>) {
        self.labels = labels
            .into_iter()
            .filter(|(key, value)| {
                key.len() <= MAX_LABEL_KEY_BYTES && value.len() <= MAX_LABEL_VALUE_BYTES
            })
            .take(MAX_LABELS)
            .collect();
    }

    /// Fills what the kubelet's labels say and nothing else has said.
    pub(super) fn set_pod_from_labels(&mut self) {
        let label = |key: &str| self.labels.get(key).filter(|v| !v.is_empty()).cloned();
        let (container, pod, namespace) =
            (label(CONTAINER_NAME), label(POD_NAME), label(POD_NAMESPACE));
        self.container = self.container.take().or(container);
        self.pod = self.pod.take().or(pod);
        self.namespace = self.namespace.take().or(namespace);
        if self.container.as_deref() == Some(SANDBOX_NAME) {
            self.sandbox = true;
        }
        if self.sandbox && self.pod.is_some() {
            self.container = Some(SANDBOX_NAME.to_owned());
        }
    }

    /// The labels the kubelet gave, for engines that keep them where only their own API reads them
    /// but say the same in another place.
    pub(super) fn set_labels_from_pod(&mut self, pod_uid: Option<&str>) {
        let said = [
            (
                CONTAINER_NAME,
                self.container.as_deref().filter(|_| !self.sandbox),
            ),
            (POD_NAME, self.pod.as_deref()),
            (POD_NAMESPACE, self.namespace.as_deref()),
            ("io.kubernetes.pod.uid", pod_uid),
        ];
        let labels = said.into_iter().filter_map(|(key, value)| {
            let value = value?;
            Some((key.to_owned(), value.to_owned()))
        });
        self.set_labels(labels.collect::<Vec<_>>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_bounded() {
        let mut details = Details::default();
        details.set_labels([
            ("kept".to_owned(), "v".to_owned()),
            ("long".to_owned(), "v".repeat(MAX_LABEL_VALUE_BYTES + 1)),
        ]);
        assert_eq!(details.labels.len(), 1);
        details.set_labels((0..10_000).map(|n| (n.to_string(), String::new())));
        assert_eq!(details.labels.len(), MAX_LABELS);
    }

    #[test]
    fn a_container_named_pod_is_the_sandbox() {
        let mut details = Details::default();
        details.set_labels(
            [
                (CONTAINER_NAME, "POD"),
                (POD_NAME, "web"),
                (POD_NAMESPACE, "shop"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        details.set_pod_from_labels();
        assert!(details.sandbox);
        assert_eq!(details.container.as_deref(), Some("POD"));
        assert_eq!(details.pod.as_deref(), Some("web"));
    }
}
