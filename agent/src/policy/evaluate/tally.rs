//! Counts over all workloads, for people and metrics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::explain::State;
use super::roster::Roster;
use super::subject::Subject;
use crate::policy::order::Mode;

/// How everything stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// As in the file.
    pub policies: Vec<PolicyTally>,
    pub workloads: u64,
    /// Workloads to which a policy applies.
    pub governed: u64,
    /// Times something was decided, to act or not, since the start.
    pub evaluations: u64,
}

/// One policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyTally {
    pub policy: String,
    pub mode: Mode,
    pub enabled: bool,
    /// More goes first.
    pub rank: i32,
    /// Workloads it applies to.
    pub workloads: u64,
    pub rules: Vec<RuleTally>,
}

/// One rule: on how many workloads it is in which state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleTally {
    pub rule: String,
    pub states: BTreeMap<State, u64>,
    /// On how many it holds something.
    pub holding: u64,
}

impl Tally {
    pub(super) fn of<'s>(
        roster: &Roster,
        subjects: impl Iterator<Item = &'s Subject>,
        evaluations: u64,
    ) -> Self {
        let mut tally = Self {
            policies: roster
                .entries()
                .map(|entry| PolicyTally {
                    policy: entry.policy.name.to_string(),
                    mode: entry.mode,
                    enabled: entry.enabled,
                    rank: entry.policy.rank(),
                    workloads: 0,
                    rules: entry
                        .policy
                        .rules
                        .iter()
                        .map(|rule| RuleTally {
                            rule: rule.name.to_string(),
                            states: State::ALL.into_iter().map(|state| (state, 0)).collect(),
                            holding: 0,
                        })
                        .collect(),
                })
                .collect(),
            evaluations,
            ..Self::default()
        };
        for subject in subjects {
            tally.workloads += 1;
            tally.governed += u64::from(!subject.governed.is_empty());
            tally.add(subject);
        }
        tally
    }

    fn add(&mut self, subject: &Subject) {
        for governed in &subject.governed {
            let same = |policy: &&mut PolicyTally| policy.policy == *governed.policy.name;
            let Some(policy) = self.policies.iter_mut().find(same) else {
                continue;
            };
            policy.workloads += 1;
            for ((_, state), tally) in governed.rules().zip(&mut policy.rules) {
                *tally.states.entry(State::of(&state.phase)).or_default() += 1;
                tally.holding += u64::from(!state.held.is_empty());
            }
        }
    }
}
