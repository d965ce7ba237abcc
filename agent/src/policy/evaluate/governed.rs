//! One policy on one workload: the limits it holds, and its rules.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::context::Context;
use super::judge::View;
use super::roster::Entry;
use super::rule::RuleState;
use super::series::Moment;
use super::thing::Thing;
use crate::ledger::Workload;
use crate::policy::order::{Claim, Limit, Mode, OnConflict, Order, Restore, Scope, Step};
use crate::policy::set::{Policy, Rule};

const MATCHES: &str = "the policy matches";
const ENDS: &str = "the policy no longer applies";

/// Rules that may not begin anew before, by policy and rule.
pub(super) type Cooling = BTreeMap<(Arc<str>, Arc<str>), Instant>;

/// Whom a change is for, and when.
pub(super) struct Scene<'a> {
    pub(super) moment: Moment,
    pub(super) workload: &'a Arc<Workload>,
    pub(super) view: View<'a>,
}

impl<'a> Scene<'a> {
    fn context(&self, policy: &'a Policy, mode: Mode) -> Context<'a> {
        Context {
            moment: self.moment,
            workload: self.workload,
            policy,
            mode,
            view: self.view,
        }
    }
}

/// What came of doing what was due.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Advanced {
    /// A rule was judged.
    pub(super) any: bool,
    /// What is wanted to be read may be another than before.
    pub(super) restless: bool,
}

/// A policy that applies.
#[derive(Clone, Debug)]
pub(super) struct Governed {
    pub(super) policy: Arc<Policy>,
    pub(super) mode: Mode,
    /// As in the policy.
    pub(super) rules: Vec<RuleState>,
}

impl Governed {
    /// Begins: all limits are held.
    pub(super) fn begin(
        entry: &Entry,
        cooling: &mut Cooling,
        scene: &Scene<'_>,
        out: &mut Vec<Order>,
    ) -> Self {
        let policy = Arc::clone(&entry.policy);
        let rules = policy
            .rules
            .iter()
            .map(|rule| new_state(&policy, rule, cooling));
        let governed = Self {
            rules: rules.collect(),
            mode: entry.mode,
            policy: Arc::clone(&policy),
        };
        governed.hold(&policy.limits, scene, out);
        governed
    }

    /// Ends: nothing is held any more, unless it is to stay.
    pub(super) fn end(mut self, cooling: &mut Cooling, scene: &Scene<'_>, out: &mut Vec<Order>) {
        self.end_rules(cooling, scene, out);
        self.release_limits(scene, out);
    }

    /// Goes over to what the policy is now. What did not change is left alone.
    pub(super) fn turn_into(
        mut self,
        entry: &Entry,
        cooling: &mut Cooling,
        scene: &Scene<'_>,
        out: &mut Vec<Order>,
    ) -> Self {
        if self.mode == entry.mode
            && (Arc::ptr_eq(&self.policy, &entry.policy) || self.policy == entry.policy)
        {
            self.policy = Arc::clone(&entry.policy);
            return self;
        }
        if self.mode != entry.mode {
            self.end(cooling, scene, out);
            return Self::begin(entry, cooling, scene, out);
        }
        self.change_limits(&entry.policy, scene, out);
        self.change_rules(&entry.policy, cooling, scene, out)
    }

    /// Does what is due in those of its rules that `concerned` picks.
    pub(super) fn advance(
        &mut self,
        scene: &Scene<'_>,
        concerned: impl Fn(&Rule, &RuleState) -> bool,
        out: &mut Vec<Order>,
    ) -> Advanced {
        let context = scene.context(&self.policy, self.mode);
        let mut advanced = Advanced::default();
        for (rule, state) in self.policy.rules.iter().zip(&mut self.rules) {
            if concerned(rule, state) {
                advanced.any = true;
                advanced.restless |= state.advance(&context, rule, out);
            }
        }
        advanced
    }

    /// Every rule with its state.
    pub(super) fn rules(&self) -> impl Iterator<Item = (&Rule, &RuleState)> {
        self.policy.rules.iter().zip(&self.rules)
    }

    fn hold(&self, limits: &[Limit], scene: &Scene<'_>, out: &mut Vec<Order>) {
        let context = scene.context(&self.policy, self.mode);
        for limit in limits {
            let claim = Claim {
                limit: limit.clone(),
                at_most: None,
            };
            out.push(context.order_of_limits(Step::Hold(claim), MATCHES));
        }
    }

