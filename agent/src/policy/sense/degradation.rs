//! What this host cannot do for the policies in force, or only less well.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::dial::Dial;
use crate::cgroup::{Controller, Hierarchy, Layout, may_watch_pressure};
use crate::policy::condition::{Condition, Subject, WatchedEvent};
use crate::policy::evaluate::{LATEST, Series, series_of_leaf};
use crate::policy::set::{PolicySet, Rule};

/// One thing that is missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Degradation {
    /// What suffers: `pressure`, `memory.usage`.
    pub what: String,
    /// What happens instead.
    pub effect: String,
    /// Because of what.
    pub reason: String,
}

impl Degradation {
    pub(super) fn new(what: &str, effect: &str, reason: &str) -> Self {
        Self {
            what: what.to_owned(),
            effect: effect.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

const NEVER: &str = "conditions on it never hold";

/// Of what the policies of `set` ask for: what this host lacks. For `policy check` as well as for the
/// running agent.
#[must_use]
pub fn degradations(layout: &Layout, set: &PolicySet) -> Vec<Degradation> {
    let mut all = BTreeSet::new();
    let rules = set.policies.iter().filter(|policy| policy.enabled);
    for rule in rules.flat_map(|policy| &policy.rules) {
        for leaf in rule.when.leaves() {
            all.extend(of_leaf(layout, rule, leaf));
        }
    }
    all.into_iter().collect()
}

fn of_leaf(layout: &Layout, rule: &Rule, leaf: &Condition) -> Vec<Degradation> {
    match leaf {
        Condition::Psi(psi) => of_pressure(layout, psi.of, psi.resource.name()),
        Condition::Event(event) => of_event(layout, event.event).into_iter().collect(),
        Condition::Metric(one) if one.of == Subject::Workload => {
            of_series(layout, rule, leaf, one.metric.name())
        }
        Condition::Rate(one) => of_series(layout, rule, leaf, one.metric.name()),
        Condition::Metric(_) | Condition::Any(_) | Condition::All(_) => Vec::new(),
    }
}

fn of_pressure(layout: &Layout, of: Subject, resource: &str) -> Vec<Degradation> {
    let mut all = Vec::new();
    let what = format!("pressure of {resource}");
    if !std::path::Path::new("/proc/pressure").exists() {
        all.push(Degradation::new(
            &what,
            NEVER,
            "the kernel counts no pressure (CONFIG_PSI, or psi=0)",
        ));
    } else if of == Subject::Workload && layout.unified().is_none() {
        let reason = "cgroup v2, which counts it by cgroup, is not mounted";
        all.push(Degradation::new(&what, NEVER, reason));
    } else if of == Subject::Workload && !may_watch_pressure() {
        all.push(Degradation::new(
            &what,
            "it is read, as often as it could reach its threshold, instead of being told",
            "without CAP_SYS_RESOURCE the kernel looks every two seconds only",
        ));
    }
    all
}

fn of_event(layout: &Layout, event: WatchedEvent) -> Option<Degradation> {
    let on_v2 = layout
        .controller(Controller::Memory)
        .is_some_and(Hierarchy::is_unified);
    match event {
        WatchedEvent::MemoryHigh if !on_v2 => Some(Degradation::new(
            event.name(),
            NEVER,
            "the memory controller is on cgroup v1, which has no memory.high",
        )),
        WatchedEvent::MemoryMax if !on_v2 => Some(Degradation::new(
            event.name(),
            "it is noticed within a second",
            "the memory controller is on cgroup v1, which counts failures without telling",
        )),
        WatchedEvent::MemoryHigh
        | WatchedEvent::MemoryMax
        | WatchedEvent::OomKill
        | WatchedEvent::Exec
        | WatchedEvent::Exit
        | WatchedEvent::NamespaceForeignEnter => None,
    }
}

fn of_series(layout: &Layout, rule: &Rule, leaf: &Condition, name: &str) -> Vec<Degradation> {
    let mut all = Vec::new();
    for series in series_of_leaf(leaf) {
        if let Some(controller) = controller_of(series)
            && layout.controller(controller).is_none()
        {
            all.push(Degradation::new(
                name,
                NEVER,
                "no mounted hierarchy has its controller",
            ));
        } else if Dial::of(series).is_none() && rule.hold_for < LATEST {
            all.push(Degradation::new(
                name,
                "a rule that waits for less than a second acts a tick late (agent.tick)",
                "it is read once a tick",
            ));
        }
    }
    all
}

const fn controller_of(series: Series) -> Option<Controller> {
    match series {
        Series::MemoryUsage
        | Series::MemoryWorkingSet
        | Series::MemoryAnon
        | Series::MemorySwap => Some(Controller::Memory),
        Series::Pids => Some(Controller::Pids),
        Series::Periods | Series::ThrottledPeriods => Some(Controller::Cpu),
        _ => None,
    }
}
