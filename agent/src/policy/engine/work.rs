//! What the engine does when it is woken.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::handle::Command;
use super::outbox::Outbox;
use super::status::Status;
use crate::cgroup::{Control, Layout, Placement};
use crate::identity::Identity;
use crate::ledger::{Event, EventKind, Life, Snapshot, Workload};
use crate::policy::condition::WatchedEvent;
use crate::policy::evaluate::{Evaluator, Explanation, Moment, Observation};
use crate::policy::history::History;
use crate::policy::sense::{Degradation, News, Sense, degradations};
use crate::policy::shortfall::shortfalls_of;

/// The sum of the workloads beyond the cap: not a workload.
const OTHER: &str = "other";
/// How often files that were not there are looked for again.
const RETRY_FILES: Duration = Duration::from_secs(10);

/// Evaluator, senses and history, kept in step.
pub(super) struct Work {
    evaluator: Evaluator,
    pub(super) sense: Sense,
    history: History,
    layout: Layout,
    known: BTreeMap<Arc<str>, Known>,
    pub(super) lost_events: u64,
    lacks: Vec<Degradation>,
    retried: Instant,
}

/// A workload of the last snapshot.
struct Known {
    created: SystemTime,
    identity: Arc<Identity>,
    placement: Arc<Placement>,
    /// Number of the snapshot it was last in.
    tick: u64,
}

impl Work {
    pub(super) fn new(
        evaluator: Evaluator,
        sense: Sense,
        layout: Layout,
        history: Duration,
    ) -> Self {
        let mut work = Self {
            lacks: degradations(&layout, evaluator.set()),
            evaluator,
            sense,
            history: History::new(Moment::now(), history),
            layout,
            known: BTreeMap::new(),
            lost_events: 0,
            retried: Instant::now(),
        };
        work.attend_host();
        work
    }

    pub(super) fn due(&self) -> Option<Instant> {
        let both = [self.evaluator.due(), self.sense.due()];
        both.into_iter().flatten().min()
    }

    /// Takes what a tick of the ledger found.
    pub(super) fn take_snapshot(&mut self, snapshot: &Snapshot, out: &mut Outbox) {
        let now = Moment::now();
        let mut host = Observation::of_host(&snapshot.host);
        host.values
            .retain(|(series, _)| !self.sense.reads_of_host(*series));
        self.history.seen_host(now, &host);
        out.take(self.evaluator.observe_host(now, &host));
        for workload in &snapshot.workloads {
            self.take_workload(now, snapshot.tick, workload, out);
        }
        self.part_from_absent(now, snapshot.tick, out);
        self.history.tick(now);
        if self.retried.elapsed() >= RETRY_FILES {
            self.retried = now.instant;
            self.sense.retry();
        }
        self.pass_time(out);
    }

    fn take_workload(
        &mut self,
        now: Moment,
        tick: u64,
        workload: &Arc<Workload>,
        out: &mut Outbox,
    ) {
        let id = workload.identity.id.as_str();
        if id == OTHER {
            return;
        }
        if let Life::Dead { .. } = workload.life {
            if self.known.remove(id).is_some() {
                self.history.gone(now, id);
                self.evaluator.gone(id);
                self.sense.forget(id);
            }
            return;
        }
        let known = self.known.get(id);
        let same = known.is_some_and(|known| known.created == workload.created);
        let named = known.is_some_and(|known| Arc::ptr_eq(&known.identity, &workload.identity));
        if !same {
            self.history.gone(now, id);
            self.sense.forget(id);
            out.take(self.evaluator.appear(now, workload));
        } else {
            out.take(self.evaluator.changed(now, workload));
        }
        if !(same && named) {
            self.history.appeared(now, workload);
        }
        if self.note_known(workload, tick) {
            self.attend(now.instant, &Arc::from(id));
        }
        let governed = self.evaluator.governs(id);
        if !governed && !self.history.is_kept() {
            return;
        }
        let mut seen = Observation::of_workload(workload);
        let read = self.sense.read_of(id);
        seen.values.retain(|(series, _)| !read(*series));
        self.history.seen(now, id, &seen, !governed);
        if governed {
            out.take(self.evaluator.observe(now, id, &seen));
        }
    }

    /// Remembers what the next snapshot is compared with; whether it is somewhere else than before.
    fn note_known(&mut self, workload: &Workload, tick: u64) -> bool {
        let id = workload.identity.id.as_str();
        let known = Known {
            created: workload.created,
            identity: Arc::clone(&workload.identity),
            placement: Arc::clone(&workload.placement),
            tick,
        };
        match self.known.get_mut(id) {
            Some(before) => std::mem::replace(before, known).placement != workload.placement,
            None => {
                self.known.insert(Arc::from(id), known);
                true
            }
        }
    }

    /// Those that went between two snapshots, or go by another id now.
    fn part_from_absent(&mut self, now: Moment, tick: u64, out: &mut Outbox) {
        let absent = self.known.iter().filter(|(_, known)| known.tick != tick);
        let absent: Vec<Arc<str>> = absent.map(|(id, _)| Arc::clone(id)).collect();
        for id in absent {
            self.known.remove(&id);
            self.history.gone(now, &id);
            self.sense.forget(&id);
            out.take(self.evaluator.part_from(now, &id));
        }
    }

    /// Does a rule count what comes with every process?
    pub(super) fn counts_frequent(&self) -> bool {
        let frequent = [WatchedEvent::Exec, WatchedEvent::Exit];
        frequent.iter().any(|&event| self.evaluator.counts(event))
    }

