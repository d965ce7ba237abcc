//! Why something is done with a workload, or not.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::judge::Leaf;
use super::miss;
use super::roster::{Entry, Roster};
use super::rule::{Phase, RuleState};
use super::subject::Subject;
use super::thing::Thing;
use super::words;
use crate::policy::order::{Limit, Mode};
use crate::policy::set::Rule;

/// Everything that policies make of one workload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Explanation {
    /// Its id: the cgroup path.
    pub workload: String,
    pub name: Option<String>,
    /// Every policy of the file, the one that goes first in front.
    pub policies: Vec<PolicyExplanation>,
}

/// One policy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PolicyExplanation {
    pub policy: String,
    pub mode: Mode,
    /// More goes first.
    pub rank: i32,
    /// Why it does not apply; `None`: it does.
    pub not_applied: Option<String>,
    /// What it holds for as long as it applies.
    pub limits: Vec<Limit>,
    /// What of that, and of what its rules would hold, this workload cannot have, or less well than
    /// its name promises.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shortfalls: Vec<String>,
    pub rules: Vec<RuleExplanation>,
}

/// One rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RuleExplanation {
    pub rule: String,
    pub condition: String,
    pub state: State,
    /// How long it has been pending or firing.
    #[serde(with = "humantime_serde")]
    pub since: Option<Duration>,
    /// How long it still cools down.
    #[serde(with = "humantime_serde")]
    pub cools_for: Option<Duration>,
    /// Steps taken in this firing, of how many.
    pub steps_taken: usize,
    pub steps: usize,
    pub leaves: Vec<LeafExplanation>,
    /// What the rule holds now.
    pub holds: Vec<String>,
}

/// One value and what it is held against.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LeafExplanation {
    pub condition: String,
    /// With its unit; `unknown` when nothing was read.
    pub value: String,
    /// `None`: it cannot be said.
    pub holds: Option<bool>,
}

/// Where a rule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The condition does not hold.
    Idle,
    /// It holds, not yet for long enough.
    Pending,
    /// Steps are taken.
    Firing,
    /// It has cleared; what was scaled goes back by steps.
    Settling,
    /// It has cleared, and does not begin anew yet.
    Cooldown,
}

impl State {
    /// Every one, in the order in which a rule goes through them.
    pub const ALL: [Self; 5] = [
        Self::Idle,
        Self::Pending,
        Self::Firing,
        Self::Settling,
        Self::Cooldown,
    ];

    /// As in JSON and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Settling => "settling",
            Self::Cooldown => "cooldown",
        }
    }

    pub(super) const fn of(phase: &Phase) -> Self {
        match phase {
            Phase::Idle => Self::Idle,
            Phase::Pending { .. } => Self::Pending,
            Phase::Firing(_) => Self::Firing,
            Phase::Settling { .. } => Self::Settling,
            Phase::Cooldown { .. } => Self::Cooldown,
        }
    }
}

pub(super) fn explain(subject: &Subject, roster: &Roster, now: Option<Instant>) -> Explanation {
    let identity = &subject.workload.identity;
    let mut policies: Vec<_> = roster
        .entries()
        .map(|entry| policy(&entry, subject, now))
        .collect();
    policies.sort_by_key(|policy| std::cmp::Reverse((policy.not_applied.is_none(), policy.rank)));
    Explanation {
        workload: identity.id.clone(),
        name: identity.name.clone(),
        policies,
    }
}

fn policy(entry: &Entry, subject: &Subject, now: Option<Instant>) -> PolicyExplanation {
    let governed = subject
        .governed
        .iter()
        .find(|governed| governed.policy.name == entry.policy.name);
    let rules = governed.map(|governed| {
        let rules = governed.rules();
        rules.map(|(one, state)| rule(one, state, now)).collect()
    });
    PolicyExplanation {
        policy: entry.policy.name.to_string(),
        mode: entry.mode,
        rank: entry.policy.rank(),
        not_applied: match governed {
            Some(_) => None,
            None if !entry.enabled => Some("it is disabled".to_owned()),
            None => Some(miss::why(&entry.policy.select, &subject.workload.identity)),
        },
        limits: governed.map_or_else(Vec::new, |governed| governed.policy.limits.clone()),
        // Evaluation looks at no cgroup.
        shortfalls: Vec::new(),
        rules: rules.unwrap_or_default(),
    }
}

fn rule(rule: &Rule, state: &RuleState, now: Option<Instant>) -> RuleExplanation {
    let elapsed = |since: Instant| now.map(|now| now.saturating_duration_since(since));
    let (since, cools_for, steps_taken) = match state.phase {
        Phase::Idle => (None, None, 0),
        Phase::Pending { since } => (elapsed(since), None, 0),
        Phase::Firing(firing) => (elapsed(firing.since), None, firing.next),
        Phase::Settling { since } => (elapsed(since), None, rule.then.len()),
        Phase::Cooldown { until } => {
            let left = now.map(|now| until.saturating_duration_since(now));
            (None, left, 0)
        }
    };
    let leaves = rule.when.leaves().into_iter().zip(&state.leaves);
    RuleExplanation {
        rule: rule.name.to_string(),
        condition: rule.when.to_string(),
        state: State::of(&state.phase),
        since,
        cools_for,
        steps_taken,
        steps: rule.then.len(),
        leaves: leaves
            .map(|(condition, leaf): (_, &Leaf)| LeafExplanation {
                condition: condition.to_string(),
                value: words::value_of(condition, leaf),
                holds: leaf.holds,
            })
            .collect(),
        holds: state.held.things().map(Thing::to_string).collect(),
    }
}
