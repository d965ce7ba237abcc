//! Conditions in words: what evidence quotes.

use std::fmt;

use super::limit::threshold_value;
use crate::policy::condition::{
    Bound, Condition, EventCondition, MetricCondition, PsiCondition, RateCondition, Subject,
    Threshold,
};
use crate::policy::metric::Unit;
use crate::policy::units::{Percent, TimeSpan};

/// `memory.usage above 90% of memory.max or memory.full pressure above 20% over 2s`.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any(several) => joined(f, several, " or "),
            Self::All(several) => joined(f, several, " and "),
            Self::Metric(condition) => condition.fmt(f),
            Self::Rate(condition) => condition.fmt(f),
            Self::Psi(condition) => condition.fmt(f),
            Self::Event(condition) => condition.fmt(f),
        }
    }
}

impl fmt::Display for MetricCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            metric,
            of,
            bound,
            window,
        } = self;
        write!(f, "{metric}{} {}", owner(*of), Side(bound, metric.unit()))?;
        if !window.is_zero() {
            write!(f, " over {}", TimeSpan(*window))?;
        }
        until(f, bound, metric.unit())
    }
}

impl fmt::Display for RateCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            metric,
            bound,
            window,
        } = self;
        let unit = metric.unit().per_second();
        let (side, window) = (Side(bound, unit), TimeSpan(*window));
        write!(f, "growth of {metric} {side} over {window}")?;
        until(f, bound, unit)
    }
}

impl fmt::Display for PsiCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            resource,
            stall,
            of,
            bound,
            window,
        } = self;
        let (resource, stall) = (resource.name(), stall.name());
        let (side, window) = (Side(bound, Unit::Percent), TimeSpan(*window));
        write!(
            f,
            "{resource}.{stall} pressure{} {side} over {window}",
            owner(*of)
        )?;
        until(f, bound, Unit::Percent)
    }
}

impl fmt::Display for EventCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            event,
            count,
            window,
        } = self;
        let (event, window) = (event.name(), TimeSpan(*window));
        match count {
            1 => write!(f, "{event} within {window}"),
            count => write!(f, "{count} times {event} within {window}"),
        }
    }
}

/// `above 20%`.
struct Side<'b>(&'b Bound, Unit);

impl fmt::Display for Side<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bound, unit) = self;
        let threshold = threshold(&bound.threshold, *unit);
        write!(f, "{} {threshold}", bound.compare.name())
    }
}

fn until(f: &mut fmt::Formatter<'_>, bound: &Bound, unit: Unit) -> fmt::Result {
    match &bound.clear {
        Some(clear) => write!(f, " (clear at {})", threshold(clear, unit)),
        None => Ok(()),
    }
}

fn threshold(threshold: &Threshold, unit: Unit) -> String {
    match threshold {
        Threshold::Value(value) => threshold_value(*value, unit),
        Threshold::PercentOfKnob { knob, percent } => format!("{} of {knob}", Percent(*percent)),
        Threshold::PercentOfHost(percent) => format!("{} of host", Percent(*percent)),
    }
}

fn owner(of: Subject) -> &'static str {
    match of {
        Subject::Workload => "",
        Subject::Host => " of host",
    }
}

fn joined(f: &mut fmt::Formatter<'_>, several: &[Condition], word: &str) -> fmt::Result {
    for (index, condition) in several.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        match condition {
            Condition::Any(inner) | Condition::All(inner)
                if several.len() > 1 && inner.len() > 1 =>
            {
                write!(f, "({condition})")?;
            }
            condition => write!(f, "{condition}")?,
        }
    }
    Ok(())
}
