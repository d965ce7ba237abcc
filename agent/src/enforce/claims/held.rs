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
pub(crate) struct Owner {
    /// The workload's id: its cgroup path.
    pub(crate) id: Arc<str>,
    /// What people call it.
    pub(crate) name: Arc<str>,
    pub(crate) placement: Placement,
    /// A cgroup made anew under the same path has another key.
    #[serde(with = "keys")]
    pub(crate) keys: BTreeMap<HierarchyId, CgroupKey>,
}

/// One claimant's claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Claimed {
    pub(crate) claimant: Claimant,
    /// What it comes to, worked out when it was made.
    pub(crate) value: Value,
    /// The action that made it.
    pub(crate) action: u64,
    #[serde(with = "humantime_serde")]
    pub(crate) since: SystemTime,
    /// Let go by itself then.
    #[serde(
        default,
        with = "humantime_serde",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) until: Option<SystemTime>,
    pub(crate) on_conflict: OnConflict,
    pub(crate) restore: Restore,
}

impl Claimed {
    /// Does it stay when the agent ends, however it ends? What ends at a time needs an agent to end
    /// it, and nothing stays frozen without one.
    #[must_use]
    pub(crate) fn outlives_agent(&self) -> bool {
        if self.until.is_some() || self.value.thing() == Thing::Knob(Knob::Freeze) {
            return false;
        }
        match (&self.claimant, self.restore) {
            (Claimant::Operator, _) | (_, Restore::OnDisable | Restore::Never) => true,
            (Claimant::Policy { .. }, Restore::OnExit) => false,
        }
    }

    /// Is it this claimant's, whatever its priority is now? A reload may change that.
    #[must_use]
    pub(crate) fn is_of(&self, claimant: &Claimant) -> bool {
        is_same(&self.claimant, claimant)
    }

    /// Is it one of this policy's, of its limits or its rules?
    #[must_use]
    pub(crate) fn is_of_policy(&self, name: &str) -> bool {
        matches!(&self.claimant, Claimant::Policy { policy, .. } if &**policy == name)
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

/// Another thing of the same workload that a write changed on its way: a burst that a lower quota
/// took with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Aside {
    pub(crate) original: Value,
    /// As read back after; `None`: the write is under way.
    pub(crate) in_force: Option<Value>,
}

/// A thing of a cgroup with at least one claim on it, or that is changed for a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) slot: Slot,
    pub(crate) owner: Arc<Owner>,
    /// Before the first claim.
    pub(crate) original: Value,
    /// As last read back.
    pub(crate) in_force: Value,
    /// What else the kernel changed with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) asides: Vec<Aside>,
    /// The first is in force, or is to be.
    claims: Vec<Claimed>,
    /// A write is under way, so the kernel may have `in_force` or what is wanted.
    pub(crate) pending: bool,
}

impl Held {
    /// Nothing claimed yet.
    #[must_use]
    pub(crate) fn new(slot: Slot, owner: Arc<Owner>, original: Value) -> Self {
        Self {
            slot,
            owner,
            in_force: original.clone(),
            asides: Vec::new(),
            original,
            claims: Vec::new(),
            pending: false,
        }
    }

    /// In order of precedence.
    #[must_use]
    pub(crate) fn claims(&self) -> &[Claimed] {
        &self.claims
    }

    /// The claim in force.
    #[must_use]
    pub(crate) fn first(&self) -> Option<&Claimed> {
        self.claims.first()
    }

    /// What is to be in force.
    #[must_use]
    pub(crate) fn wanted(&self) -> &Value {
        self.first().map_or(&self.original, |first| &first.value)
    }

    /// What this claimant holds.
    #[must_use]
    pub(crate) fn of(&self, claimant: &Claimant) -> Option<&Claimed> {
        self.claims.iter().find(|claim| claim.is_of(claimant))
    }

    /// How deep its cgroup is below the root.
    #[must_use]
    pub(crate) fn depth(&self) -> usize {
        let path = self.owner.placement.paths.get(&self.slot.cgroup.hierarchy);
        path.map_or(0, |path| path.matches('/').count())
    }

    /// With this claim, in place of what its claimant held.
    #[must_use]
    pub(crate) fn with(&self, claimed: Claimed) -> Self {
        let mut held = self.without(|claim| claim.is_of(&claimed.claimant));
        held.claims.push(claimed);
        held.claims.sort_by(Claimed::precedence);
        held
    }

    /// Without the claims that `gone` picks.
    #[must_use]
    pub(crate) fn without(&self, gone: impl Fn(&Claimed) -> bool) -> Self {
        let mut held = self.clone();
        held.claims.retain(|claim| !gone(claim));
        held
    }

    /// What the kernel made of the claim in force is what is claimed: rounded, in its own unit.
    pub(crate) fn take_rounding(&mut self, read_back: &Value) {
        if let Some(first) = self.claims.first_mut() {
            first.value.clone_from(read_back);
        }
    }

    /// Must the kernel be told? Not when what is wanted is in force.
    #[must_use]
    pub(crate) fn needs_write(&self) -> bool {
        self.pending || *self.wanted() != self.in_force
    }
}

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