    /// An event of the ledger; whether any rule counts such.
    pub(super) fn take_event(&mut self, event: &Event, out: &mut Outbox) -> bool {
        let Some(watched) = watched(&event.kind) else {
            return false;
        };
        let Some(workload) = &event.workload else {
            return false;
        };
        let counted = self.evaluator.counts(watched);
        if !counted && !event.kind.is_seldom() {
            return false;
        }
        let now = Moment::now();
        // What happens in a workload happens in all that it is within.
        let mut id: &str = workload;
        loop {
            self.history.event(now, id, watched, 1);
            if counted {
                out.take(self.evaluator.event(now, id, watched, 1));
            }
            match id.rfind('/') {
                Some(end) if end > 0 => id = id.get(..end).unwrap_or_default(),
                _ => break,
            }
        }
        self.attend_restless(now.instant);
        counted
    }

    /// The kernel told of something.
    pub(super) fn hear(&mut self, out: &mut Outbox) {
        self.sense.hear(Instant::now());
        self.pass_time(out);
    }

    /// Reads what is due, and does what follows; then what only time was wanting for.
    pub(super) fn pass_time(&mut self, out: &mut Outbox) {
        let mut now = Moment::now();
        self.attend_restless(now.instant);
        if self.sense.due().is_some_and(|due| due <= now.instant) {
            let news = self.sense.look(now.instant);
            now = Moment::now();
            for one in news {
                self.take_news(now, one, out);
            }
        }
        out.take(self.evaluator.tick(now));
        self.attend_restless(now.instant);
    }

    fn take_news(&mut self, now: Moment, news: News, out: &mut Outbox) {
        let orders = match news {
            News::Seen(id, seen) => {
                self.history.seen(now, &id, &seen, false);
                self.evaluator.observe(now, &id, &seen)
            }
            News::Event(id, event, count) => {
                self.history.event(now, &id, event, count);
                self.evaluator.event(now, &id, event, count)
            }
            News::Host(seen) => {
                self.history.seen_host(now, &seen);
                let orders = self.evaluator.observe_host(now, &seen);
                self.attend_host();
                orders
            }
        };
        out.take(orders);
    }

    pub(super) fn obey(&mut self, command: Command, out: &mut Outbox) {
        let now = Moment::now();
        // Who asked may have gone meanwhile: then nobody waits for the answer.
        match command {
            Command::Reload { set, done } => {
                self.lacks = degradations(&self.layout, &set);
                out.take(self.evaluator.replace(now, set));
                self.attend_host();
                let _ = done.send(());
            }
            Command::Mode { policy, mode, done } => {
                let switched = self.evaluator.set_mode(now, policy.as_deref(), mode);
                let _ = done.send(switched.map(|orders| out.take(orders)));
            }
            Command::Enable { policy, on, done } => {
                let switched = self.evaluator.enable(now, &policy, on);
                self.attend_host();
                let _ = done.send(switched.map(|orders| out.take(orders)));
            }
            Command::Explain { workload, answer } => {
                let _ = answer.send(self.explain(&workload));
            }
            Command::Show { answer } => {
                let _ = answer.send((self.evaluator.in_force(), self.evaluator.tally()));
            }
            Command::Record { answer } => {
                let set = Arc::clone(self.evaluator.set());
                let _ = answer.send((self.history.recording(), set));
            }
        }
        self.attend_restless(now.instant);
    }

    pub(super) fn status(&self, out: &Outbox) -> Status {
        let refused = self.sense.refused().cloned();
        Status {
            tally: self.evaluator.tally(),
            orders: out.counts(),
            waiting: out.waiting(),
            delayed: out.delayed(),
            dropped: out.dropped(),
            lost_events: self.lost_events,
            reaction: out.reaction(),
            sense: self.sense.tally(),
            degradations: self.lacks.iter().cloned().chain(refused).collect(),
            history: Some(self.history.tally()),
            cpu_seconds: thread_cpu_seconds(),
        }
    }

    fn explain(&self, workload: &str) -> Option<Explanation> {
        let mut explanation = self.evaluator.explain(workload)?;
        let Some(known) = self.known.get(workload) else {
            return Some(explanation);
        };
        let control = Control::open(&self.layout, &known.placement);
        let policies = &self.evaluator.set().policies;
        for one in &mut explanation.policies {
            if one.not_applied.is_none()
                && let Some(policy) = policies.iter().find(|policy| *policy.name == *one.policy)
            {
                one.shortfalls = shortfalls_of(&control, policy);
            }
        }
        Some(explanation)
    }

    /// Tells the senses what is needed now of those for whom that may have changed.
    fn attend_restless(&mut self, now: Instant) {
        for id in self.evaluator.take_restless() {
            self.attend(now, &id);
        }
    }

    fn attend(&mut self, now: Instant, id: &Arc<str>) {
        let Some(known) = self.known.get(id) else {
            return;
        };
        let needs = self.evaluator.needs(id);
        self.sense.attend(now, id, &known.placement, needs);
    }

    fn attend_host(&mut self) {
        let needs = self.evaluator.host_needs();
        self.sense.attend_host(Instant::now(), &needs);
    }
}

/// Which watched event it is.
const fn watched(kind: &EventKind) -> Option<WatchedEvent> {
    match kind {
        EventKind::OomKill { .. } => Some(WatchedEvent::OomKill),
        EventKind::Exec { .. } => Some(WatchedEvent::Exec),
        EventKind::Exit { .. } => Some(WatchedEvent::Exit),
        EventKind::NamespaceForeignEnter { .. } => Some(WatchedEvent::NamespaceForeignEnter),
        _ => None,
    }
}

fn thread_cpu_seconds() -> f64 {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.map_or(0.0, |time| Duration::from(time).as_secs_f64())
}
