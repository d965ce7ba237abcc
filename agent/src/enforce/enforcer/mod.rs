//! The one who acts: an order at a time, each guarded, done and recorded.
//!
//! [`Enforcer`] is the state and what changes it, without waiting for anything; `thread` waits, and
//! hands it what comes.

mod begin;
mod books;
mod drifted;
mod errand;
mod give_back;
mod hold_order;
mod thread;
mod timers;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{oneshot, watch};

use super::claims::{Machine, Owner, Slot, Thing, Value};
use super::guard::{Budgets, Site, Tree, floor};
use super::guardian::Guardian;
use super::handle::ClaimView;
use super::hands::Hands;
use super::hold::Hold;
use super::once::Errands;
use super::refusal::{Class, Refusal};
use super::watch::FileWatch;
use super::{Outcome, Record, Status};
use crate::cgroup::{Control, Placement, Setting};
use crate::ledger::{Snapshot, Workload};
use crate::policy::{Claimant, Mode, Order, Protect, Step};

use books::{Books, Entry};
use timers::Timers;

pub use thread::{Parts, Settings, start};

/// Said of what is refused and may not be later.
const GIVEN_AGAIN: &str = "it is tried again while the condition holds";

/// What looks at the host before something is done to it.
pub(super) type Look =
    Box<dyn FnMut(&[Site], Option<u32>, &[Arc<Workload>]) -> std::io::Result<Tree> + Send>;

/// All of enforcement but the waiting.
pub(super) struct Enforcer<H> {
    hold: Hold<H>,
    look: Look,
    protect: Protect,
    budgets: Budgets,
    mode: Mode,
    machine: Machine,
    guardian: Option<Guardian>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    /// `None`: what is done once is not done here.
    errands: Option<Errands>,
    control: Box<dyn Fn(&Owner) -> Control + Send>,
    books: Books,
    timers: Timers,
    watch: Option<FileWatch>,
    /// When our own value was written back over somebody else's.
    reasserted: BTreeMap<Slot, VecDeque<Instant>>,
    /// What somebody else has set, and we have told of.
    alerted: BTreeMap<Slot, Value>,
    /// Orders whose end is still to come, by number.
    under_way: BTreeMap<u64, UnderWay>,
    /// Why the journal of an earlier agent is not taken up yet.
    unread_journal: Option<String>,
    /// When what could not be done is tried again.
    retry_at: Instant,
}

/// An order whose end is still to come.
struct UnderWay {
    order: Order,
    /// Changed for a moment until then.
    passing: Vec<Slot>,
    reply: Option<oneshot::Sender<Vec<Arc<Record>>>>,
    before: Option<String>,
}

/// What an order came to: a record now, or later.
pub(super) enum Answer {
    Now(Vec<Arc<Record>>),
    /// Under this number.
    Later(u64),
}

impl<H: Hands> Enforcer<H> {
    /// Carries out one order.
    pub(super) fn order(&mut self, mut order: Order) -> Answer {
        if self.mode == Mode::Monitor {
            order.mode = Mode::Monitor;
        }
        let fate = order.fate.clone();
        let answer = match order.step.clone() {
            Step::Hold(claim) => Answer::Now(self.hold_order(&order, &claim)),
            Step::Release(scope) => Answer::Now(self.release_order(&order, &scope)),
            Step::Once(once) => self.once_order(order, &once),
        };
        if !fate.is_put_off() {
            fate.settle();
        }
        answer
    }

    /// Records that an order was refused. Whose reason may pass is given again by its rule, which is
    /// told of the first time only.
    fn refuse(&mut self, id: u64, order: &Order, refusal: &Refusal) -> Vec<Arc<Record>> {
        self.books.count(refusal);
        let by_rule = matches!(&order.claimant, Claimant::Policy { rule: Some(_), .. });
        let mut outcome = refusal.outcome();
        if by_rule && refusal.class.may_pass() {
            order.fate.put_off();
            if order.fate.is_again() {
                return Vec::new();
            }
            outcome = Outcome::Refused(format!("{}; {GIVEN_AGAIN}", refusal.reason));
        }
        vec![self.books.record(id, Entry::of(order, outcome))]
    }

    /// Whoever asked hears of it when it is over.
    pub(super) fn reply_later(&mut self, number: u64, reply: oneshot::Sender<Vec<Arc<Record>>>) {
        if let Some(under_way) = self.under_way.get_mut(&number) {
            under_way.reply = Some(reply);
        }
    }

    /// May these cgroups be touched?
    fn check_floor(&mut self, sites: &[Site]) -> Result<(), Refusal> {
        let guardian = self.guardian.as_ref().and_then(Guardian::pid);
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let tree =
            (self.look)(sites, guardian, &snapshot.workloads).map_err(|error| {
                match error.kind() {
                    std::io::ErrorKind::NotFound => {
                        Refusal::new(Class::Failed, "the cgroup is gone")
                    }
                    _ => Refusal::new(
                        Class::Protected,
                        format!("cannot tell whether it is protected: {error}"),
                    ),
                }
            })?;
        Ok(floor(&tree, &self.protect, sites)?)
    }

