//! A workload, a clock and an evaluator.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::cgroup::{Knob, Setting};
use crate::identity::{Identity, classify};
use crate::ledger::Workload;
use crate::policy::evaluate::{Evaluator, Moment, Observation, Series};
use crate::policy::{
    Action, Amount, Bound, Claimant, Compare, Condition, Hold, LadderStep, Limit, Metric,
    MetricCondition, Mode, OnConflict, Once, Order, Policy, PolicySet, Process, Protect, Restore,
    Revert, Rule, Selector, Step, Subject, Terms, Threshold, Wanted,
};

pub(in crate::policy) const ID: &str = "/job";
pub(in crate::policy) const MIB: f64 = 1_048_576.0;

pub(in crate::policy) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

pub(in crate::policy) fn workload(id: &str, label: Option<(&str, &str)>) -> Arc<Workload> {
    let mut identity = classify(id);
    if let Some((key, value)) = label {
        identity.labels.insert(key.to_owned(), value.to_owned());
    }
    of_identity(identity)
}

pub(in crate::policy) fn of_identity(identity: Identity) -> Arc<Workload> {
    let (identity, placement) = (Arc::new(identity), Arc::default());
    Arc::new(Workload::new(identity, placement, SystemTime::UNIX_EPOCH))
}

pub(in crate::policy) fn policy(name: &str, limits: Vec<Limit>, rules: Vec<Rule>) -> Policy {
    Policy {
        name: Arc::from(name),
        priority: 0,
        mode: None,
        enabled: true,
        select: Selector::default(),
        on_conflict: OnConflict::Yield,
        restore: Restore::OnExit,
        limits,
        rules,
    }
}

pub(in crate::policy) fn for_label(mut policy: Policy, key: &str, value: &str) -> Policy {
    policy.select = Selector {
        matching: Terms {
            labels: vec![crate::policy::LabelTerm {
                key: key.to_owned(),
                values: vec![value.parse().unwrap()],
            }],
            ..Terms::default()
        },
        exclude: Vec::new(),
    };
    policy
}

pub(in crate::policy) fn set(policies: Vec<Policy>) -> Arc<PolicySet> {
    Arc::new(PolicySet {
        version: 1,
        mode: Mode::Enforce,
        protect: Protect::default(),
        policies,
    })
}

/// `when` for so long; cleared after as long as said.
pub(in crate::policy) fn rule(when: Condition, times: [f64; 3], then: Vec<LadderStep>) -> Rule {
    let [hold_for, clear_for, cooldown] = times.map(seconds);
    Rule {
        name: Arc::from("rule"),
        when,
        hold_for,
        clear_for,
        cooldown,
        then,
    }
}

/// Memory above one line, cleared below another, in MiB.
pub(in crate::policy) fn usage(above: f64, clear: Option<f64>) -> Condition {
    Condition::Metric(MetricCondition {
        metric: Metric::MemoryUsage,
        of: Subject::Workload,
        bound: Bound {
            compare: Compare::Above,
            threshold: Threshold::Value(above * MIB),
            clear: clear.map(|clear| Threshold::Value(clear * MIB)),
        },
        window: Duration::ZERO,
    })
}

pub(in crate::policy) fn step(after: f64, action: Action) -> LadderStep {
    LadderStep {
        after: seconds(after),
        action,
    }
}

pub(in crate::policy) fn reclaim(bytes: u64) -> Action {
    Action::Once(Once::Reclaim { bytes })
}

pub(in crate::policy) fn kill() -> Action {
    Action::Once(Once::Kill {
        scope: Process::Cgroup,
        signal: 15,
        grace: seconds(5.0),
        escalate: Some(9),
    })
}

pub(in crate::policy) fn wanted(setting: Setting) -> Limit {
    Limit::Cgroup(Wanted {
        knob: setting.knob(),
        amount: Amount::Exactly(setting),
        ceiling: None,
        floor: None,
    })
}

pub(in crate::policy) fn hold(setting: Setting, revert: Revert) -> Action {
    Action::Hold(Hold {
        limits: vec![wanted(setting)],
        revert,
        at_most: None,
    })
}

pub(in crate::policy) fn pids_max(most: u64) -> Setting {
    Setting::PidsMax(Some(most))
}

