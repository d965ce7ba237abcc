//! Which workloads a policy is about.

use serde::{Deserialize, Serialize};

use super::pattern::Pattern;
use crate::identity::{Identity, Kind, Runtime};

/// Those that `matching` matches and no `exclude` does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selector {
    pub matching: Terms,
    pub exclude: Vec<Terms>,
}

/// Every term that is given must match; a term with several values matches by any of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Terms {
    pub runtime: Vec<Runtime>,
    /// Empty in a `matching`: what runs on its own: no host, slice, pod or sandbox, and nothing that
    /// is merely inside a container.
    pub kind: Vec<Kind>,
    pub labels: Vec<LabelTerm>,
    /// Its path. `/a/**` is all below `/a`, not `/a` itself.
    pub cgroup: Vec<Pattern>,
    pub name: Vec<Pattern>,
    /// The name of a unit.
    pub unit: Vec<Pattern>,
    pub image: Vec<Pattern>,
    pub namespace: Vec<Pattern>,
    pub pod: Vec<Pattern>,
    /// The name in its pod.
    pub container: Vec<Pattern>,
}

/// A label and what it may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelTerm {
    pub key: String,
    /// Any of these; never empty.
    pub values: Vec<Pattern>,
}

impl Selector {
    /// Whether this workload is meant.
    #[must_use]
    pub fn matches(&self, identity: &Identity) -> bool {
        let by_itself = !self.matching.kind.is_empty() || runs_by_itself(identity);
        by_itself
            && self.matching.matches(identity)
            && !self.exclude.iter().any(|terms| terms.matches(identity))
    }

    /// How many terms a workload must meet; each label is one.
    #[must_use]
    pub fn specificity(&self) -> usize {
        self.matching.count()
    }
}

impl Terms {
    /// Whether every term matches. No term at all: everything does.
    #[must_use]
    pub fn matches(&self, identity: &Identity) -> bool {
        let unit = match identity.kind {
            Kind::Unit => identity.name.as_deref(),
            _ => None,
        };
        (self.runtime.is_empty() || self.runtime.contains(&identity.runtime))
            && (self.kind.is_empty() || self.kind.contains(&identity.kind))
            && self.labels.iter().all(|label| label.matches(identity))
            && any_of(&self.cgroup, Some(&identity.id))
            && any_of(&self.name, identity.name.as_deref())
            && any_of(&self.unit, unit)
            && any_of(&self.image, identity.image.as_deref())
            && any_of(&self.namespace, identity.namespace.as_deref())
            && any_of(&self.pod, identity.pod.as_deref())
            && any_of(&self.container, identity.container.as_deref())
    }

    /// How many terms there are; each label is one.
    #[must_use]
    pub fn count(&self) -> usize {
        let patterns = self
            .patterns()
            .iter()
            .filter(|(_, p)| !p.is_empty())
            .count();
        usize::from(!self.runtime.is_empty())
            + usize::from(!self.kind.is_empty())
            + self.labels.len()
            + patterns
    }

    /// The terms that are patterns, by key.
    pub(super) fn patterns(&self) -> [(&'static str, &[Pattern]); 7] {
        [
            ("cgroup", &self.cgroup),
            ("name", &self.name),
            ("unit", &self.unit),
            ("image", &self.image),
            ("namespace", &self.namespace),
            ("pod", &self.pod),
            ("container", &self.container),
        ]
    }
}

impl LabelTerm {
    /// Whether the workload has this label with such a value.
    #[must_use]
    pub fn matches(&self, identity: &Identity) -> bool {
        let value = identity.labels.get(&self.key);
        value.is_some_and(|value| self.values.iter().any(|pattern| pattern.matches(value)))
    }
}

fn any_of(patterns: &[Pattern], text: Option<&str>) -> bool {
    patterns.is_empty()
        || text.is_some_and(|text| patterns.iter().any(|pattern| pattern.matches(text)))
}

/// What a policy means that names no kind.
fn runs_by_itself(identity: &Identity) -> bool {
    match identity.kind {
        Kind::Container | Kind::Machine => true,
        Kind::Unit | Kind::Cgroup => identity.container_id.is_none(),
        Kind::Host | Kind::Slice | Kind::Pod | Kind::Sandbox => false,
    }
}
