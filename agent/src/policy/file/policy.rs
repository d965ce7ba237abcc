//! `[[policy]]`.

use std::sync::Arc;

use super::key::{Key, key};
use super::node::Node;
use super::problems::Problems;
use super::word::{name, truth, whole, word};
use super::{limits, rule, selector};
use crate::policy::order::{OnConflict, Restore};
use crate::policy::selector::Selector;
use crate::policy::set::{MOST_PRIORITY, Policy};
use crate::policy::settle::settle;

pub(super) const KEYS: &[Key] = &[
    key(
        "name",
        "`\"batch\"`",
        "",
        "Unique; letters, digits, `-`, `_` and `.`. What records, metrics and commands call it.",
    ),
    key(
        "priority",
        "-1000 to 1000",
        "`0`",
        "Of several policies that match a workload and hold the same thing, the one with more terms in \
         its `match` goes first; among those with as many, the one with the higher priority.",
    ),
    key(
        "mode",
        "`\"enforce\"`, `\"monitor\"`",
        "the file's",
        "`monitor` decides, records and reports, and writes nothing.",
    ),
    key(
        "enabled",
        "`true`, `false`",
        "`true`",
        "Whether it is in force at all.",
    ),
    key(
        "match",
        "`{ labels = { tier = \"batch\" } }`",
        "",
        "Which workloads: those that meet every term. Has to be given; `{}` is all that run on their \
         own.",
    ),
    key(
        "exclude",
        "`{ image = \"*/db:*\" }`, or a list of such",
        "none",
        "Not those that meet every term of this, or of one in the list.",
    ),
    key(
        "on_conflict",
        "`\"yield\"`, `\"reassert\"`, `\"alert\"`",
        "`\"yield\"`",
        "When somebody else writes what the policy holds: leave it to them; write ours again, three \
         times a minute at most, and then yield; or only tell.",
    ),
    key(
        "restore",
        "`\"on-exit\"`, `\"on-disable\"`, `\"never\"`",
        "`\"on-exit\"`",
        "When the values from before return: when the agent ends, however it ends, or the policy is \
         disabled; when the policy is disabled or changed, but not when the agent ends; or never.",
    ),
    key(
        "limits",
        "`[policy.limits]`",
        "none",
        "What is held for as long as a workload is matched.",
    ),
    key("rule", "`[[policy.rule]]`", "none", "What is done when."),
];

/// A policy with all of it that can be read.
pub(super) fn read(node: &Node<'_>, problems: &mut Problems) -> Policy {
    let mut policy = Policy {
        name: Arc::from(""),
        priority: 0,
        mode: None,
        enabled: true,
        select: Selector::default(),
        on_conflict: OnConflict::default(),
        restore: Restore::default(),
        limits: Vec::new(),
        rules: Vec::new(),
    };
    let Some(table) = node.table(KEYS, problems) else {
        return policy;
    };
    if let Some(node) = table.require("name", "every policy has a name of its own", problems) {
        policy.name = name(&node, problems).unwrap_or_default().into();
    }
    if let Some(node) = table.get("priority") {
        let bounds = (-MOST_PRIORITY, MOST_PRIORITY);
        policy.priority = whole(&node, bounds, problems).unwrap_or_default();
    }
    if let Some(node) = table.get("mode") {
        policy.mode = word(&node, problems);
    }
    if let Some(node) = table.get("enabled") {
        policy.enabled = truth(&node, problems).unwrap_or(true);
    }
    let why = "say which workloads; `match = {}` is all that run on their own";
    let matching = table.require("match", why, problems);
    policy.select = selector::read(matching.as_ref(), table.get("exclude").as_ref(), problems);
    if let Some(node) = table.get("on_conflict") {
        policy.on_conflict = word(&node, problems).unwrap_or_default();
    }
    if let Some(node) = table.get("restore") {
        policy.restore = word(&node, problems).unwrap_or_default();
    }
    if let Some(node) = table.get("limits") {
        policy.limits = limits::read(&node, limits::Form::Limit, problems);
    }
    if let Some(rules) = table.get("rule") {
        let rules = rules.list("tables, `[[policy.rule]]`", problems);
        let rules = rules.unwrap_or_default();
        policy.rules = rules
            .iter()
            .map(|node| rule::read(node, problems))
            .collect();
    }
    if table.get("limits").is_none() && table.get("rule").is_none() {
        let what = "has neither `[policy.limits]` nor a `[[policy.rule]]`, and so does nothing";
        problems.at(&table.path, what);
    }
    settle(&mut policy);
    policy
}
