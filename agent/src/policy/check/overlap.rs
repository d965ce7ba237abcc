//! Whether two policies can be about the same workload.

use crate::identity::Kind;
use crate::policy::pattern::Pattern;
use crate::policy::selector::{LabelTerm, Selector, Terms};

/// What a `match` without `kind` means.
const ON_THEIR_OWN: [Kind; 4] = [Kind::Container, Kind::Machine, Kind::Unit, Kind::Cgroup];

/// Whether some workload could be matched by both. `false` is certain; where it cannot be told from
/// the patterns, `true`.
pub(in crate::policy) fn may_overlap(one: &Selector, other: &Selector) -> bool {
    let (a, b) = (&one.matching, &other.matching);
    let runtimes = a.runtime.is_empty() || b.runtime.is_empty() || share(&a.runtime, &b.runtime);
    let labels = a.labels.iter().all(|term| {
        let same = b.labels.iter().filter(|other| other.key == term.key);
        same.into_iter()
            .all(|other| meet(&term.values, &other.values))
    });
    let patterns = a.patterns().into_iter().zip(b.patterns());
    let patterns = patterns
        .into_iter()
        .all(|((_, a), (_, b))| a.is_empty() || b.is_empty() || meet(a, b));
    let excluded = one.exclude.iter().any(|terms| implied(terms, b))
        || other.exclude.iter().any(|terms| implied(terms, a));
    runtimes && share(&kinds(a), &kinds(b)) && labels && patterns && !excluded
}

/// Why a selector means nothing that exists; `None`: it may mean something.
pub(in crate::policy) fn matches_nothing(select: &Selector) -> Option<&'static str> {
    let excluded = |terms: &Terms| implied(terms, &select.matching);
    if kinds(&select.matching).is_empty() {
        Some("no kind of workload that is meant here has all of this: it matches nothing")
    } else if select.exclude.iter().any(excluded) {
        Some("`exclude` excludes all of it: it matches nothing")
    } else {
        None
    }
}

fn kinds(terms: &Terms) -> Vec<Kind> {
    let named = if terms.kind.is_empty() {
        &ON_THEIR_OWN[..]
    } else {
        &terms.kind
    };
    let fits = |kind: &&Kind| can_have(**kind, terms);
    named.iter().filter(fits).copied().collect()
}

/// Whether workloads of this kind have what the terms ask for, as `Identity::with` gives it them.
fn can_have(kind: Kind, terms: &Terms) -> bool {
    let unit = terms.unit.is_empty();
    let of_container =
        terms.labels.is_empty() && terms.image.is_empty() && terms.container.is_empty();
    let of_pod = terms.namespace.is_empty() && terms.pod.is_empty();
    match kind {
        Kind::Unit => of_container && of_pod,
        Kind::Container | Kind::Sandbox => unit,
        Kind::Pod => unit && of_container,
        Kind::Host | Kind::Slice | Kind::Machine | Kind::Cgroup => unit && of_container && of_pod,
    }
}

fn share<T: PartialEq>(one: &[T], other: &[T]) -> bool {
    one.iter().any(|value| other.contains(value))
}

fn meet(one: &[Pattern], other: &[Pattern]) -> bool {
    one.iter()
        .any(|one| other.iter().any(|other| one.may_overlap(other)))
}

/// Whether all that `matching` matches meets every one of `terms`.
fn implied(terms: &Terms, matching: &Terms) -> bool {
    let runtime = terms.runtime.is_empty() || within(&matching.runtime, &terms.runtime);
    let kind = terms.kind.is_empty() || within(&kinds(matching), &terms.kind);
    let label = |term: &LabelTerm| {
        let same = matching.labels.iter().find(|other| other.key == term.key);
        same.is_some_and(|other| covered(&other.values, &term.values))
    };
    let patterns = terms.patterns().into_iter().zip(matching.patterns());
    let patterns = patterns
        .into_iter()
        .all(|((_, terms), (_, matching))| terms.is_empty() || covered(matching, terms));
    runtime && kind && terms.labels.iter().all(label) && patterns
}

fn within<T: PartialEq>(inner: &[T], outer: &[T]) -> bool {
    !inner.is_empty() && inner.iter().all(|value| outer.contains(value))
}

fn covered(inner: &[Pattern], outer: &[Pattern]) -> bool {
    let covers = |inner: &Pattern| {
        outer.iter().any(|outer| {
            outer == inner
                || outer.as_str() == "*"
                || (inner.is_literal() && outer.matches(inner.as_str()))
        })
    };
    !inner.is_empty() && inner.iter().all(covers)
}
