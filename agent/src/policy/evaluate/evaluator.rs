//! All workloads under all policies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::explain::{self, Explanation};
use super::figures::Figures;
use super::governed::Advanced;
use super::judge;
use super::needs::{self, Needs};
use super::roster::{NoSuchPolicy, Roster};
use super::rule::RuleState;
use super::series::{Moment, Observation, Series};
use super::subject::Subject;
use super::tally::Tally;
use crate::ledger::Workload;
use crate::policy::condition::{Subject as Whose, WatchedEvent};
use crate::policy::order::{Mode, Order};
use crate::policy::set::{PolicySet, Rule};

/// Decides; see the module. What it is told may come in any order, and times may stand still or go
/// back: what was done is not done again.
#[derive(Clone, Debug)]
pub struct Evaluator {
    roster: Roster,
    host: Figures,
    subjects: BTreeMap<Arc<str>, Subject>,
    dues: BTreeSet<(Instant, Arc<str>)>,
    /// Whose needs may have changed.
    restless: BTreeSet<Arc<str>>,
    latest: Option<Instant>,
    evaluations: u64,
    /// Events that any rule counts.
    counted: BTreeSet<WatchedEvent>,
    /// Rules go by the host's figures, and none is near to being decided by them.
    calm_about_host: bool,
}

impl Evaluator {
    /// Knows no workload yet.
    #[must_use]
    pub fn new(set: Arc<PolicySet>) -> Self {
        let mut evaluator = Self {
            roster: Roster::new(set),
            host: Figures::default(),
            subjects: BTreeMap::new(),
            dues: BTreeSet::new(),
            restless: BTreeSet::new(),
            latest: None,
            evaluations: 0,
            counted: BTreeSet::new(),
            calm_about_host: false,
        };
        evaluator.look_through();
        evaluator
    }

    /// The file in force.
    #[must_use]
    pub fn set(&self) -> &Arc<PolicySet> {
        self.roster.set()
    }

    /// The file, with what was switched since.
    #[must_use]
    pub fn in_force(&self) -> PolicySet {
        self.roster.in_force()
    }

    /// A workload is there; a new one under an old id is a new workload.
    pub fn appear(&mut self, now: Moment, workload: &Arc<Workload>) -> Vec<Order> {
        let now = self.at(now);
        self.gone(&workload.identity.id);
        let mut subject = Subject::new(Arc::clone(workload));
        let mut out = Vec::new();
        subject.govern(&self.roster, &self.host, now, &mut out);
        let id = Arc::clone(&subject.id);
        self.subjects.insert(Arc::clone(&id), subject);
        self.touch(&id);
        out
    }

    /// The same workload, seen anew: its name and labels may be others. One that is not known
    /// appears.
    pub fn changed(&mut self, now: Moment, workload: &Arc<Workload>) -> Vec<Order> {
        let moment = self.at(now);
        let Some(subject) = self.subjects.get_mut(workload.identity.id.as_str()) else {
            return self.appear(now, workload);
        };
        let before = std::mem::replace(&mut subject.workload, Arc::clone(workload));
        let same = Arc::ptr_eq(&before.identity, &workload.identity)
            || before.identity == workload.identity;
        let mut out = Vec::new();
        if !same {
            subject.govern(&self.roster, &self.host, moment, &mut out);
            let id = Arc::clone(&subject.id);
            self.touch(&id);
        }
        out
    }

    /// It is no more: what was held went with its cgroup.
    pub fn gone(&mut self, id: &str) {
        if let Some(subject) = self.subjects.remove(id) {
            if let Some(due) = subject.noted_due {
                self.dues.remove(&(due, Arc::clone(&subject.id)));
            }
            self.restless.remove(id);
        }
    }

    /// It is no longer seen, though its cgroup may be there: what is held of it is let go.
    pub fn part_from(&mut self, now: Moment, id: &str) -> Vec<Order> {
        let now = self.at(now);
        let mut out = Vec::new();
        if let Some(subject) = self.subjects.get_mut(id) {
            subject.govern(&Roster::default(), &self.host, now, &mut out);
        }
        self.gone(id);
        out
    }

