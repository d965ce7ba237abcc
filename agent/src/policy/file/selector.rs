//! `match` and `exclude`.

use super::key::{Key, key};
use super::node::Node;
use super::problems::Problems;
use super::word::{path_pattern, pattern, several, word};
use crate::policy::selector::{LabelTerm, Selector, Terms};

pub(super) const KEYS: &[Key] = &[
    key(
        "runtime",
        "`\"docker\"`, `[\"docker\", \"containerd\"]`",
        "",
        "Who made it: `docker`, `containerd`, `podman`, `cri-o`, `kubernetes`, `systemd`, `lxc`, \
         `nspawn`, `libvirt`, `plimsoll`, `cgroup`.",
    ),
    key(
        "kind",
        "`\"container\"`, `[\"container\", \"unit\"]`",
        "",
        "What it is: `container`, `unit`, `machine`, `cgroup`, `pod`, `sandbox`, `slice`, `host`. Left \
         out in a `match`: containers, machines, units and cgroups that run on their own; not pods, \
         sandboxes, slices and the host, nor what is inside a container.",
    ),
    key(
        "labels",
        "`{ tier = \"batch\", team = [\"a\", \"b-*\"] }`",
        "",
        "Every label must be there with such a value; `\"*\"` is any.",
    ),
    key(
        "cgroup",
        "`\"/kubepods.slice/**\"`",
        "",
        "Path of its cgroup, `id` in `plimsoll workloads --format json`. `*` stays within a segment, `**` is any number of \
         segments; `/a/**` is all below `/a`, and not `/a`.",
    ),
    key(
        "name",
        "`\"web-*\"`",
        "",
        "Name of the container, unit or machine.",
    ),
    key(
        "unit",
        "`\"nginx.service\"`",
        "",
        "Name of a systemd unit; nothing else is matched.",
    ),
    key("image", "`\"*/batch:*\"`", "", "Image of the container."),
    key(
        "namespace",
        "`\"shop\"`",
        "",
        "Kubernetes: namespace of the pod.",
    ),
    key("pod", "`\"web-*\"`", "", "Kubernetes: name of the pod."),
    key(
        "container",
        "`\"app\"`",
        "",
        "Kubernetes: name of the container in its pod.",
    ),
];

/// The `match` and `exclude` of a policy.
pub(super) fn read(
    matching: Option<&Node<'_>>,
    exclude: Option<&Node<'_>>,
    problems: &mut Problems,
) -> Selector {
    let matching = matching.and_then(|node| terms(node, problems));
    let exclude = exclude.map(|node| several(node, problems, excluded));
    Selector {
        matching: matching.unwrap_or_default(),
        exclude: exclude.unwrap_or_default(),
    }
}

fn excluded(node: &Node<'_>, problems: &mut Problems) -> Option<Terms> {
    let terms = terms(node, problems)?;
    if node.entries().is_some_and(|entries| entries.is_empty()) {
        problems.at(&node.path, "names nothing, and so would exclude everything");
        return None;
    }
    Some(terms)
}

fn terms(node: &Node<'_>, problems: &mut Problems) -> Option<Terms> {
    let table = node.table(KEYS, problems)?;
    let mut terms = Terms::default();
    for name in table.given() {
        let Some(node) = table.get(name) else {
            continue;
        };
        match name {
            "runtime" => terms.runtime = several(&node, problems, word),
            "kind" => terms.kind = several(&node, problems, word),
            "labels" => terms.labels = label_terms(&node, problems),
            "cgroup" => terms.cgroup = several(&node, problems, path_pattern),
            "name" => terms.name = several(&node, problems, pattern),
            "unit" => terms.unit = several(&node, problems, pattern),
            "image" => terms.image = several(&node, problems, pattern),
            "namespace" => terms.namespace = several(&node, problems, pattern),
            "pod" => terms.pod = several(&node, problems, pattern),
            _ => terms.container = several(&node, problems, pattern),
        }
    }
    Some(terms)
}

/// A table of labels, in the order of their names.
pub(super) fn label_terms(node: &Node<'_>, problems: &mut Problems) -> Vec<LabelTerm> {
    let Some(entries) = node.entries() else {
        node.wrong("a table of labels such as `{ tier = \"batch\" }`", problems);
        return Vec::new();
    };
    let term = |(key, value): (&str, Node<'_>)| LabelTerm {
        key: key.to_owned(),
        values: several(&value, problems, pattern),
    };
    let mut terms: Vec<LabelTerm> = entries.into_iter().map(term).collect();
    terms.sort_by(|a, b| a.key.cmp(&b.key));
    terms
}
