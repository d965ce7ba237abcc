//! `then`: the steps.

use std::time::Duration;

use super::key::{Key, key};
use super::limits::{self, Form};
use super::node::{Node, Table};
use super::once;
use super::problems::Problems;
use super::scale;
use super::word::{listed, time, word};
use crate::policy::amount::parse_change;
use crate::policy::ladder::{Action, Freeze, Hold, LadderStep};
use crate::policy::order::{Amount, Change, Limit};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const SHORTEST: Duration = Duration::from_millis(100);
/// What a step is given to take effect before the next.
const AFTER: Duration = Duration::from_secs(5);

pub(super) const KEYS: &[Key] = &[
    key(
        "set",
        "`{ \"memory.max\" = \"+25%\" }`",
        "",
        "Hold these limits; the names are those of `[policy.limits]`. Besides values: `\"+25%\"` and \
         `\"-20%\"` of the value in force, `\"3x\"` the value from before any policy.",
    ),
    key(
        "ceiling",
        "`\"1GiB\"`, `\"3x\"`",
        "none",
        "With `set` of one knob: never above this.",
    ),
    key(
        "floor",
        "`\"64MiB\"`, `\"0.5x\"`",
        "none",
        "With `set` of one knob: never below this.",
    ),
    key(
        "revert",
        "`\"on-clear\"`, `\"keep\"`",
        "`\"on-clear\"`",
        "With `set`: let go when the rule is over, or keep it until the policy or the agent goes.",
    ),
    key(
        "at_most",
        "`\"5m\"`, 100ms to 1d",
        "no limit",
        "With `set`: let go after this in any case.",
    ),
    key(
        "scale",
        "`{ target = \"cpu.max\", ceiling = \"3x\" }`",
        "",
        "Move a knob step by step, below.",
    ),
    key(
        "throttle",
        "`{ target = \"cpu.max\", to = \"50%\", floor = \"0.2 cores\" }`",
        "",
        "Cap at a share of what is being used, below.",
    ),
    key(
        "freeze",
        "`{ max = \"10s\" }`",
        "",
        "Stop all tasks until the rule is over, below.",
    ),
    key(
        "reclaim",
        "`\"64MiB\"`",
        "",
        "Have the kernel reclaim so much of its memory. What is not backed by a file needs swap.",
    ),
    key(
        "notify",
        "`{}`, `{ webhook = \"http://127.0.0.1:9000/\" }`",
        "",
        "Tell, below. Every step is in the log and the events without it.",
    ),
    key(
        "signal",
        "`\"HUP\"`, `{ send = \"HUP\" }`",
        "",
        "Send a signal, below.",
    ),
    key(
        "kill",
        "`{}`, `{ scope = \"largest\" }`",
        "",
        "Kill, below.",
    ),
    key(
        "restart",
        "`true`",
        "",
        "Restart it: systemd units and docker containers, and what Plimsoll launched.",
    ),
    key(
        "after",
        "`\"5s\"`, up to 1h",
        "`\"5s\"`; `\"0s\"` for the first, and after `notify`",
        "How long the conditions must go on holding after the step before.",
    ),
];

pub(super) const FREEZE_KEYS: &[Key] = &[key(
    "max",
    "`\"10s\"`, 10ms to 1h",
    "",
    "Thawed after this in any case. Has to be given: what is frozen fails health checks.",
)];

/// What a step can do; it does exactly one of these.
const ACTIONS: [&str; 9] = [
    "set", "scale", "throttle", "freeze", "reclaim", "notify", "signal", "kill", "restart",
];

/// Belong to `set`.
const OF_SET: [&str; 4] = ["ceiling", "floor", "revert", "at_most"];

pub(super) fn read(node: &Node<'_>, problems: &mut Problems) -> Vec<LadderStep> {
    let elements = node.list("a list of steps such as `[{ notify = {} }]`", problems);
    let Some(elements) = elements else {
        return Vec::new();
    };
    if elements.is_empty() {
        problems.at(&node.path, "is empty; write at least one step");
    }
    let mut steps: Vec<LadderStep> = Vec::new();
    let mut usual = Duration::ZERO;
    for node in &elements {
        let step = step(node, usual, problems);
        usual = match step.as_ref().map(|step| &step.action) {
            // Nothing changes by it that would be worth waiting for.
            Some(Action::Once(crate::policy::Once::Notify { .. })) => Duration::ZERO,
            Some(_) | None => AFTER,
        };
        steps.extend(step);
    }
    steps
}