    /// Readings of one workload.
    pub fn observe(&mut self, now: Moment, id: &str, observation: &Observation) -> Vec<Order> {
        let now = self.at(now);
        self.with(id, |subject, host, out| {
            subject.observe(host, now, observation, out)
        })
    }

    /// Readings of the host, which any workload's rules may go by.
    pub fn observe_host(&mut self, now: Moment, observation: &Observation) -> Vec<Order> {
        let now = self.at(now);
        self.host.take(now.instant, observation);
        let read = observation.kinds();
        let mut out = Vec::new();
        let mut calm = None;
        for subject in self.subjects.values_mut() {
            let concerned = |_: &Rule, state: &RuleState| state.goes_by_host(read);
            let advanced = subject.advance(&self.host, now, concerned, &mut out);
            self.evaluations += u64::from(advanced.any);
            if advanced.any {
                note_due(&mut self.dues, subject);
            }
            if advanced.restless {
                self.restless.insert(Arc::clone(&subject.id));
            }
            if let Some(of_subject) = subject.is_calm_about_host() {
                calm = Some(calm.unwrap_or(true) && of_subject);
            }
        }
        self.calm_about_host = calm.unwrap_or(false);
        out
    }

    /// Something happened in one workload, so many times.
    pub fn event(&mut self, now: Moment, id: &str, event: WatchedEvent, count: u32) -> Vec<Order> {
        let now = self.at(now);
        self.with(id, |subject, host, out| {
            subject.event(host, now, event, count, out)
        })
    }

    /// Does what only time was wanting for.
    pub fn tick(&mut self, now: Moment) -> Vec<Order> {
        let now = self.at(now);
        let mut out = Vec::new();
        while let Some((due, id)) = self.dues.first().cloned()
            && due <= now.instant
        {
            out.extend(self.with(&id, |subject, host, out| {
                subject.advance(host, now, |_, state| state.is_due(now.instant), out)
            }));
            // It is due later from now on; if it were not, this would not end.
            if self.dues.first() == Some(&(due, Arc::clone(&id))) {
                self.dues.pop_first();
                if let Some(subject) = self.subjects.get_mut(&id) {
                    subject.noted_due = None;
                }
            }
        }
        out
    }

