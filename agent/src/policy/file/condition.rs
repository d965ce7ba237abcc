//! Conditions: a metric, its growth, pressure, events, and trees of them.

mod threshold;

use std::time::Duration;

use self::threshold::{Kind, bound};
use super::key::{Key, key};
use super::node::{Node, Table};
use super::problems::Problems;
use super::word::{listed, parse_word, time, whole, word};
use crate::policy::condition::{
    Condition, EventCondition, MetricCondition, PsiCondition, RateCondition, Resource, Stall,
    Subject,
};
use crate::policy::metric::Metric;

pub(super) use self::threshold::clear_all;

const MINUTES: Duration = Duration::from_secs(600);
const HOUR: Duration = Duration::from_secs(3_600);
/// `WINDOW_MIN_US` and `WINDOW_MAX_US`, `kernel/sched/psi.c`, v6.12.
const PSI_WINDOW: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

const ABOVE: &str = "Holds above this: a value with its unit, `\"90% of memory.max\"` (what is in force; never, \
                     where that is unlimited), `\"80% of host\"` (memory and CPU).";
const BELOW: &str = "In place of `above`: holds below this.";
const CLEAR: &str = "Holds until the value is back at this, on the good side of the threshold. In \
                     between nothing further is done, and nothing is let go.";

pub(super) const METRIC_KEYS: &[Key] = &[
    key(
        "metric",
        "`\"memory.usage\"`",
        "",
        "One of the metrics below.",
    ),
    key("above", "`\"90% of memory.max\"`", "", ABOVE),
    key("below", "`\"10MiB\"`", "", BELOW),
    key("clear", "`\"80% of memory.max\"`", "the threshold", CLEAR),
    key(
        "window",
        "`\"1s\"`, 10ms to 10m",
        "`\"1s\"` for what is counted a second, else the latest reading",
        "The mean over so long.",
    ),
    key(
        "of",
        "`\"workload\"`, `\"host\"`",
        "`\"workload\"`",
        "Whose: `host` is the whole machine, and has `cpu.usage` and `memory.usage`.",
    ),
];

pub(super) const RATE_KEYS: &[Key] = &[
    key(
        "rate",
        "`\"memory.anon\"`",
        "",
        "Growth of `memory.usage`, `memory.working_set`, `memory.anon`, `memory.swap` or \
         `pids.current` in a second; the other metrics are rates already.",
    ),
    key("above", "`\"10MiB/s\"`", "", "Holds when it grows faster."),
    key(
        "below",
        "`\"1MiB/s\"`",
        "",
        "In place of `above`: when slower.",
    ),
    key("clear", "`\"5MiB/s\"`", "the threshold", CLEAR),
    key(
        "window",
        "`\"10s\"`, 100ms to 10m",
        "`\"10s\"`",
        "From the reading so long ago to the latest.",
    ),
];

pub(super) const PSI_KEYS: &[Key] = &[
    key(
        "psi",
        "`\"memory.full\"`",
        "",
        "`cpu`, `memory` or `io`, and `some` (at least one task waits for it) or `full` (all do).",
    ),
    key(
        "above",
        "`\"20%\"`",
        "",
        "Holds above this share of the window.",
    ),
    key("below", "`\"5%\"`", "", BELOW),
    key("clear", "`\"10%\"`", "the threshold", CLEAR),
    key(
        "window",
        "`\"2s\"`, 500ms to 10s",
        "`\"2s\"`",
        "Over which the share is taken; the bounds are the kernel's.",
    ),
    key(
        "of",
        "`\"workload\"`, `\"host\"`",
        "`\"workload\"`",
        "Whose: `host` is the whole machine.",
    ),
];

pub(super) const EVENT_KEYS: &[Key] = &[
    key("event", "`\"oom_kill\"`", "", "One of the events below."),
    key("count", "1 or more", "`1`", "Holds when there were so many"),
    key(
        "window",
        "`\"60s\"`, 100ms to 1h",
        "`\"60s\"`",
        "within so long.",
    ),
];

/// Keys of a condition that is a list of others.
const TREE_KEYS: &[Key] = &[
    key("any", "a list of conditions", "", "One must hold."),
    key("all", "a list of conditions", "", "All must hold."),
];

