//! `[[policy.rule]]`.

use std::time::Duration;

use super::condition;
use super::key::{Key, key};
use super::ladder;
use super::node::{Node, Table};
use super::problems::Problems;
use super::word::{name, time};
use crate::policy::condition::{Compare, Condition};
use crate::policy::set::Rule;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const CLEAR_FOR: Duration = Duration::from_secs(10);
const COOLDOWN: Duration = Duration::from_secs(30);

pub(super) const KEYS: &[Key] = &[
    key("name", "`\"thrash\"`", "", "Unique in its policy."),
    key(
        "any",
        "`[{ psi = \"memory.full\", above = \"20%\" }]`",
        "",
        "Conditions of which one must hold. Either `any` or `all`; each may hold a further `{ all = […] \
         }` or `{ any = […] }`.",
    ),
    key(
        "all",
        "a list of conditions",
        "",
        "Conditions that must hold together.",
    ),
    key(
        "for",
        "`\"3s\"`, up to 1h",
        "`\"0s\"`",
        "How long, without a break, until the first step.",
    ),
    key(
        "clear",
        "`{ below = \"10%\", for = \"10s\" }`",
        "`{ for = \"10s\" }`",
        "When it is over.",
    ),
    key(
        "cooldown",
        "`\"30s\"`, up to 1d",
        "`\"30s\"`",
        "How long, after it is over, until the rule may begin anew on the same workload.",
    ),
    key(
        "then",
        "`[{ freeze = { max = \"10s\" } }, …]`",
        "",
        "The ladder: the first step is taken when the conditions have held `for` so long, each further \
         one only while they still do.",
    ),
];

pub(super) const CLEAR_KEYS: &[Key] = &[
    key(
        "below",
        "`\"10%\"`",
        "the condition's own threshold",
        "For every condition of the rule that says `above` and whose unit this is: it holds until the \
         value is below this. A condition's own `clear` goes before it.",
    ),
    key(
        "above",
        "`\"20%\"`",
        "the condition's own threshold",
        "The same for those that say `below`.",
    ),
    key(
        "for",
        "`\"10s\"`, up to 1h",
        "`\"10s\"`",
        "How long, without a break, the conditions must not hold.",
    ),
];

/// A rule with all of it that can be read.
pub(super) fn read(node: &Node<'_>, problems: &mut Problems) -> Rule {
    let mut rule = Rule {
        name: "".into(),
        when: Condition::Any(Vec::new()),
        hold_for: Duration::ZERO,
        clear_for: CLEAR_FOR,
        cooldown: COOLDOWN,
        then: Vec::new(),
    };
    let Some(table) = node.table(KEYS, problems) else {
        return rule;
    };
    if let Some(node) = table.require("name", "every rule has a name of its own", problems) {
        rule.name = name(&node, problems).unwrap_or_default().into();
    }
    if let Some(when) = when(&table, problems) {
        rule.when = when;
    }
    if let Some(node) = table.get("for") {
        rule.hold_for = time(&node, (Duration::ZERO, HOUR), problems).unwrap_or_default();
    }
    if let Some(node) = table.get("clear") {
        clear(&node, &mut rule, problems);
    }
    if let Some(node) = table.get("cooldown") {
        rule.cooldown = time(&node, (Duration::ZERO, DAY), problems).unwrap_or_default();
    }
    let why = "say what is to be done; `then = [{ notify = {} }]` only tells";
    if let Some(node) = table.require("then", why, problems) {
        rule.then = ladder::read(&node, problems);
    }
    rule
}

fn when(table: &Table<'_>, problems: &mut Problems) -> Option<Condition> {
    match (table.get("any"), table.get("all")) {
        (Some(any), None) => Some(Condition::Any(condition::list(&any, problems))),
        (None, Some(all)) => Some(Condition::All(condition::list(&all, problems))),
        (None, None) => {
            problems.at(
                &table.path,
                "has no condition; write `any = […]` or `all = […]`",
            );
            None
        }
        (Some(_), Some(all)) => {
            let what = "write either `any` or `all`; to have both, put `{ all = […] }` into `any`";
            problems.at(&all.path, what);
            None
        }
    }
}

fn clear(node: &Node<'_>, rule: &mut Rule, problems: &mut Problems) {
    let Some(table) = node.table(CLEAR_KEYS, problems) else {
        return;
    };
    if let Some(node) = table.get("for")
        && let Some(time) = time(&node, (Duration::ZERO, HOUR), problems)
    {
        rule.clear_for = time;
    }
    for (key, compare) in [("below", Compare::Above), ("above", Compare::Below)] {
        if let Some(node) = table.get(key) {
            condition::clear_all(&mut rule.when, compare, &node, problems);
        }
    }
}
