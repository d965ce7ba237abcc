//! What is wrong with values together: names given twice, limits and ladders that contradict
//! themselves, policies of which no one can say which goes first.
//!
//! A part of the file that could not be read whole is left out here: what it means is not known.

mod bounds;
mod condition;
mod ladder;
mod limits;
pub(super) mod overlap;
mod protect;
mod ties;

use std::collections::BTreeMap;

use super::file::Problems;
use super::set::{Policy, PolicySet};

use self::overlap::matches_nothing;

pub use limits::{Clash, clashes};

pub(super) fn all(set: &PolicySet, problems: &mut Problems) {
    let names = set.policies.iter().map(|policy| policy.name.as_ref());
    unique("policy", "policy", names, problems);
    for (index, policy) in set.policies.iter().enumerate() {
        one(&format!("policy[{index}]"), policy, problems);
    }
    protect::check(set, problems);
    ties::check(set, problems);
}

fn one(path: &str, policy: &Policy, problems: &mut Problems) {
    let matching = format!("{path}.match");
    if !problems.any_at(&matching)
        && let Some(what) = matches_nothing(&policy.select)
    {
        problems.at(matching, what);
    }
    let limits_path = format!("{path}.limits");
    for Clash { key, what } in clashes(&policy.limits) {
        problems.at(format!("{limits_path}.{key}"), what);
    }
    let rules_path = format!("{path}.rule");
    let names = policy.rules.iter().map(|rule| rule.name.as_ref());
    unique(&rules_path, "rule", names, problems);
    for (index, rule) in policy.rules.iter().enumerate() {
        let path = format!("{rules_path}[{index}]");
        condition::check(&path, &rule.when, problems);
        ladder::check(&format!("{path}.then"), policy, rule, problems);
    }
}

fn unique<'n>(
    path: &str,
    what: &str,
    names: impl Iterator<Item = &'n str>,
    problems: &mut Problems,
) {
    let mut first = BTreeMap::new();
    // An empty name is one that could not be read.
    for (index, name) in names.enumerate().filter(|(_, name)| !name.is_empty()) {
        let earlier = *first.entry(name).or_insert(index);
        if earlier != index {
            let what = format!("{path}[{earlier}] has this name; every {what} has its own");
            problems.at(format!("{path}[{index}].name"), what);
        }
    }
}
