//! The policies in force: those of the file, with what an operator switched since.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::identity::Identity;
use crate::policy::order::Mode;
use crate::policy::set::{Policy, PolicySet};

/// There is no policy of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no policy is named {0}")]
pub struct NoSuchPolicy(pub String);

/// A policy as it is in force.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) policy: Arc<Policy>,
    pub(super) mode: Mode,
    pub(super) enabled: bool,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Roster {
    set: Arc<PolicySet>,
    policies: Vec<Arc<Policy>>,
    /// What was switched at run time: the mode of all, of some, and who is on.
    mode: Option<Mode>,
    modes: BTreeMap<Arc<str>, Mode>,
    enabled: BTreeMap<Arc<str>, bool>,
}

impl Roster {
    pub(super) fn new(set: Arc<PolicySet>) -> Self {
        let mut roster = Self::default();
        roster.replace(set);
        roster
    }

    pub(super) fn set(&self) -> &Arc<PolicySet> {
        &self.set
    }

    /// The file, with what was switched since.
    pub(super) fn in_force(&self) -> PolicySet {
        let mut set = PolicySet::clone(&self.set);
        set.mode = self.mode.unwrap_or(set.mode);
        for (policy, entry) in set.policies.iter_mut().zip(self.entries()) {
            policy.mode = Some(entry.mode);
            policy.enabled = entry.enabled;
        }
        set
    }

    /// Takes a new file. What an operator switched stays, where the file says what it said before.
    pub(super) fn replace(&mut self, set: Arc<PolicySet>) {
        let before = std::mem::replace(&mut self.set, set);
        let set = &self.set;
        if before.mode != set.mode {
            self.mode = None;
        }
        let same = |name: &Arc<str>, what: fn(&PolicySet, &Policy) -> (Mode, bool)| {
            let of = |set: &PolicySet| {
                let policy = set.policies.iter().find(|policy| policy.name == *name);
                policy.map(|policy| what(set, policy))
            };
            of(&before).is_some() && of(&before) == of(set)
        };
        self.modes
            .retain(|name, _| same(name, |set, policy| (set.mode_of(policy), true)));
        self.enabled
            .retain(|name, _| same(name, |_, policy| (Mode::Monitor, policy.enabled)));
        self.policies = set.policies.iter().cloned().map(Arc::new).collect();
    }

    /// Sets the mode of one, or of all. Monitor for all goes before what single policies say: less
    /// than asked is done then, never more.
    pub(super) fn set_mode(&mut self, name: Option<&str>, mode: Mode) -> Result<(), NoSuchPolicy> {
        match name {
            Some(name) => {
                let name = self.name(name)?;
                self.modes.insert(name, mode);
            }
            None => {
                self.mode = Some(mode);
                self.modes.clear();
            }
        }
        Ok(())
    }

    pub(super) fn enable(&mut self, name: &str, on: bool) -> Result<(), NoSuchPolicy> {
        let name = self.name(name)?;
        self.enabled.insert(name, on);
        Ok(())
    }

    /// Every policy, as it stands in the file.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        self.policies.iter().map(|policy| self.entry(policy))
    }

    /// Those that are on and match.
    pub(super) fn matching(&self, identity: &Identity) -> Vec<Entry> {
        let matched = self.policies.iter().map(|policy| self.entry(policy));
        matched
            .filter(|entry| entry.enabled && entry.policy.select.matches(identity))
            .collect()
    }

    fn entry(&self, policy: &Arc<Policy>) -> Entry {
        let own = self.modes.get(&policy.name).copied();
        let mode = match (own, self.mode) {
            (Some(mode), _) => mode,
            (None, Some(Mode::Monitor)) => Mode::Monitor,
            (None, Some(mode)) => policy.mode.unwrap_or(mode),
            (None, None) => self.set.mode_of(policy),
        };
        let enabled = self.enabled.get(&policy.name).copied();
        Entry {
            policy: Arc::clone(policy),
            mode,
            enabled: enabled.unwrap_or(policy.enabled),
        }
    }

    fn name(&self, name: &str) -> Result<Arc<str>, NoSuchPolicy> {
        let found = self.policies.iter().find(|policy| &*policy.name == name);
        found
            .map(|policy| Arc::clone(&policy.name))
            .ok_or_else(|| NoSuchPolicy(name.to_owned()))
    }
}
