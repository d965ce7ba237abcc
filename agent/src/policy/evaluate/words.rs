//! What was seen, in words. Conditions have their own.

use super::judge::{self, Leaf};
use crate::policy::condition::{Condition, Subject, Threshold};
use crate::policy::metric::Unit;

const KIB: f64 = 1024.0;
const KILO: f64 = 1000.0;

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
fn name(leaf: &Condition) -> String {
    let name = match leaf {
        Condition::Metric(one) => one.metric.name().to_owned(),
        Condition::Rate(one) => format!("growth of {}", one.metric.name()),
        Condition::Psi(one) => {
            format!("{}.{} pressure", one.resource.name(), one.stall.name())
        }
        Condition::Event(one) => one.event.name().to_owned(),
        Condition::Any(_) | Condition::All(_) => String::new(),
    };
    match judge::subject(leaf) {
        Subject::Workload => name,
        Subject::Host => format!("{name} of host"),
    }
}

/// A number with its unit, to three digits or so.
fn quantity(value: f64, unit: Unit) -> String {
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
    use super::*;

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
}
