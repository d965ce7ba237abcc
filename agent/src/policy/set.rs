//! A whole policy file, read and checked.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::ladder::LadderStep;
use super::order::{Limit, Mode, OnConflict, Restore};
use super::pattern::Pattern;
use super::selector::{LabelTerm, Selector};
use crate::identity::Identity;

/// Priorities lie between this and its negative.
pub const MOST_PRIORITY: i32 = 1_000;
/// Terms beyond this do not count.
const MOST_TERMS: usize = 1_000;

/// Every policy of one file. The default is that of no file: nothing is done to anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicySet {
    /// Of the file's form; 1.
    pub version: u32,
    /// For policies that do not say their own.
    pub mode: Mode,
    pub protect: Protect,
    /// As they stand in the file.
    pub policies: Vec<Policy>,
}

/// What no policy of the file may act on, besides what enforcement never touches; and how much may be
/// done at the most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Protect {
    pub never: Vec<ProtectPattern>,
    /// A workload with any of them is protected.
    pub labels: Vec<LabelTerm>,
    pub max_actions_per_minute: u32,
    pub max_kills_per_hour: u32,
}

/// One entry of `never`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProtectPattern {
    /// The agent's own cgroup.
    Own,
    /// Those above it.
    OwnAncestors,
    /// Cgroup paths; begins with `/`.
    Cgroup(Pattern),
    /// Names of units, containers or machines.
    Name(Pattern),
}

/// Limits and rules for one group of workloads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Unique in the file.
    pub name: Arc<str>,
    /// -1000 to 1000: decides between policies that match a workload by as many terms.
    pub priority: i32,
    /// `None`: the file's.
    pub mode: Option<Mode>,
    pub enabled: bool,
    pub select: Selector,
    pub on_conflict: OnConflict,
    pub restore: Restore,
    /// Held for as long as a workload is matched. No two of the same thing.
    pub limits: Vec<Limit>,
    pub rules: Vec<Rule>,
}

/// When a condition holds for so long, do that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Unique in its policy.
    pub name: Arc<str>,
    pub when: Condition,
    /// How long `when` must hold without a break before the first step.
    #[serde(with = "humantime_serde")]
    pub hold_for: Duration,
    /// How long `when` must not hold, without a break, until the rule has cleared.
    #[serde(with = "humantime_serde")]
    pub clear_for: Duration,
    /// How long, after it has cleared, the rule does not begin anew on the same workload.
    #[serde(with = "humantime_serde")]
    pub cooldown: Duration,
    /// Climbed from the first, while `when` holds. Never empty.
    pub then: Vec<LadderStep>,
}

impl Policy {
    /// Order among policies: more terms first, then more priority. Greater goes first; unlike
    /// `priority`, it can be compared across policies on its own.
    #[must_use]
    pub fn rank(&self) -> i32 {
        let terms = self.select.specificity().min(MOST_TERMS);
        // One term outweighs the whole range of priorities. No conversion: at most MOST_TERMS.
        let terms = i32::try_from(terms).unwrap_or(i32::MAX);
        terms * (2 * MOST_PRIORITY + 1) + self.priority
    }
}

impl PolicySet {
    /// The enabled policies that match, the one that goes first in front. Policies of equal rank
    /// stand as in the file: they set nothing in common, or the file would have been refused.
    #[must_use]
    pub fn matching(&self, identity: &Identity) -> Vec<&Policy> {
        let mut matched: Vec<&Policy> = self
            .policies
            .iter()
            .filter(|policy| policy.enabled && policy.select.matches(identity))
            .collect();
        // Stable.
        matched.sort_by_key(|policy| std::cmp::Reverse(policy.rank()));
        matched
    }

    /// The mode of one of its policies.
    #[must_use]
    pub fn mode_of(&self, policy: &Policy) -> Mode {
        policy.mode.unwrap_or(self.mode)
    }
}

impl Default for PolicySet {
    fn default() -> Self {
        Self {
            version: 1,
            mode: Mode::default(),
            protect: Protect::default(),
            policies: Vec::new(),
        }
    }
}

impl Default for Protect {
    fn default() -> Self {
        Self {
            never: Vec::new(),
            labels: Vec::new(),
            max_actions_per_minute: 60,
            max_kills_per_hour: 3,
        }
    }
}
