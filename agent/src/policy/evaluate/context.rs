//! What a decision is made with, and the order it becomes.

use std::sync::Arc;
use std::time::Instant;

use super::judge::{Leaf, View};
use super::series::Moment;
use super::words;
use crate::ledger::Workload;
use crate::policy::fate::Fate;
use crate::policy::order::{Claimant, Evidence, Mode, Order, Step};
use crate::policy::set::{Policy, Rule};

/// One policy, one workload, one instant.
pub(super) struct Context<'a> {
    pub(super) moment: Moment,
    pub(super) workload: &'a Arc<Workload>,
    pub(super) policy: &'a Policy,
    pub(super) mode: Mode,
    pub(super) view: View<'a>,
}

impl Context<'_> {
    pub(super) const fn now(&self) -> Instant {
        self.view.now
    }

    /// An order of the policy's limits.
    pub(super) fn order_of_limits(&self, step: Step, why: &str) -> Order {
        let evidence = self.evidence(
            why.to_owned(),
            self.workload.identity.id.clone(),
            self.now(),
        );
        self.order(None, step, evidence)
    }

    /// An order of one of its rules, whose condition has held since.
    pub(super) fn order_of_rule(
        &self,
        rule: &Rule,
        leaves: &[Leaf],
        step: Step,
        since: Instant,
    ) -> Order {
        let evidence = self.evidence(
            rule.when.to_string(),
            words::observed(&rule.when, leaves),
            since,
        );
        self.order(Some(rule), step, evidence)
    }

    fn evidence(&self, condition: String, observed: String, since: Instant) -> Evidence {
        Evidence {
            condition,
            observed,
            at: self.moment.wall,
            read: self.moment.instant,
            held: self.now().saturating_duration_since(since),
        }
    }

    fn order(&self, rule: Option<&Rule>, step: Step, evidence: Evidence) -> Order {
        Order {
            claimant: Claimant::Policy {
                policy: Arc::clone(&self.policy.name),
                rule: rule.map(|rule| Arc::clone(&rule.name)),
                priority: self.policy.rank(),
            },
            workload: Arc::clone(self.workload),
            step,
            mode: self.mode,
            on_conflict: self.policy.on_conflict,
            restore: self.policy.restore,
            evidence,
            fate: Fate::default(),
        }
    }
}
