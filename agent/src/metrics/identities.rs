//! The labels that name each workload, written once per scrape and then copied to every sample.

use std::collections::BTreeSet;

use crate::config::ContainersConfig;
use crate::identity::{Identity, Kind};
use crate::ledger::Workload;
use crate::metrics::exposition::{push_label, sanitise_label_name};

/// Prefix of a container's own labels, as cAdvisor has it.
const LABEL_PREFIX: &str = "container_label_";

/// All workloads' labels, escaped and joined, in one buffer.
pub(crate) struct Identities {
    text: Vec<u8>,
    /// Where each workload's labels end.
    ends: Vec<usize>,
}

impl Identities {
    /// In the order of `workloads`.
    pub(crate) fn new<'a>(
        workloads: impl Iterator<Item = &'a Workload>,
        containers: &ContainersConfig,
    ) -> Self {
        let mut identities = Self {
            text: Vec::new(),
            ends: Vec::new(),
        };
        for workload in workloads {
            write(&mut identities.text, &workload.identity, containers);
            identities.ends.push(identities.text.len());
        }
        identities
    }

    /// Labels of each workload, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts
            .zip(&self.ends)
            .map(|(&start, &end)| self.text.get(start..end).unwrap_or_default())
    }
}

/// An empty label is the same as none to Prometheus, and is not written.
fn write(out: &mut Vec<u8>, identity: &Identity, containers: &ContainersConfig) {
    push_label(out, true, "id", &identity.id);
    // cAdvisor names containers alone, and dashboards count what has a name: a unit's name is in
    // `plimsoll_container_info`.
    let name = match identity.kind {
        Kind::Container | Kind::Sandbox | Kind::Machine => &identity.name,
        Kind::Host | Kind::Pod | Kind::Unit | Kind::Slice | Kind::Cgroup => &None,
    };
    let named = [
        ("name", name),
        ("image", &identity.image),
        ("container", &identity.container),
        ("pod", &identity.pod),
        ("namespace", &identity.namespace),
    ];
    for (label, value) in named {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            push_label(out, false, label, value);
        }
    }
    container_labels(out, identity, containers);
}

/// Two labels that sanitise to one name would make the sample invalid: the first in byte order
/// stays.
fn container_labels(out: &mut Vec<u8>, identity: &Identity, containers: &ContainersConfig) {
    let mut written = BTreeSet::new();
    for (label, value) in &identity.labels {
        let wanted = containers.store_container_labels
            || containers.whitelisted_container_labels.contains(label);
        if !wanted || value.is_empty() {
            continue;
        }
        let mut name = String::from(LABEL_PREFIX);
        sanitise_label_name(&mut name, label);
        if !written.contains(&name) {
            push_label(out, false, &name, value);
            written.insert(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(identity: &Identity, containers: &ContainersConfig) -> String {
        let mut out = Vec::new();
        write(&mut out, identity, containers);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn web() -> Identity {
        let labels = [
            ("com.example.tier", "front"),
            ("com-example-tier", "shadowed"),
            ("empty", ""),
            ("secret", "s"),
        ];
        Identity {
            id: "/docker/0a".to_owned(),
            kind: Kind::Container,
            name: Some("web".to_owned()),
            image: Some(String::new()),
            pod: Some("p".to_owned()),
            labels: labels
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Identity::default()
        }
    }

    #[test]
    fn no_container_label_by_default() {
        let text = written(&web(), &ContainersConfig::default());
        assert_eq!(text, "id=\"/docker/0a\",name=\"web\",pod=\"p\"");
    }

    #[test]
    fn a_unit_has_no_name() {
        let identity = Identity {
            kind: Kind::Unit,
            ..web()
        };
        let text = written(&identity, &ContainersConfig::default());
        assert_eq!(text, "id=\"/docker/0a\",pod=\"p\"");
    }

    #[test]
    fn listed_labels_are_sanitised() {
        let containers = ContainersConfig {
            whitelisted_container_labels: vec!["com.example.tier".to_owned()],
            ..ContainersConfig::default()
        };
        assert!(
            written(&web(), &containers).ends_with(",container_label_com_example_tier=\"front\"")
        );
    }

    #[test]
    fn labels_that_become_one_name_are_written_once() {
        let containers = ContainersConfig {
            store_container_labels: true,
            ..ContainersConfig::default()
        };
        let text = written(&web(), &containers);
        assert_eq!(text.matches("container_label_com_example_tier").count(), 1);
        assert!(text.contains("container_label_secret"));
        assert!(!text.contains("container_label_empty"));
    }
}