    fn release_limits(&self, scene: &Scene<'_>, out: &mut Vec<Order>) {
        if !self.policy.limits.is_empty() {
            self.release(Scope::All, scene, out);
        }
    }

    fn release(&self, scope: Scope, scene: &Scene<'_>, out: &mut Vec<Order>) {
        if self.policy.restore == Restore::Never {
            return;
        }
        let context = scene.context(&self.policy, self.mode);
        out.push(context.order_of_limits(Step::Release(scope), ENDS));
    }

    fn end_rules(&mut self, cooling: &mut Cooling, scene: &Scene<'_>, out: &mut Vec<Order>) {
        let policy = Arc::clone(&self.policy);
        let context = scene.context(&policy, self.mode);
        for (rule, state) in policy.rules.iter().zip(&mut self.rules) {
            end_rule(rule, state, &context, cooling, out);
        }
    }

    fn change_limits(&self, new: &Arc<Policy>, scene: &Scene<'_>, out: &mut Vec<Order>) {
        let old = &self.policy;
        let new_terms = terms(old) != terms(new);
        let things = |policy: &Policy| policy.limits.iter().map(Thing::of).collect::<Vec<_>>();
        let (had, has) = (things(old), things(new));
        let mut gone: Vec<Scope> = Vec::new();
        for thing in had.iter().filter(|thing| !has.contains(thing)) {
            if !gone.contains(&thing.scope()) {
                gone.push(thing.scope());
            }
        }
        let now = Self {
            policy: Arc::clone(new),
            mode: self.mode,
            rules: Vec::new(),
        };
        for scope in &gone {
            now.release(scope.clone(), scene, out);
        }
        // Caps by path go together, so those that stay are held anew.
        let changed = |limit: &&Limit| {
            new_terms || !old.limits.contains(limit) || gone.contains(&Thing::of(limit).scope())
        };
        let changed: Vec<Limit> = new.limits.iter().filter(changed).cloned().collect();
        now.hold(&changed, scene, out);
    }

    fn change_rules(
        mut self,
        new: &Arc<Policy>,
        cooling: &mut Cooling,
        scene: &Scene<'_>,
        out: &mut Vec<Order>,
    ) -> Self {
        let old = Arc::clone(&self.policy);
        let context = scene.context(&old, self.mode);
        let same_terms = terms(&old) == terms(new);
        let mut states: BTreeMap<&str, (&Rule, RuleState)> = BTreeMap::new();
        for (rule, state) in old.rules.iter().zip(std::mem::take(&mut self.rules)) {
            states.insert(&rule.name, (rule, state));
        }
        let mut kept = BTreeMap::new();
        for (name, (rule, mut state)) in states {
            if same_terms && new.rules.contains(rule) {
                kept.insert(name, state);
            } else {
                end_rule(rule, &mut state, &context, cooling, out);
            }
        }
        let rules = new.rules.iter().map(|rule| {
            kept.remove(&*rule.name)
                .unwrap_or_else(|| new_state(new, rule, cooling))
        });
        Self {
            rules: rules.collect(),
            policy: Arc::clone(new),
            mode: self.mode,
        }
    }
}

/// What every order of a policy carries: a claim is made anew when it changes.
fn terms(policy: &Policy) -> (i32, OnConflict, Restore) {
    (policy.rank(), policy.on_conflict, policy.restore)
}

fn end_rule(
    rule: &Rule,
    state: &mut RuleState,
    context: &Context<'_>,
    cooling: &mut Cooling,
    out: &mut Vec<Order>,
) {
    state.settle(context, rule, out);
    if let Some(until) = state.cools_until() {
        let key = (Arc::clone(&context.policy.name), Arc::clone(&rule.name));
        cooling.insert(key, until);
    }
}

/// A rule that begins, unless it is still cooling from before.
fn new_state(policy: &Policy, rule: &Rule, cooling: &mut Cooling) -> RuleState {
    let mut state = RuleState::new(rule);
    let key = (Arc::clone(&policy.name), Arc::clone(&rule.name));
    if let Some(until) = cooling.remove(&key) {
        state.cool(until);
    }
    state
}
