//! Evidence, in words.

use std::fmt::Write;

use super::judge::{self, Leaf};
use crate::policy::condition::{Bound, Condition, Subject, Threshold};
use crate::policy::metric::Unit;

const KIB: f64 = 1024.0;
const KILO: f64 = 1000.0;

/// A condition as people write it: `memory.usage above 90% of memory.max`.
pub(super) fn condition(condition: &Condition) -> String {
    match condition {
        Condition::Any(several) => several_of(several, " or "),
        Condition::All(several) => several_of(several, " and "),
        leaf => {
            let mut text = name(leaf);
            if let Some(bound) = judge::bound(leaf) {
                // Writing to a string does not fail.
                let _ = write!(
                    text,
                    " {} {}",
                    bound.compare.name(),
                    threshold(bound, judge::unit(leaf))
                );
            }
            if let Condition::Event(event) = leaf
                && event.count > 1
            {
                let _ = write!(text, " {} times", event.count);
            }
            let window = judge::window(leaf);
            if !window.is_zero() {
                let _ = write!(text, " over {}", humantime::format_duration(window));
            }
            text
        }
    }
}

/// What was seen of the leaves that held; of all of them when none did.
pub(super) fn observed(condition: &Condition, leaves: &[Leaf]) -> String {
    let all = condition.leaves();
    let seen = || all.iter().zip(leaves);
    let held = seen().any(|(_, leaf)| leaf.holds == Some(true));
    let words = seen()
        .filter(|(_, leaf)| !held || leaf.holds == Some(true))
        .map(|(condition, leaf)| format!("{} {}", name(condition), value_of(condition, leaf)));
    words.collect::<Vec<_>>().join(", ")
}

/// A leaf's value and, where the threshold is not a plain number, what that came to.
pub(super) fn value_of(condition: &Condition, leaf: &Leaf) -> String {
    let unit = judge::unit(condition);
    let Some(value) = leaf.value else {
        return "unknown".to_owned();
    };
    let relative = judge::bound(condition)
        .is_some_and(|bound| !matches!(bound.threshold, Threshold::Value(_)));
    match leaf.threshold {
        Some(threshold) if relative => format!(
            "{} (threshold {})",
            quantity(value, unit),
            quantity(threshold, unit)
        ),
        None if relative => format!("{} (no threshold: unlimited)", quantity(value, unit)),
        Some(_) | None => quantity(value, unit),
    }
}

/// What a leaf is about.
pub(super) fn name(leaf: &Condition) -> String {
    let name = match leaf {
        Condition::Metric(one) => one.metric.name().to_owned(),
        Condition::Rate(one) => format!("growth of {} a second", one.metric.name()),
        Condition::Psi(one) => {
            format!("pressure {}.{}", one.resource.name(), one.stall.name())
        }
        Condition::Event(one) => one.event.name().to_owned(),
        Condition::Any(_) | Condition::All(_) => String::new(),
    };
    match judge::subject(leaf) {
        Subject::Workload => name,
        Subject::Host => format!("the host's {name}"),
    }
}

fn several_of(several: &[Condition], between: &str) -> String {
    let parts: Vec<_> = several
        .iter()
        .map(|one| match one {
            Condition::Any(inner) | Condition::All(inner) if inner.len() > 1 => {
                format!("({})", condition(one))
            }
            _ => condition(one),
        })
        .collect();
    parts.join(between)
}

fn threshold(bound: &Bound, unit: Unit) -> String {
    match bound.threshold {
        Threshold::Value(value) => quantity(value, unit),
        Threshold::PercentOfKnob { knob, percent } => format!("{percent}% of {knob}"),
        Threshold::PercentOfHost(percent) => format!("{percent}% of the host's"),
    }
}

/// A number with its unit, to three digits or so.
pub(super) fn quantity(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Bytes => scaled(value, KIB, ["B", "KiB", "MiB", "GiB", "TiB"]),
        Unit::BytesPerSecond => scaled(value, KIB, ["B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s"]),
        Unit::BitsPerSecond => scaled(
            value,
            KILO,
            ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"],
        ),
        Unit::OperationsPerSecond => format!("{}/s", rounded(value)),
        Unit::Cores => format!("{} cores", rounded(value)),
        Unit::Percent => format!("{}%", rounded(value)),
        Unit::Count => rounded(value),
    }
}

fn scaled(value: f64, step: f64, units: [&str; 5]) -> String {
    let mut value = value;
    let mut units = units.into_iter().peekable();
    while let Some(unit) = units.next() {
        if value.abs() < step || units.peek().is_none() {
            return format!("{}{unit}", rounded(value));
        }
        value /= step;
    }
    rounded(value)
}

/// Two decimals at the most.
fn rounded(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cgroup::Knob;
    use crate::policy::condition::{
        Compare, EventCondition, MetricCondition, PsiCondition, Resource, Stall, WatchedEvent,
    };
    use crate::policy::metric::Metric;

    #[test]
    fn quantities_are_short() {
        assert_eq!(quantity(536_870_912.0, Unit::Bytes), "512MiB");
        assert_eq!(quantity(1_500.0, Unit::Bytes), "1.46KiB");
        assert_eq!(quantity(0.0, Unit::Bytes), "0B");
        assert_eq!(quantity(100e6, Unit::BitsPerSecond), "100Mbit/s");
        assert_eq!(quantity(1.5, Unit::Cores), "1.5 cores");
        assert_eq!(quantity(100.0, Unit::Count), "100");
        assert_eq!(quantity(3e18, Unit::Bytes), "2728484.11TiB");
    }

    #[test]
    fn conditions_read_as_they_are_written() {
        let usage = Condition::Metric(MetricCondition {
            metric: Metric::MemoryUsage,
            of: Subject::Workload,
            bound: Bound {
                compare: Compare::Above,
                threshold: Threshold::PercentOfKnob {
                    knob: Knob::MemoryMax,
                    percent: 90.0,
                },
                clear: None,
            },
            window: Duration::ZERO,
        });
        let psi = Condition::Psi(PsiCondition {
            resource: Resource::Memory,
            stall: Stall::Full,
            of: Subject::Host,
            bound: Bound {
                compare: Compare::Above,
                threshold: Threshold::Value(20.0),
                clear: None,
            },
            window: Duration::from_secs(2),
        });
        let kills = Condition::Event(EventCondition {
            event: WatchedEvent::OomKill,
            count: 2,
            window: Duration::from_secs(60),
        });
        let tree = Condition::Any(vec![usage, Condition::All(vec![psi, kills])]);
        assert_eq!(
            condition(&tree),
            "memory.usage above 90% of memory.max or \
             (the host's pressure memory.full above 20% over 2s and oom_kill 2 times over 1m)"
        );
    }
}