fn step(node: &Node<'_>, usual: Duration, problems: &mut Problems) -> Option<LadderStep> {
    let table = node.table(KEYS, problems)?;
    let after = match table.get("after") {
        Some(node) => time(&node, (Duration::ZERO, HOUR), problems).unwrap_or(usual),
        None => usual,
    };
    let given: Vec<&str> = table.given();
    let actions: Vec<&str> = ACTIONS
        .into_iter()
        .filter(|name| given.contains(name))
        .collect();
    let &[name] = actions.as_slice() else {
        let what = match actions.as_slice() {
            [] => format!("a step does one of {}", listed(&ACTIONS)),
            several => format!(
                "a step does one thing, not {}; write a step for each",
                listed(several)
            ),
        };
        problems.at(&node.path, what);
        return None;
    };
    for stray in OF_SET
        .into_iter()
        .filter(|key| name != "set" && given.contains(key))
    {
        let path = table.get(stray).map(|node| node.path).unwrap_or_default();
        problems.at(path, format!("`{stray}` belongs to `set`, not to `{name}`"));
    }
    let action = action(&table, name, problems)?;
    Some(LadderStep { after, action })
}

fn action(table: &Table<'_>, name: &str, problems: &mut Problems) -> Option<Action> {
    let node = table.get(name)?;
    match name {
        "set" => set(&node, table, problems).map(Action::Hold),
        "scale" => scale::scale(&node, problems).map(Action::Scale),
        "throttle" => scale::throttle(&node, problems).map(Action::Throttle),
        "freeze" => freeze(&node, problems).map(Action::Freeze),
        "reclaim" => once::reclaim(&node, problems).map(Action::Once),
        "notify" => once::notify(&node, problems).map(Action::Once),
        "signal" => once::signal(&node, problems).map(Action::Once),
        "kill" => once::kill(&node, problems).map(Action::Once),
        _ => once::restart(&node, problems).map(Action::Once),
    }
}

fn set(node: &Node<'_>, step: &Table<'_>, problems: &mut Problems) -> Option<Hold> {
    let mut limits = limits::read(node, Form::Set, problems);
    let ceiling = step.get("ceiling");
    let floor = step.get("floor");
    for (bound, is_ceiling) in [(ceiling, true), (floor, false)] {
        let Some(bound) = bound else { continue };
        let [Limit::Cgroup(wanted)] = limits.as_mut_slice() else {
            let what = "belongs to a `set` of one knob; write a step for each";
            problems.at(&bound.path, what);
            continue;
        };
        let amount = limit_of_change(&bound, wanted.knob, problems);
        if is_ceiling {
            wanted.ceiling = amount;
        } else {
            wanted.floor = amount;
        }
    }
    let revert = step.get("revert").and_then(|node| word(&node, problems));
    let at_most = step.get("at_most");
    let at_most = at_most.and_then(|node| time(&node, (SHORTEST, DAY), problems));
    (!limits.is_empty()).then_some(Hold {
        limits,
        revert: revert.unwrap_or_default(),
        at_most,
    })
}

/// A ceiling or a floor: a value, a share, or a factor of the original.
pub(super) fn limit_of_change(
    node: &Node<'_>,
    knob: crate::cgroup::Knob,
    problems: &mut Problems,
) -> Option<Amount> {
    let Some(text) = node.scalar() else {
        node.wrong("one value", problems);
        return None;
    };
    match parse_change(knob, &text) {
        Ok(Amount::Change(Change::OfCurrent(_))) => {
            let what = "would move with what it bounds; write a value, or a factor such as `3x`";
            problems.at(&node.path, what);
            None
        }
        Ok(amount) => Some(amount),
        Err(error) => {
            problems.at(&node.path, error.to_string());
            None
        }
    }
}

fn freeze(node: &Node<'_>, problems: &mut Problems) -> Option<Freeze> {
    let table = node.table(FREEZE_KEYS, problems)?;
    let why = "what is frozen must be thawed at some time; write `freeze = { max = \"10s\" }`";
    let max = table.require("max", why, problems)?;
    let bounds = (Duration::from_millis(10), HOUR);
    let max = time(&max, bounds, problems)?;
    Some(Freeze { max })
}
