//! What has to be seen.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::metric::Metric;
use crate::cgroup::Knob;

/// A tree of conditions; its leaves are held against readings and events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Never empty.
    Any(Vec<Condition>),
    /// Never empty.
    All(Vec<Condition>),
    /// The value itself.
    Metric(MetricCondition),
    /// How fast the value grows.
    Rate(RateCondition),
    Psi(PsiCondition),
    Event(EventCondition),
}

/// A metric beyond its bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricCondition {
    pub metric: Metric,
    pub of: Subject,
    pub bound: Bound,
    /// The mean over so long. Zero: the latest reading; never zero where [`Metric::is_rate`].
    #[serde(with = "humantime_serde")]
    pub window: Duration,
}

/// A metric that is no rate itself, growing by more than so much a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateCondition {
    pub metric: Metric,
    /// In the metric's unit, a second. [`Threshold::Value`] only.
    pub bound: Bound,
    /// From the reading so long ago to the latest.
    #[serde(with = "humantime_serde")]
    pub window: Duration,
}

/// Pressure beyond its bound: the share of the window in which tasks stalled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PsiCondition {
    pub resource: Resource,
    pub stall: Stall,
    pub of: Subject,
    /// In percent. [`Threshold::Value`] only.
    pub bound: Bound,
    /// 500 ms to 10 s, as the kernel's triggers take it.
    #[serde(with = "humantime_serde")]
    pub window: Duration,
}

/// So many events within the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventCondition {
    pub event: WatchedEvent,
    /// At least so many; 1 or more.
    pub count: u32,
    #[serde(with = "humantime_serde")]
    pub window: Duration,
}

/// Whose figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    #[default]
    Workload,
    /// The whole machine's. Of metrics only `cpu.usage` and `memory.usage` have it.
    Host,
}

/// On which side of a threshold a value is bad, and when it is good again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    pub compare: Compare,
    pub threshold: Threshold,
    /// Once past `threshold`, the condition holds until the value is back at `clear`; `None`: at
    /// `threshold`. On the good side of `threshold`, where both are of one kind.
    pub clear: Option<Threshold>,
}

/// Which side is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compare {
    Above,
    Below,
}

/// A value to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Threshold {
    /// In the unit of what is compared.
    Value(f64),
    /// Of what is in force for the workload. Where that is unlimited, the condition does not hold.
    PercentOfKnob { knob: Knob, percent: f64 },
    /// Of the machine's memory or of all its CPUs.
    PercentOfHost(f64),
}

/// What tasks can stall for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resource {
    Cpu,
    Memory,
    Io,
}

/// How many of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stall {
    /// At least one stalls.
    Some,
    /// All that are not idle do.
    Full,
}

/// What can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WatchedEvent {
    #[serde(rename = "oom_kill")]
    OomKill,
    #[serde(rename = "exec")]
    Exec,
    #[serde(rename = "exit")]
    Exit,
    /// A task of another workload entered a namespace of this one.
    #[serde(rename = "namespace_foreign_enter")]
    NamespaceForeignEnter,
    /// Throttled at `memory.high`; v2.
    #[serde(rename = "memory.high")]
    MemoryHigh,
    /// Ran into `memory.max`.
    #[serde(rename = "memory.max")]
    MemoryMax,
}

impl Condition {
    /// The leaves, from left to right.
    #[must_use]
    pub fn leaves(&self) -> Vec<&Self> {
        let mut leaves = Vec::new();
        self.each_leaf(&mut |leaf| leaves.push(leaf));
        leaves
    }

    /// Shows them one after the other, from left to right; for what is done often.
    pub fn each_leaf<'c>(&'c self, see: &mut impl FnMut(&'c Self)) {
        match self {
            Self::Any(several) | Self::All(several) => {
                for one in several {
                    one.each_leaf(see);
                }
            }
            Self::Metric(_) | Self::Rate(_) | Self::Psi(_) | Self::Event(_) => see(self),
        }
    }
}

impl Resource {
    /// As in the file and in the kernel's names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Io => "io",
        }
    }
}

impl Stall {
    /// As in the file and in the pressure files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Some => "some",
            Self::Full => "full",
        }
    }
}

impl Compare {
    /// As in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Above => "above",
            Self::Below => "below",
        }
    }
}

impl WatchedEvent {
    /// Every one, as documented.
    pub const ALL: [Self; 6] = [
        Self::OomKill,
        Self::Exec,
        Self::Exit,
        Self::NamespaceForeignEnter,
        Self::MemoryHigh,
        Self::MemoryMax,
    ];

    /// One sentence for the reference.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::OomKill => "The OOM killer took a process of it.",
            Self::Exec => "A process of it executed a program.",
            Self::Exit => "A process of it ended.",
            Self::NamespaceForeignEnter => {
                "A task of another workload entered one of its namespaces by `setns`."
            }
            Self::MemoryHigh => "It was slowed down at `memory.high`. Only on v2.",
            Self::MemoryMax => "It ran into `memory.max`.",
        }
    }

    /// As in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OomKill => "oom_kill",
            Self::Exec => "exec",
            Self::Exit => "exit",
            Self::NamespaceForeignEnter => "namespace_foreign_enter",
            Self::MemoryHigh => "memory.high",
            Self::MemoryMax => "memory.max",
        }
    }
}
