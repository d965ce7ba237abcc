//! Policies for what is protected.

use crate::policy::file::{Problems, child};
use crate::policy::ladder::Action;
use crate::policy::order::Once;
use crate::policy::pattern::Pattern;
use crate::policy::selector::{LabelTerm, Terms};
use crate::policy::set::{Policy, PolicySet, Protect, ProtectPattern};

pub(super) fn check(set: &PolicySet, problems: &mut Problems) {
    for (index, policy) in set.policies.iter().enumerate() {
        let path = format!("policy[{index}].match");
        names_protected(&path, policy, &set.protect, problems);
        if kills(policy) {
            includes_protected(&path, policy, &set.protect, problems);
        }
    }
}

/// What the file protects by name cannot be meant by name.
fn names_protected(path: &str, policy: &Policy, protect: &Protect, problems: &mut Problems) {
    let matching = &policy.select.matching;
    for (key, pattern, protected) in pairs(matching, protect) {
        if pattern.is_literal() && protected.matches(pattern.as_str()) {
            let what = format!(
                "`{pattern}` is protected by `protect.never` (`{protected}`): no policy acts on it"
            );
            problems.at(child(path, key), what);
        }
    }
    let same = |label: &&LabelTerm| {
        protect.labels.iter().any(|protected| {
            let value =
                |value: &Pattern| protected.values.iter().any(|p| p.matches(value.as_str()));
            protected.key == label.key && label.values.iter().all(|v| v.is_literal() && value(v))
        })
    };
    for label in matching.labels.iter().filter(same) {
        let what = "is protected by `protect.labels`: no policy acts on it";
        problems.at(child(&child(path, "labels"), &label.key), what);
    }
}

/// A policy that kills says itself that it does not mean what is protected, rather than to rely on
/// being stopped.
fn includes_protected(path: &str, policy: &Policy, protect: &Protect, problems: &mut Problems) {
    for (key, pattern, protected) in pairs(&policy.select.matching, protect) {
        let named =
            protected.is_literal() && !pattern.is_literal() && pattern.matches(protected.as_str());
        if named && !excluded(policy, key, protected.as_str()) {
            let what = format!(
                "`{pattern}` includes `{protected}`, which `protect.never` protects, and the policy \
                 kills; add `exclude = {{ {key} = \"{protected}\" }}`"
            );
            problems.at(child(path, key), what);
        }
    }
}

/// Each pattern of a `match` with each that protects the same.
fn pairs<'p>(
    matching: &'p Terms,
    protect: &'p Protect,
) -> Vec<(&'static str, &'p Pattern, &'p Pattern)> {
    let mut pairs = Vec::new();
    for protected in &protect.never {
        for (key, patterns) in matching.patterns() {
            let protected = match (protected, key) {
                (ProtectPattern::Cgroup(pattern), "cgroup")
                | (ProtectPattern::Name(pattern), "name" | "unit") => pattern,
                _ => continue,
            };
            pairs.extend(patterns.iter().map(|pattern| (key, pattern, protected)));
        }
    }
    pairs
}

/// Whether an `exclude` of this one term has it.
fn excluded(policy: &Policy, key: &str, protected: &str) -> bool {
    policy.select.exclude.iter().any(|terms| {
        let has = terms.patterns().into_iter().any(|(name, patterns)| {
            name == key && patterns.iter().any(|pattern| pattern.matches(protected))
        });
        terms.count() == 1 && has
    })
}

fn kills(policy: &Policy) -> bool {
    let steps = policy.rules.iter().flat_map(|rule| &rule.then);
    let mut actions = steps.map(|step| &step.action);
    actions.any(|action| matches!(action, Action::Once(Once::Kill { .. })))
}
