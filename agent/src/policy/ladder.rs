//! What is done while a condition holds, step by step.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::order::{Amount, Limit, Once};
use crate::cgroup::Knob;

/// One step of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LadderStep {
    /// How long the condition must go on holding after the step before (for the first: after the
    /// rule's `hold_for`) until this one is taken.
    #[serde(with = "humantime_serde")]
    pub after: Duration,
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Hold(Hold),
    Scale(Scale),
    Throttle(Throttle),
    Freeze(Freeze),
    Once(Once),
}

/// Limits in place of those in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// Never empty; no two of the same thing. A [`Limit::Traffic`] is whole: what the policy's own
    /// limits say of traffic and this step does not, is in it.
    pub limits: Vec<Limit>,
    pub revert: Revert,
    /// Let go after this, whether the rule has cleared or not.
    #[serde(with = "humantime_serde")]
    pub at_most: Option<Duration>,
}

/// When what a step holds is let go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Revert {
    /// When the rule has cleared.
    #[default]
    OnClear,
    /// Not by the rule: when the policy or the agent goes, as the policy's `restore` says.
    Keep,
}

/// A knob that is moved a little at a time: up while the condition holds, down when it has cleared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    pub target: Knob,
    /// Times the value in force, each `every` while the condition holds; above 1.
    pub up: f64,
    /// Times the value in force, each `every` while it does not; above 0, below 1.
    pub down: f64,
    #[serde(with = "humantime_serde")]
    pub every: Duration,
    /// Never above.
    pub ceiling: Amount,
    /// Down to this, where it rests; let go where this is the original (`1x`).
    pub floor: Amount,
    /// How long it may stay above the original in all; used up, the knob returns to the original. What
    /// was used is given back second for second while it is there.
    #[serde(with = "humantime_serde")]
    pub budget: Option<Duration>,
}

/// A cap below what is being used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Throttle {
    pub target: ThrottleTarget,
    /// Percent of what is used when the step is taken, over the second before; then, each `every`
    /// while the condition holds, of the cap in force.
    pub to_percent: f64,
    #[serde(with = "humantime_serde")]
    pub every: Duration,
    /// Never below: cores, bits a second or bytes a second, by `target`.
    pub floor: f64,
    /// Let go after this, whether the rule has cleared or not.
    #[serde(with = "humantime_serde")]
    pub at_most: Option<Duration>,
}

/// What can be throttled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ThrottleTarget {
    #[serde(rename = "cpu.max")]
    Cpu,
    /// Bytes read and written, on each disk it uses.
    #[serde(rename = "io.max")]
    Io,
    #[serde(rename = "net.egress")]
    NetEgress,
    #[serde(rename = "net.ingress")]
    NetIngress,
}

/// All tasks stopped, until the rule has cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// Thawed after this in any case.
    #[serde(with = "humantime_serde")]
    pub max: Duration,
}

impl ThrottleTarget {
    /// Every one, as documented.
    pub const ALL: [Self; 4] = [Self::Cpu, Self::Io, Self::NetEgress, Self::NetIngress];

    /// As in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu.max",
            Self::Io => "io.max",
            Self::NetEgress => "net.egress",
            Self::NetIngress => "net.ingress",
        }
    }
}