    /// Takes an action out of the budgets, where they count it: what a rule does. Limits that a policy
    /// has for all its workloads are no reactions, and an operator knows what he does.
    fn spend(&mut self, claimant: &Claimant, kill: bool) -> Result<(), Refusal> {
        match claimant {
            Claimant::Policy { rule: Some(_), .. } => {
                Ok(self.budgets.spend(kill, Instant::now())?)
            }
            Claimant::Policy { rule: None, .. } | Claimant::Operator => Ok(()),
        }
    }

    /// There is somebody to give back what is changed now.
    fn ensure_guardian(&mut self) -> Result<(), Refusal> {
        if let Some(reason) = &self.unread_journal {
            return Err(Refusal::new(Class::Journal, reason));
        }
        match &mut self.guardian {
            Some(guardian) => guardian
                .ensure()
                .map_err(|reason| Refusal::new(Class::Guardian, reason)),
            None => Ok(()),
        }
    }

    fn owner(&mut self, workload: &Workload) -> Arc<Owner> {
        let identity = &workload.identity;
        let id: Arc<str> = identity.id.as_str().into();
        let name = identity
            .name
            .as_deref()
            .map_or_else(|| Arc::clone(&id), Arc::from);
        Arc::new(self.hold.hands.owner(&id, &name, &workload.placement))
    }

    /// Where in the tree the owner's cgroup of this hierarchy is.
    fn site(owner: &Owner, slot: Slot) -> Site {
        let hierarchy = slot.cgroup.hierarchy;
        let path = owner.placement.paths.get(&hierarchy);
        Site {
            hierarchy,
            path: path.cloned().unwrap_or_default(),
        }
    }

    /// Watches what is held and nothing else.
    fn sync_watch(&mut self, slot: Slot) {
        let Some(watch) = &mut self.watch else {
            return;
        };
        match self.hold.get(slot) {
            Some(held) if matches!(slot.thing, Thing::Knob(_)) => {
                let owner = Arc::clone(&held.owner);
                watch.watch(slot, || self.hold.hands.files(&owner, slot.thing));
            }
            Some(_) | None => watch.forget(slot),
        }
        if self.hold.get(slot).is_none() {
            self.alerted.remove(&slot);
            self.reasserted.remove(&slot);
        }
    }

    /// From now on this is protected, and so much may be done.
    pub(super) fn set_protect(&mut self, protect: Protect) {
        self.budgets
            .set(protect.max_actions_per_minute, protect.max_kills_per_hour);
        self.protect = protect;
    }

    pub(super) fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    /// Every limit that is in force on a workload, whoever set it.
    pub(super) fn limits(&mut self, placement: &Placement) -> Vec<Setting> {
        let nobody: Arc<str> = "".into();
        let owner = self.hold.hands.owner(&nobody, &nobody, placement);
        (self.control)(&owner).limits()
    }

    /// Every claim, by workload and thing.
    pub(super) fn claims(&self) -> Vec<ClaimView> {
        let mut views: Vec<ClaimView> = Vec::new();
        for held in self.hold.all() {
            for (at, claim) in held.claims().iter().enumerate() {
                let in_force = at == 0;
                views.push(ClaimView {
                    workload: Arc::clone(&held.owner.id),
                    name: Arc::clone(&held.owner.name),
                    what: held.slot.thing.to_string(),
                    claimant: claim.claimant.clone(),
                    value: claim.value.to_string(),
                    in_force,
                    under_way: in_force && held.pending,
                    original: held.original.to_string(),
                    since: claim.since,
                    until: claim.until,
                    action: claim.action,
                    on_conflict: claim.on_conflict,
                    restore: claim.restore,
                });
            }
        }
        views.sort_by(|one, other| {
            let key = |view: &ClaimView| (Arc::clone(&view.workload), view.what.clone());
            key(one)
                .cmp(&key(other))
                .then(other.in_force.cmp(&one.in_force))
        });
        views
    }

    /// How it does now.
    pub(super) fn status(&self) -> Status {
        let mut status = self.books.status().clone();
        for held in self.hold.all() {
            if held.claims().is_empty() {
                status.owed += 1;
            } else {
                let name = match held.slot.thing {
                    Thing::Knob(knob) => knob.name(),
                    Thing::Traffic => "net",
                    Thing::Devices => "devices",
                };
                *status.held.entry(name).or_default() += 1;
            }
        }
        if let Some(guardian) = &self.guardian {
            status.guardian = guardian.status();
        }
        status.journal = self.hold.journal().map(Into::into).unwrap_or_default();
        status.disabled.clone_from(&self.unread_journal);
        status
    }

    /// Is there something that could not be done?
    fn has_to_retry(&self) -> bool {
        let guardian = self.guardian.as_ref();
        let unguarded = guardian.is_some_and(|guardian| guardian.pid().is_none())
            && self.hold.all().next().is_some();
        self.hold.is_owing() || self.unread_journal.is_some() || unguarded
    }

    fn holds_traffic(&self) -> bool {
        self.hold
            .all()
            .any(|held| held.slot.thing == Thing::Traffic)
    }

    /// When something is due by itself.
    pub(super) fn next_due(&self, now: Instant) -> Instant {
        let dues = [
            self.timers.next(),
            self.hold.is_busy().then(|| now + timers::STEP),
            self.has_to_retry().then_some(self.retry_at),
            self.holds_traffic().then(|| now + timers::TEND),
        ];
        let earliest = dues.into_iter().flatten().min();
        earliest.unwrap_or(now + timers::SWEEP)
    }
}
