//! One thing that is held: by whom, in which order, and what it was before.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::value::{Slot, Thing, Value};
use crate::cgroup::{CgroupKey, HierarchyId, Knob, Placement};
use crate::policy::{Claimant, OnConflict, Restore};

/// The workload that a thing is of, pinned to the cgroups that it had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The workload's id: its cgroup path.
    pub id: Arc<str>,
    /// What people call it.
    pub name: Arc<str>,
    pub placement: Placement,
    /// A cgroup made anew under the same path has another key.
    #[serde(with = "keys")]
    pub keys: BTreeMap<HierarchyId, CgroupKey>,
}

/// One claimant's claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claimed {
    pub claimant: Claimant,
    /// What it comes to, worked out when it was made.
    pub value: Value,
    /// The action that made it.
    pub action: u64,
    #[serde(with = "humantime_serde")]
    pub since: SystemTime,
    /// Let go by itself then.
    #[serde(
        default,
        with = "humantime_serde",
        skip_serializing_if = "Option::is_none"
    )]
    pub until: Option<SystemTime>,
    pub on_conflict: OnConflict,
    pub restore: Restore,
}

impl Claimed {
    /// Does it stay when the agent ends, however it ends? What ends at a time needs an agent to end
    /// it, and nothing stays frozen without one.
    #[must_use]
    pub fn outlives_agent(&self) -> bool {
        if self.until.is_some() || self.value.thing() == Thing::Knob(Knob::Freeze) {
            return false;
        }
        match (&self.claimant, self.restore) {
            (Claimant::Operator, _) | (_, Restore::OnDisable | Restore::Never) => true,
            (Claimant::Policy { .. }, Restore::OnExit) => false,
        }
    }

    /// `Less`: goes before. The operator, then by priority, a rule before the limits it is there to
    /// correct, the newer before the older.
    fn precedence(&self, other: &Self) -> Ordering {
        let rank = |claimed: &Self| match &claimed.claimant {
            Claimant::Operator => (true, 0, false),
            Claimant::Policy { rule, priority, .. } => (false, *priority, rule.is_some()),
        };
        rank(other)
            .cmp(&rank(self))
            .then_with(|| other.action.cmp(&self.action))
    }
}

/// A thing of a cgroup with at least one claim on it, or on the way back to what it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    pub slot: Slot,
    pub owner: Arc<Owner>,
    /// Before the first claim.
    pub original: Value,
    /// As last read back.
    pub in_force: Value,
    /// The first is in force, or is to be.
    claims: Vec<Claimed>,
    /// A write is under way, so the kernel may have `in_force` or what is wanted.
    pub pending: bool,
}

impl Held {
    /// Nothing claimed yet.
    #[must_use]
    pub fn new(slot: Slot, owner: Arc<Owner>, original: Value) -> Self {
        Self {
            slot,
            owner,
            in_force: original.clone(),
            original,
            claims: Vec::new(),
            pending: false,
        }
    }

    /// In order of precedence.
    #[must_use]
    pub fn claims(&self) -> &[Claimed] {
        &self.claims
    }

    /// The claim in force.
    #[must_use]
    pub fn first(&self) -> Option<&Claimed> {
        self.claims.first()
    }

    /// What is to be in force.
    #[must_use]
    pub fn wanted(&self) -> &Value {
        self.first().map_or(&self.original, |first| &first.value)
    }

    /// What this claimant holds.
    #[must_use]
    pub fn of(&self, claimant: &Claimant) -> Option<&Claimed> {
        self.claims.iter().find(|claim| is_same(&claim.claimant, claimant))
    }

    /// With this claim, in place of what its claimant held.
    #[must_use]
    pub fn with(&self, claimed: Claimed) -> Self {
        let mut held = self.without(|claim| is_same(&claim.claimant, &claimed.claimant));
        held.claims.push(claimed);
        held.claims.sort_by(Claimed::precedence);
        held
    }

    /// Without the claims that `gone` picks.
    #[must_use]
    pub fn without(&self, gone: impl Fn(&Claimed) -> bool) -> Self {
        let mut held = self.clone();
        held.claims.retain(|claim| !gone(claim));
        held
    }

    /// Must the kernel be told? Not when what is wanted is in force.
    #[must_use]
    pub fn needs_write(&self) -> bool {
        self.pending || *self.wanted() != self.in_force
    }
}

/// One claimant, whatever its priority is now: a reload may change that.
fn is_same(a: &Claimant, b: &Claimant) -> bool {
    match (a, b) {
        (Claimant::Operator, Claimant::Operator) => true,
        (
            Claimant::Policy {
                policy: a, rule: x, ..
            },
            Claimant::Policy {
                policy: b, rule: y, ..
            },
        ) => a == b && x == y,
        (Claimant::Operator, Claimant::Policy { .. })
        | (Claimant::Policy { .. }, Claimant::Operator) => false,
    }
}

/// A map with numbers for keys is a list of its values in JSON.
mod keys {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::cgroup::{CgroupKey, HierarchyId};

    pub(super) fn serialize<S: Serializer>(
        keys: &BTreeMap<HierarchyId, CgroupKey>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(keys.values())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<HierarchyId, CgroupKey>, D::Error> {
        let keys = Vec::<CgroupKey>::deserialize(from)?;
        Ok(keys.into_iter().map(|key| (key.hierarchy, key)).collect())
    }
}

#[cfg(test)]
#[path = "held_tests.rs"]
mod tests;