    /// When [`tick`](Self::tick) has something to do, if nothing else comes before.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.dues.first().map(|(due, _)| *due)
    }

    /// Takes a new file: what did not change goes on undisturbed.
    pub fn replace(&mut self, now: Moment, set: Arc<PolicySet>) -> Vec<Order> {
        self.roster.replace(set);
        self.look_through();
        self.govern_all(now)
    }

    /// Switches one policy, or all, between deciding and doing. What is held in the old mode is let go
    /// first.
    ///
    /// # Errors
    /// There is no such policy.
    pub fn set_mode(
        &mut self,
        now: Moment,
        policy: Option<&str>,
        mode: Mode,
    ) -> Result<Vec<Order>, NoSuchPolicy> {
        self.roster.set_mode(policy, mode)?;
        Ok(self.govern_all(now))
    }

    /// Switches a policy on or off.
    ///
    /// # Errors
    /// There is no such policy.
    pub fn enable(
        &mut self,
        now: Moment,
        policy: &str,
        on: bool,
    ) -> Result<Vec<Order>, NoSuchPolicy> {
        self.roster.enable(policy, on)?;
        Ok(self.govern_all(now))
    }

    /// Whether any rule counts such events.
    #[must_use]
    pub fn counts(&self, event: WatchedEvent) -> bool {
        self.counted.contains(&event)
    }

    /// What is wanted of one workload; nothing of one that is not known.
    #[must_use]
    pub fn needs(&self, id: &str) -> Needs {
        let cpus = self.host.latest(Series::Cpus);
        let subject = self.subjects.get(id);
        subject
            .map(|subject| subject.needs(cpus))
            .unwrap_or_default()
    }

    /// What is wanted of the host.
    #[must_use]
    pub fn host_needs(&self) -> Needs {
        let mut needs = Needs::default();
        for entry in self.roster.entries().filter(|entry| entry.enabled) {
            for rule in &entry.policy.rules {
                needs.add_host(rule, self.calm_about_host, &self.host);
            }
        }
        needs
    }

    /// Those whose needs may have changed since this was last asked.
    pub fn take_restless(&mut self) -> BTreeSet<Arc<str>> {
        std::mem::take(&mut self.restless)
    }

    /// Why what is done with a workload is done, and what is not is not.
    #[must_use]
    pub fn explain(&self, id: &str) -> Option<Explanation> {
        let subject = self.subjects.get(id)?;
        Some(explain::explain(subject, &self.roster, self.latest))
    }

    /// Every policy, how it stands, and on how many workloads.
    #[must_use]
    pub fn tally(&self) -> Tally {
        Tally::of(&self.roster, self.subjects.values(), self.evaluations)
    }

    /// Whether any policy applies to this workload.
    #[must_use]
    pub fn governs(&self, id: &str) -> bool {
        let subject = self.subjects.get(id);
        subject.is_some_and(|subject| !subject.governed.is_empty())
    }

    fn govern_all(&mut self, now: Moment) -> Vec<Order> {
        let now = self.at(now);
        let mut out = Vec::new();
        for id in self.ids() {
            if let Some(subject) = self.subjects.get_mut(&id) {
                subject.govern(&self.roster, &self.host, now, &mut out);
            }
            self.touch(&id);
        }
        out
    }

    fn with(
        &mut self,
        id: &str,
        act: impl FnOnce(&mut Subject, &Figures, &mut Vec<Order>) -> Advanced,
    ) -> Vec<Order> {
        let mut out = Vec::new();
        let Some(subject) = self.subjects.get_mut(id) else {
            return out;
        };
        let advanced = act(subject, &self.host, &mut out);
        if advanced.any {
            self.evaluations += 1;
            note_due(&mut self.dues, subject);
        }
        if advanced.restless {
            self.restless.insert(Arc::clone(&subject.id));
        }
        out
    }

    /// After anything that may have changed when it is due, or what it needs.
    fn touch(&mut self, id: &Arc<str>) {
        if let Some(subject) = self.subjects.get_mut(id) {
            note_due(&mut self.dues, subject);
        }
        self.restless.insert(Arc::clone(id));
    }

    /// What all rules together go by.
    fn look_through(&mut self) {
        self.calm_about_host = false;
        let entries: Vec<_> = self.roster.entries().collect();
        let rules = || entries.iter().flat_map(|entry| entry.policy.rules.iter());
        self.host.remember(needs::windows(rules(), Whose::Host));
        let leaves = rules().flat_map(|rule| rule.when.leaves());
        self.counted = leaves.filter_map(judge::event).collect();
    }

    fn ids(&self) -> Vec<Arc<str>> {
        self.subjects.keys().cloned().collect()
    }

    /// Time does not go back.
    fn at(&mut self, now: Moment) -> Moment {
        let instant = self.latest.map_or(now.instant, |at| at.max(now.instant));
        self.latest = Some(instant);
        Moment { instant, ..now }
    }
}

/// Takes note of when a subject is due now.
fn note_due(dues: &mut BTreeSet<(Instant, Arc<str>)>, subject: &mut Subject) {
    let due = subject.due();
    let before = std::mem::replace(&mut subject.noted_due, due);
    if before == due {
        return;
    }
    if let Some(before) = before {
        dues.remove(&(before, Arc::clone(&subject.id)));
    }
    if let Some(due) = due {
        dues.insert((due, Arc::clone(&subject.id)));
    }
}
