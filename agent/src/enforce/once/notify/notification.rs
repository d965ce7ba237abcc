//! What is told: the body of a webhook, the standard input of a command.
//!
//! Described for its receivers in `docs/notifications.md`. Fields may be added; none changes its
//! meaning or goes while [`VERSION`] is the same.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

use crate::enforce::Record;
use crate::enforce::audit::{Audit, Query, because};
use crate::enforce::once::Errand;
use crate::identity::Identity;
use crate::policy::{Claimant, Evidence, Limit, Once, Step};

const VERSION: u32 = 1;
/// Actions told with it at most, the last ones.
const ACTIONS: usize = 16;

/// That a rule's condition holds, with what the rule has already done about it.
#[derive(Clone, Debug, Serialize)]
pub(in crate::enforce::once) struct Notification {
    pub(super) version: u32,
    /// Number of the action, as in `plimsoll actions`.
    pub(super) id: u64,
    #[serde(with = "humantime_serde")]
    pub(super) time: SystemTime,
    /// The node's host name.
    pub(super) host: String,
    /// `null`, as the rule: an operator's doing.
    pub(super) policy: Option<Arc<str>>,
    pub(super) rule: Option<Arc<str>>,
    pub(super) workload: Told,
    pub(super) evidence: Evidence,
    /// One line for people.
    pub(super) text: String,
    /// What the rule did to the workload since its condition holds, the oldest first.
    pub(super) actions: Vec<Action>,
}

/// The workload.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Told {
    /// Its cgroup path.
    pub(super) id: String,
    pub(super) name: String,
    runtime: &'static str,
    kind: &'static str,
    container_id: Option<String>,
    image: Option<String>,
    pod: Option<String>,
    namespace: Option<String>,
    labels: BTreeMap<String, String>,
}

/// One action before.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Action {
    id: u64,
    #[serde(with = "humantime_serde")]
    time: SystemTime,
    /// A knob (`memory.max`, `cgroup.freeze`), or `io`, `network`, `devices`, `release`, `reclaim`,
    /// `kill`, `restart`, `notify`.
    step: &'static str,
    outcome: &'static str,
    reason: Option<String>,
    before: Option<String>,
    after: Option<String>,
}

impl Notification {
    pub(in crate::enforce::once) fn of(errand: &Errand, audit: &Audit) -> Self {
        let identity = &errand.identity;
        let (policy, rule) = match &errand.claimant {
            Claimant::Operator => (None, None),
            Claimant::Policy { policy, rule, .. } => (Some(policy.clone()), rule.clone()),
        };
        let name = name(identity);
        Self {
            version: VERSION,
            id: errand.id,
            time: errand.time,
            host: host(),
            text: format!("{name}: {}", because(&errand.evidence)),
            policy,
            rule,
            workload: Told {
                id: identity.id.clone(),
                name,
                runtime: identity.runtime.name(),
                kind: identity.kind.name(),
                container_id: identity.container_id.clone(),
                image: identity.image.clone(),
                pod: identity.pod.clone(),
                namespace: identity.namespace.clone(),
                labels: identity.labels.clone(),
            },
            evidence: errand.evidence.clone(),
            actions: actions(errand, audit),
        }
    }
}

fn actions(errand: &Errand, audit: &Audit) -> Vec<Action> {
    let mut query = Query::last(ACTIONS);
    query.workload = Some(errand.identity.id.clone());
    query.since = errand.evidence.at.checked_sub(errand.evidence.held);
    let by_the_rule = |record: &&Arc<Record>| record.claimant == errand.claimant;
    let records = audit.remembered(&query);
    let actions = records.iter().filter(by_the_rule).map(|record| Action {
        id: record.id,
        time: record.time,
        step: step_name(&record.step),
        outcome: record.outcome.name(),
        reason: record.outcome.reason().map(str::to_owned),
        before: record.before.clone(),
        after: record.after.clone(),
    });
    actions.collect()
}

fn step_name(step: &Step) -> &'static str {
    match step {
        Step::Hold(claim) => match &claim.limit {
            Limit::Cgroup(wanted) => wanted.knob.name(),
            Limit::Io { .. } => "io",
            Limit::Traffic(_) => "network",
            Limit::Devices(_) => "devices",
        },
        Step::Release(_) => "release",
        Step::Once(once) => match once {
            Once::Notify { .. } => "notify",
            Once::Reclaim { .. } => "reclaim",
            Once::Kill { .. } => "kill",
            Once::Restart => "restart",
        },
    }
}

/// What people call it; the path of what has no name.
fn name(identity: &Identity) -> String {
    let name = identity.name.as_deref();
    name.unwrap_or(&identity.id).to_owned()
}

/// A node without a name is told as one.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim_end().to_owned()
}

#[cfg(test)]
#[path = "notification_tests.rs"]
pub(super) mod tests;