/// What an order comes to, in short: `+pids.max`, `-all`, `-pids.max`, `reclaim 5`, `kill`.
pub(in crate::policy) fn short(order: &Order) -> String {
    match &order.step {
        Step::Hold(claim) => match &claim.limit {
            Limit::Cgroup(wanted) => format!("+{}", wanted.knob),
            Limit::Io { .. } => "+io".to_owned(),
            Limit::Traffic(_) => "+net".to_owned(),
            Limit::Devices(_) => "+devices".to_owned(),
        },
        Step::Release(scope) => match scope {
            crate::policy::Scope::All => "-all".to_owned(),
            crate::policy::Scope::Knob(knob) => format!("-{knob}"),
            crate::policy::Scope::Io => "-io".to_owned(),
            crate::policy::Scope::Traffic => "-net".to_owned(),
            crate::policy::Scope::Devices => "-devices".to_owned(),
        },
        Step::Once(Once::Reclaim { bytes }) => format!("reclaim {bytes}"),
        Step::Once(Once::Kill { .. }) => "kill".to_owned(),
        Step::Once(Once::Notify { .. }) => "notify".to_owned(),
        Step::Once(Once::Restart) => "restart".to_owned(),
    }
}

pub(in crate::policy) fn shorts(orders: &[Order]) -> Vec<String> {
    orders.iter().map(short).collect()
}

pub(in crate::policy) fn rule_of(order: &Order) -> Option<&str> {
    match &order.claimant {
        Claimant::Policy { rule, .. } => rule.as_deref(),
        Claimant::Operator => None,
    }
}

/// Holds the clock.
pub(in crate::policy) struct World {
    pub(in crate::policy) evaluator: Evaluator,
    start: Instant,
    wall: SystemTime,
    pub(in crate::policy) now: Duration,
}

impl World {
    /// With one workload, [`ID`].
    pub(in crate::policy) fn new(policies: Vec<Policy>) -> (Self, Vec<Order>) {
        let mut world = Self::empty(policies);
        let orders = world.appear(&workload(ID, None));
        (world, orders)
    }

    pub(in crate::policy) fn empty(policies: Vec<Policy>) -> Self {
        Self {
            evaluator: Evaluator::new(set(policies)),
            start: Instant::now() + Duration::from_secs(3_600),
            wall: SystemTime::UNIX_EPOCH,
            now: Duration::ZERO,
        }
    }

    pub(in crate::policy) fn appear(&mut self, workload: &Arc<Workload>) -> Vec<Order> {
        let now = self.moment();
        self.evaluator.appear(now, workload)
    }

    pub(in crate::policy) fn moment(&self) -> Moment {
        Moment {
            instant: self.start + self.now,
            wall: self.wall + self.now,
        }
    }

    /// At so many seconds, a reading.
    pub(in crate::policy) fn see(
        &mut self,
        at: f64,
        series: Series,
        value: Option<f64>,
    ) -> Vec<String> {
        shorts(&self.orders(at, series, value))
    }

    pub(in crate::policy) fn orders(
        &mut self,
        at: f64,
        series: Series,
        value: Option<f64>,
    ) -> Vec<Order> {
        let mut observation = Observation::default();
        observation.put(series, value);
        self.observe(at, &observation)
    }

    pub(in crate::policy) fn observe(&mut self, at: f64, observation: &Observation) -> Vec<Order> {
        self.now = seconds(at);
        self.evaluator.observe(self.moment(), ID, observation)
    }

    /// Memory in use, in MiB.
    pub(in crate::policy) fn memory(&mut self, at: f64, mib: f64) -> Vec<String> {
        self.see(at, Series::MemoryUsage, Some(mib * MIB))
    }

    pub(in crate::policy) fn limit(
        &mut self,
        at: f64,
        knob: Knob,
        value: Option<f64>,
    ) -> Vec<String> {
        self.see(at, Series::InForce(knob), value)
    }

    pub(in crate::policy) fn tick(&mut self, at: f64) -> Vec<String> {
        self.now = seconds(at);
        let now = self.moment();
        shorts(&self.evaluator.tick(now))
    }

    /// When it is due, in seconds since the start.
    pub(in crate::policy) fn due(&self) -> Option<f64> {
        let due = self.evaluator.due()?;
        Some((due - self.start).as_secs_f64())
    }
}
