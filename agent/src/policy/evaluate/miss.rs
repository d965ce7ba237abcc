//! Why a policy does not match a workload.

use std::fmt::Display;

use crate::identity::{Identity, Kind};
use crate::policy::pattern::Pattern;
use crate::policy::selector::{LabelTerm, Selector, Terms};

/// The first term that fails, in words.
pub(super) fn why(select: &Selector, identity: &Identity) -> String {
    if let Some(reason) = failing(&select.matching, identity) {
        return reason;
    }
    if select.exclude.iter().any(|terms| terms.matches(identity)) {
        return "it is excluded".to_owned();
    }
    format!(
        "it is a {}, which a policy without `kind` leaves out",
        identity.kind.name()
    )
}

fn failing(terms: &Terms, identity: &Identity) -> Option<String> {
    if !terms.runtime.is_empty() && !terms.runtime.contains(&identity.runtime) {
        let wanted = terms.runtime.iter().map(|runtime| runtime.name());
        return Some(miss("runtime", identity.runtime.name(), wanted));
    }
    if !terms.kind.is_empty() && !terms.kind.contains(&identity.kind) {
        let wanted = terms.kind.iter().map(|kind| kind.name());
        return Some(miss("kind", identity.kind.name(), wanted));
    }
    if let Some(label) = terms.labels.iter().find(|label| !label.matches(identity)) {
        return Some(label_miss(label, identity));
    }
    let unit = identity
        .name
        .as_deref()
        .filter(|_| identity.kind == Kind::Unit);
    let patterns = [
        ("cgroup", &terms.cgroup, Some(identity.id.as_str())),
        ("name", &terms.name, identity.name.as_deref()),
        ("unit", &terms.unit, unit),
        ("image", &terms.image, identity.image.as_deref()),
        ("namespace", &terms.namespace, identity.namespace.as_deref()),
        ("pod", &terms.pod, identity.pod.as_deref()),
        ("container", &terms.container, identity.container.as_deref()),
    ];
    patterns
        .into_iter()
        .find(|(_, patterns, text)| !any_of(patterns, *text))
        .map(|(key, patterns, text)| miss(key, text.unwrap_or("none"), patterns))
}

fn label_miss(label: &LabelTerm, identity: &Identity) -> String {
    let has = identity.labels.get(&label.key).map(String::as_str);
    let key = format!("label {}", label.key);
    miss(&key, has.unwrap_or("none"), &label.values)
}

fn miss(key: &str, has: &str, wanted: impl IntoIterator<Item = impl Display>) -> String {
    let wanted: Vec<_> = wanted.into_iter().map(|one| one.to_string()).collect();
    format!("{key} is {has}, not {}", wanted.join(" or "))
}

fn any_of(patterns: &[Pattern], text: Option<&str>) -> bool {
    patterns.is_empty()
        || text.is_some_and(|text| patterns.iter().any(|pattern| pattern.matches(text)))
}
