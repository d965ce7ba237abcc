//! One workload with the policies that apply to it.

use std::sync::Arc;
use std::time::Instant;

use super::figures::Figures;
use super::governed::{Advanced, Cooling, Governed, Scene};
use super::judge::View;
use super::needs::{self, Needs};
use super::roster::Roster;
use super::rule::RuleState;
use super::series::{Moment, Observation};
use crate::ledger::Workload;
use crate::policy::condition::{Subject as Whose, WatchedEvent};
use crate::policy::order::Order;
use crate::policy::set::Rule;

/// A workload under evaluation.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) id: Arc<str>,
    /// When it was last found to be due.
    pub(super) noted_due: Option<Instant>,
    pub(super) workload: Arc<Workload>,
    pub(super) figures: Figures,
    pub(super) governed: Vec<Governed>,
    cooling: Cooling,
}

impl Subject {
    pub(super) fn new(workload: Arc<Workload>) -> Self {
        Self {
            id: Arc::from(workload.identity.id.as_str()),
            noted_due: None,
            workload,
            figures: Figures::default(),
            governed: Vec::new(),
            cooling: Cooling::new(),
        }
    }

    /// Brings the policies that apply in line with those that match now.
    pub(super) fn govern(
        &mut self,
        roster: &Roster,
        host: &Figures,
        moment: Moment,
        out: &mut Vec<Order>,
    ) {
        self.cooling.retain(|_, until| *until > moment.instant);
        let scene = Scene {
            moment,
            workload: &self.workload,
            view: View {
                own: &self.figures,
                host,
                now: moment.instant,
            },
        };
        let entries = roster.matching(&self.workload.identity);
        let mut before = std::mem::take(&mut self.governed);
        let mut after = Vec::with_capacity(entries.len());
        for entry in &entries {
            let at = before
                .iter()
                .position(|governed| governed.policy.name == entry.policy.name);
            after.push(match at.map(|at| before.swap_remove(at)) {
                Some(governed) => governed.turn_into(entry, &mut self.cooling, &scene, out),
                None => Governed::begin(entry, &mut self.cooling, &scene, out),
            });
        }
        for governed in before {
            governed.end(&mut self.cooling, &scene, out);
        }
        let rules = after
            .iter()
            .flat_map(|governed| governed.policy.rules.iter());
        let windows = needs::windows(rules, Whose::Workload);
        self.governed = after;
        self.figures.remember(windows);
    }

    /// Takes readings, and does what follows from them.
    pub(super) fn observe(
        &mut self,
        host: &Figures,
        moment: Moment,
        observation: &Observation,
        out: &mut Vec<Order>,
    ) -> Advanced {
        self.figures.take(moment.instant, observation);
        let read = observation.kinds();
        let concerned =
            |_: &Rule, state: &RuleState| state.goes_by(read) || state.is_due(moment.instant);
        self.advance(host, moment, concerned, out)
    }

    /// Counts events, and does what follows from them.
    pub(super) fn event(
        &mut self,
        host: &Figures,
        moment: Moment,
        event: WatchedEvent,
        count: u32,
        out: &mut Vec<Order>,
    ) -> Advanced {
        let mut any = false;
        for governed in &mut self.governed {
            for (rule, state) in governed.policy.rules.iter().zip(&mut governed.rules) {
                any |= state.note(rule, event, moment.instant, count);
            }
        }
        if any {
            self.advance(host, moment, |_, state| state.counts(event), out)
        } else {
            Advanced::default()
        }
    }

    /// Does what is due in the rules that `concerned` picks.
    pub(super) fn advance(
        &mut self,
        host: &Figures,
        moment: Moment,
        concerned: impl Fn(&Rule, &RuleState) -> bool,
        out: &mut Vec<Order>,
    ) -> Advanced {
        let scene = Scene {
            moment,
            workload: &self.workload,
            view: View {
                own: &self.figures,
                host,
                now: moment.instant,
            },
        };
        let mut advanced = Advanced::default();
        for governed in &mut self.governed {
            let of_policy = governed.advance(&scene, &concerned, out);
            advanced.any |= of_policy.any;
            advanced.restless |= of_policy.restless;
        }
        advanced
    }

    pub(super) fn due(&self) -> Option<Instant> {
        let rules = self.governed.iter().flat_map(Governed::rules);
        rules.filter_map(|(_, state)| state.next_due()).min()
    }

    /// Whether its rules go by the host, and if so, whether none is near to being decided by it.
    pub(super) fn is_calm_about_host(&self) -> Option<bool> {
        let rules = self.governed.iter().flat_map(Governed::rules);
        rules
            .filter_map(|(rule, state)| state.is_calm_about_host(rule))
            .reduce(|one, other| one && other)
    }

    /// On a host with so many CPUs.
    pub(super) fn needs(&self, cpus: Option<f64>) -> Needs {
        let mut needs = Needs::default();
        for (rule, state) in self.governed.iter().flat_map(Governed::rules) {
            needs.add_rule(rule, state, &self.figures, cpus);
        }
        needs
    }
}
