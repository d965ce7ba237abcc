//! `scale` and `throttle`.

use std::time::Duration;

use super::key::{Key, key};
use super::ladder::limit_of_change;
use super::limits::changeable;
use super::node::{Node, Table};
use super::problems::Problems;
use super::word::{quantity, time, word};
use crate::policy::amount::{can_change, knob_named};
use crate::policy::ladder::{Scale, Throttle, ThrottleTarget};
use crate::policy::order::{Amount, Change};
use crate::policy::units::{BitRate, ByteRate, Cores, Percent};

const MINUTES: Duration = Duration::from_secs(600);
const DAY: Duration = Duration::from_secs(86_400);
const SECOND: Duration = Duration::from_secs(1);
const SHORTEST: Duration = Duration::from_millis(100);

pub(super) const SCALE_KEYS: &[Key] = &[
    key("target", "`\"cpu.max\"`", "", "The knob that is moved."),
    key(
        "up",
        "`1.2`, above 1",
        "`1.2`",
        "Each `every` while values are past their thresholds: times the value in force.",
    ),
    key(
        "down",
        "`0.8`, between 0 and 1",
        "`0.8`",
        "Each `every` when they do not any more: times the value in force, down to `floor`.",
    ),
    key(
        "every",
        "`\"1s\"`, 100ms to 10m",
        "`\"1s\"`",
        "How often it is moved.",
    ),
    key(
        "ceiling",
        "`\"3x\"`, `\"4 cores\"`",
        "",
        "Never above this. Has to be given.",
    ),
    key(
        "floor",
        "`\"1x\"`, `\"0.5 cores\"`",
        "`\"1x\"`",
        "Where it comes to rest when the rule is over; `1x` is the value from before.",
    ),
    key(
        "budget",
        "`\"300s\"`, 1s to 1d",
        "no limit",
        "How long it may be above the original in all. Used up, the original returns; what was used is \
         given back second for second while it is there.",
    ),
];

pub(super) const THROTTLE_KEYS: &[Key] = &[
    key(
        "target",
        "`\"cpu.max\"`, `\"io.max\"`, `\"net.egress\"`, `\"net.ingress\"`",
        "",
        "What is capped; `io.max`: bytes read and written on each disk that it uses.",
    ),
    key(
        "to",
        "`\"50%\"`, above 0, below 100",
        "",
        "Of what is used when the step is taken; then, each `every` while values are past their \
         thresholds, of the cap in force.",
    ),
    key(
        "every",
        "`\"5s\"`, 100ms to 10m",
        "`\"5s\"`",
        "How often it is lowered further.",
    ),
    key(
        "floor",
        "`\"0.2 cores\"`, `\"1MiB/s\"`, `\"1Mbit\"`",
        "",
        "Never below this. Has to be given.",
    ),
    key(
        "at_most",
        "`\"5m\"`, 100ms to 1d",
        "no limit",
        "Let go after this in any case.",
    ),
];

pub(super) fn scale(node: &Node<'_>, problems: &mut Problems) -> Option<Scale> {
    let table = node.table(SCALE_KEYS, problems)?;
    let up = factor(
        &table,
        "up",
        1.2,
        |up| up > 1.0,
        "a factor above 1",
        problems,
    );
    let between = |down| 0.0 < down && down < 1.0;
    let down = factor(
        &table,
        "down",
        0.8,
        between,
        "a factor between 0 and 1",
        problems,
    );
    let every = every(&table, SECOND, problems);
    let budget = table.get("budget");
    let budget = budget.and_then(|node| time(&node, (SECOND, DAY), problems));
    let ceiling = table.require(
        "ceiling",
        "a scale without one would grow for ever",
        problems,
    );
    let target = table.require("target", "write `target = \"cpu.max\"`", problems)?;
    let knob = target
        .as_str()
        .and_then(knob_named)
        .filter(|knob| can_change(*knob));
    let Some(knob) = knob else {
        target.wrong(&format!("one of {}", changeable()), problems);
        return None;
    };
    let floor = match table.get("floor") {
        Some(node) => limit_of_change(&node, knob, problems),
        None => Some(Amount::Change(Change::OfOriginal(1.0))),
    };
    Some(Scale {
        target: knob,
        up: up?,
        down: down?,
        every,
        ceiling: limit_of_change(&ceiling?, knob, problems)?,
        floor: floor?,
        budget,
    })
}

pub(super) fn throttle(node: &Node<'_>, problems: &mut Problems) -> Option<Throttle> {
    let table = node.table(THROTTLE_KEYS, problems)?;
    let target = table.require("target", "write `target = \"cpu.max\"`", problems);
    let target = target.and_then(|node| word(&node, problems));
    let to = table.require("to", "write `to = \"50%\"`", problems);
    let to = to.and_then(|node| share(&node, problems));
    let every = every(&table, Duration::from_secs(5), problems);
    let at_most = table.get("at_most");
    let at_most = at_most.and_then(|node| time(&node, (SHORTEST, DAY), problems));
    let floor = table.require(
        "floor",
        "a throttle without one would end in nothing",
        problems,
    );
    let target = target?;
    let floor = floor.and_then(|node| rate(&node, target, problems));
    Some(Throttle {
        target,
        to_percent: to?,
        every,
        floor: floor?,
        at_most,
    })
}

fn every(table: &Table<'_>, usual: Duration, problems: &mut Problems) -> Duration {
    let every = table.get("every");
    let every = every.and_then(|node| time(&node, (SHORTEST, MINUTES), problems));
    every.unwrap_or(usual)
}

fn factor(
    table: &Table<'_>,
    name: &str,
    usual: f64,
    fine: impl Fn(f64) -> bool,
    expected: &str,
    problems: &mut Problems,
) -> Option<f64> {
    let Some(node) = table.get(name) else {
        return Some(usual);
    };
    let factor = node
        .as_number()
        .filter(|factor| factor.is_finite() && fine(*factor));
    if factor.is_none() {
        node.wrong(expected, problems);
    }
    factor
}

fn share(node: &Node<'_>, problems: &mut Problems) -> Option<f64> {
    let Percent(share) = quantity(node, problems)?;
    if 0.0 < share && share < 100.0 {
        return Some(share);
    }
    problems.at(
        &node.path,
        format!("{share}% is out of range: above 0%, below 100%"),
    );
    None
}

/// The floor of a throttle, in the unit of its target.
fn rate(node: &Node<'_>, target: ThrottleTarget, problems: &mut Problems) -> Option<f64> {
    // Beyond 2^53 no rate is.
    #[allow(clippy::cast_precision_loss)]
    let floor = match target {
        ThrottleTarget::Cpu => quantity(node, problems).map(|Cores(cores)| cores)?,
        ThrottleTarget::Io => quantity(node, problems).map(|ByteRate(rate)| rate as f64)?,
        ThrottleTarget::NetEgress | ThrottleTarget::NetIngress => {
            quantity(node, problems).map(|BitRate(rate)| rate as f64)?
        }
    };
    let least = match target {
        // A quota of 1 ms in the longest period.
        ThrottleTarget::Cpu => 0.001,
        ThrottleTarget::Io | ThrottleTarget::NetEgress | ThrottleTarget::NetIngress => 1.0,
    };
    if floor >= least {
        return Some(floor);
    }
    problems.at(
        &node.path,
        "would stop it; write more, or freeze it for a time",
    );
    None
}
