//! Conditions that never hold, and clear on the wrong side.

use crate::cgroup::Knob;
use crate::policy::condition::{Bound, Compare, Condition, Threshold};
use crate::policy::file::Problems;
use crate::policy::metric::{Metric, Unit};

/// `path` is the rule's.
pub(super) fn check(path: &str, when: &Condition, problems: &mut Problems) {
    let key = match when {
        Condition::All(_) => "all",
        _ => "any",
    };
    let path = format!("{path}.{key}");
    if !problems.any_at(&path) {
        tree(&path, when, problems);
    }
}

fn tree(path: &str, condition: &Condition, problems: &mut Problems) {
    match condition {
        Condition::Any(several) | Condition::All(several) => {
            for (index, condition) in several.iter().enumerate() {
                let path = format!("{path}[{index}]");
                match condition {
                    Condition::Any(_) => tree(&format!("{path}.any"), condition, problems),
                    Condition::All(_) => tree(&format!("{path}.all"), condition, problems),
                    leaf => tree(&path, leaf, problems),
                }
            }
        }
        Condition::Metric(c) => {
            bound(path, &c.bound, most(c.metric, &c.bound.threshold), problems);
        }
        // What shrinks grows by less than nothing.
        Condition::Rate(c) => bound(path, &c.bound, None, problems),
        Condition::Psi(c) => bound(path, &c.bound, Some(100.0), problems),
        Condition::Event(_) => {}
    }
}

fn bound(path: &str, bound: &Bound, most: Option<f64>, problems: &mut Problems) {
    let Bound {
        compare,
        threshold,
        clear,
    } = bound;
    let (Threshold::Value(value)
    | Threshold::PercentOfHost(value)
    | Threshold::PercentOfKnob { percent: value, .. }) = threshold;
    let key = format!("{path}.{}", compare.name());
    match compare {
        Compare::Above if most.is_some_and(|most| *value >= most) => {
            problems.at(key, "never holds: it cannot be more than that");
        }
        Compare::Below if *value <= 0.0 => {
            problems.at(key, "never holds: nothing is less than 0");
        }
        Compare::Above | Compare::Below => {}
    }
    let Some((clear, value)) = clear
        .as_ref()
        .and_then(|clear| comparable(clear, threshold))
    else {
        return;
    };
    let wrong = match compare {
        Compare::Above => (clear > value).then_some("above"),
        Compare::Below => (clear < value).then_some("below"),
    };
    if let Some(side) = wrong {
        let what = format!(
            "clears {side} where it begins to hold: write a value {} the threshold",
            match compare {
                Compare::Above => "at or below",
                Compare::Below => "at or above",
            }
        );
        // A rule's `clear` has no key here; the nearest there is gives the line.
        problems.at(format!("{path}.clear"), what);
    }
}

/// The two as numbers of one kind.
fn comparable(one: &Threshold, other: &Threshold) -> Option<(f64, f64)> {
    match (one, other) {
        (Threshold::Value(one), Threshold::Value(other))
        | (Threshold::PercentOfHost(one), Threshold::PercentOfHost(other)) => Some((*one, *other)),
        (
            Threshold::PercentOfKnob {
                knob: of_one,
                percent: one,
            },
            Threshold::PercentOfKnob {
                knob: of_other,
                percent: other,
            },
        ) if of_one == of_other => Some((*one, *other)),
        _ => None,
    }
}

/// What a metric is never above, in the terms of the threshold.
fn most(metric: Metric, threshold: &Threshold) -> Option<f64> {
    match threshold {
        Threshold::Value(_) => (metric.unit() == Unit::Percent).then_some(100.0),
        Threshold::PercentOfHost(_) => Some(100.0),
        // A burst goes above cpu.max, and memory.high gives way.
        Threshold::PercentOfKnob { knob, .. } => match knob {
            Knob::MemoryMax | Knob::MemorySwapMax | Knob::PidsMax => Some(100.0),
            _ => None,
        },
    }
}