type Reader = fn(&Node<'_>, &mut Problems) -> Option<Condition>;

/// What a condition is told by.
const FORMS: [(&str, Reader); 6] = [
    ("metric", metric),
    ("rate", rate),
    ("psi", psi),
    ("event", event),
    ("any", tree),
    ("all", tree),
];

/// The conditions of `any` or `all`.
pub(super) fn list(node: &Node<'_>, problems: &mut Problems) -> Vec<Condition> {
    let expected =
        "a list of conditions such as `[{ metric = \"memory.usage\", above = \"1GiB\" }]`";
    let elements = node.list(expected, problems).unwrap_or_default();
    if elements.is_empty() && node.elements().is_some() {
        problems.at(&node.path, "is empty; write at least one condition");
    }
    let read = elements.iter().filter_map(|node| one(node, problems));
    read.collect()
}

fn one(node: &Node<'_>, problems: &mut Problems) -> Option<Condition> {
    let Some(entries) = node.entries() else {
        node.wrong(
            "a condition such as `{ psi = \"memory.full\", above = \"20%\" }`",
            problems,
        );
        return None;
    };
    let has = |name: &str| entries.iter().any(|(key, _)| *key == name);
    let given: Vec<&(&str, Reader)> = FORMS.iter().filter(|(name, _)| has(name)).collect();
    match given.as_slice() {
        [(_, read)] => read(node, problems),
        _ => {
            let names = FORMS.map(|(name, _)| name);
            let what = format!("a condition has exactly one of {}", listed(&names));
            problems.at(&node.path, what);
            None
        }
    }
}

fn tree(node: &Node<'_>, problems: &mut Problems) -> Option<Condition> {
    let table = node.table(TREE_KEYS, problems)?;
    let any = table.get("any").map(|node| list(&node, problems));
    let all = table.get("all").map(|node| list(&node, problems));
    any.map(Condition::Any).or(all.map(Condition::All))
}

fn metric(node: &Node<'_>, problems: &mut Problems) -> Option<Condition> {
    let table = node.table(METRIC_KEYS, problems)?;
    let metric: Option<Metric> = table.get("metric").and_then(|node| word(&node, problems));
    let of = subject(&table, problems);
    let usual = match metric {
        Some(metric) if metric.is_rate() => Duration::from_secs(1),
        _ => Duration::ZERO,
    };
    let window = window(
        &table,
        (Duration::from_millis(10), MINUTES),
        usual,
        problems,
    );
    let metric = metric?;
    if of == Subject::Host && !matches!(metric, Metric::CpuUsage | Metric::MemoryUsage) {
        let what = format!(
            "{metric} of the whole machine is not read; `cpu.usage` and `memory.usage` are"
        );
        problems.at(&node.path, what);
    }
    let bound = bound(&table, Kind::Metric(metric), problems)?;
    Some(Condition::Metric(MetricCondition {
        metric,
        of,
        bound,
        window,
    }))
}

fn rate(node: &Node<'_>, problems: &mut Problems) -> Option<Condition> {
    let table = node.table(RATE_KEYS, problems)?;
    let named = table.get("rate");
    let metric: Option<Metric> = named.as_ref().and_then(|node| word(node, problems));
    let usual = Duration::from_secs(10);
    let window = window(
        &table,
        (Duration::from_millis(100), MINUTES),
        usual,
        problems,
    );
    let metric = metric?;
    if metric.is_rate() {
        let what = format!("{metric} is counted a second already; write `metric = \"{metric}\"`");
        problems.at(
            named.map_or_else(|| node.path.clone(), |node| node.path),
            what,
        );
        return None;
    }
    let bound = bound(&table, Kind::Growth(metric), problems)?;
    Some(Condition::Rate(RateCondition {
        metric,
        bound,
        window,
    }))
}

fn psi(node: &Node<'_>, problems: &mut Problems) -> Option<Condition> {
    let table = node.table(PSI_KEYS, problems)?;
    let source = table.get("psi").and_then(|node| pressure(&node, problems));
    let of = subject(&table, problems);
    let window = window(&table, PSI_WINDOW, Duration::from_secs(2), problems);
    let bound = bound(&table, Kind::Pressure, problems);
    let (resource, stall) = source?;
    if (resource, stall, of) == (Resource::Cpu, Stall::Full, Subject::Host) {
        // psi_show() prints zeroes, kernel/sched/psi.c, v6.12.
        let what = "cpu.full of the whole machine does not exist: it always reads 0";
        problems.at(&node.path, what);
    }
    Some(Condition::Psi(PsiCondition {
        resource,
        stall,
        of,
        bound: bound?,
        window,
    }))
}

fn pressure(node: &Node<'_>, problems: &mut Problems) -> Option<(Resource, Stall)> {
    let expected = "pressure such as `memory.full`: `cpu`, `memory` or `io`, and `some` or `full`";
    let pair = node.as_str().and_then(|text| {
        let (resource, stall) = text.split_once('.')?;
        Some((parse_word(resource).ok()?, parse_word(stall).ok()?))
    });
    if pair.is_none() {
        node.wrong(expected, problems);
    }
    pair
}

fn event(node: &Node<'_>, problems: &mut Problems) -> Option<Condition> {
    let table = node.table(EVENT_KEYS, problems)?;
    let event = table.get("event").and_then(|node| word(&node, problems));
    let count = match table.get("count") {
        Some(node) => whole(&node, (1, 1_000_000), problems),
        None => Some(1),
    };
    let bounds = (Duration::from_millis(100), HOUR);
    let window = window(&table, bounds, Duration::from_secs(60), problems);
    Some(Condition::Event(EventCondition {
        event: event?,
        count: count?,
        window,
    }))
}

fn subject(table: &Table<'_>, problems: &mut Problems) -> Subject {
    let named = table.get("of").and_then(|node| word(&node, problems));
    named.unwrap_or_default()
}

fn window(
    table: &Table<'_>,
    bounds: (Duration, Duration),
    usual: Duration,
    problems: &mut Problems,
) -> Duration {
    let given = table
        .get("window")
        .and_then(|node| time(&node, bounds, problems));
    given.unwrap_or(usual)
}
