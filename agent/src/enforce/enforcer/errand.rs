//! Orders for what is done once.

use std::sync::Arc;
use std::time::SystemTime;

use super::books::Entry;
use super::{Answer, Enforcer, UnderWay};
use crate::cgroup::{Knob, Setting};
use crate::enforce::Outcome;
use crate::enforce::claims::{Owner, Slot, Thing, Value};
use crate::enforce::guard::{Site, plausible_gain};
use crate::enforce::hands::{Hands, in_one_line};
use crate::enforce::once::{Errand, Finished};
use crate::enforce::refusal::{Class, Refusal};
use crate::ledger::Workload;
use crate::policy::{Claimant, Mode, Once, Order};

impl<H: Hands> Enforcer<H> {
    pub(super) fn once_order(&mut self, order: Order, once: &Once) -> Answer {
        let id = self.hold.number();
        let owner = self.owner(&order.workload);
        let allowed = self.may_be_done(&order, once, &owner);
        match allowed {
            Err(refusal) => Answer::Now(self.refuse(id, &order, &refusal)),
            Ok(()) if order.mode == Mode::Monitor => {
                let entry = Entry::of(&order, Outcome::DryRun);
                Answer::Now(vec![self.books.record(id, entry)])
            }
            Ok(()) => match self.set_off(id, &order, once, &owner) {
                Ok(passing) => {
                    let under_way = UnderWay {
                        order,
                        passing,
                        reply: None,
                        before: None,
                    };
                    self.under_way.insert(id, under_way);
                    Answer::Later(id)
                }
                Err(refusal) => Answer::Now(self.refuse(id, &order, &refusal)),
            },
        }
    }

    /// An errand is over.
    pub(in crate::enforce) fn finished(&mut self, finished: Finished) {
        let Some(under_way) = self.under_way.remove(&finished.id) else {
            return;
        };
        let UnderWay {
            order,
            passing,
            reply,
            ..
        } = under_way;
        self.hold.passed(&passing);
        let entry = Entry {
            before: finished.before,
            after: finished.after,
            ..Entry::of(&order, finished.outcome)
        };
        let record = self.books.record_at(finished.id, entry, finished.at);
        if let Some(reply) = reply {
            // Whoever asked may have gone.
            let _ = reply.send(vec![record]);
        }
    }

    /// Everything that can be refused without changing anything. Whoever is only told of needs no
    /// permission.
    fn may_be_done(&mut self, order: &Order, once: &Once, owner: &Owner) -> Result<(), Refusal> {
        if matches!(once, Once::Notify { .. }) {
            return Ok(());
        }
        let sites: Vec<Site> = owner
            .keys
            .keys()
            .filter_map(|hierarchy| {
                let path = owner.placement.paths.get(hierarchy)?.clone();
                let hierarchy = *hierarchy;
                Some(Site { hierarchy, path })
            })
            .collect();
        if sites.is_empty() {
            let reason = "the workload has no cgroup of its own";
            return Err(Refusal::new(Class::Failed, reason));
        }
        self.check_floor(&sites)?;
        let by_policy = matches!(order.claimant, Claimant::Policy { .. });
        if by_policy && matches!(once, Once::Kill { .. }) {
            let snapshot = Arc::clone(&self.snapshots.borrow());
            let workload = self.as_of_now(order, owner);
            plausible_gain(&order.evidence.condition, &workload, &snapshot.host)?;
        }
        Ok(())
    }

    /// What is known of a workload is as old as a tick, and one that leaks grows by half in that time.
    fn as_of_now(&self, order: &Order, owner: &Owner) -> Workload {
        let mut workload = Workload::clone(&order.workload);
        let control = (self.control)(owner);
        let reading = &mut workload.reading;
        if let (Some(memory), Ok(bytes)) = (&mut reading.memory, control.memory_usage()) {
            memory.usage_bytes = bytes;
        }
        if let Ok(Setting::MemoryMax(limit)) = control.read(Knob::MemoryMax) {
            reading.limits.memory_max_bytes = limit;
        }
        workload
    }

    /// Hands it on; what will be changed for a moment is in the journal before.
    fn set_off(
        &mut self,
        id: u64,
        order: &Order,
        once: &Once,
        owner: &Arc<Owner>,
    ) -> Result<Vec<Slot>, Refusal> {
        if !matches!(once, Once::Notify { .. }) {
            let kill = matches!(once, Once::Kill { .. });
            self.spend(&order.claimant, kill)?;
        }
        let control = Arc::new((self.control)(owner));
        let passing = match once {
            Once::Reclaim { .. } => {
                let changed = control.before_reclaim();
                changed.map_err(|error| Refusal::new(Class::NotEnforceable, in_one_line(&error)))?
            }
            // v1 freezes what it kills.
            Once::Kill { .. } => {
                let frozen = self.hold.hands.read(owner, Thing::Knob(Knob::Freeze));
                match frozen {
                    Ok(Value::Setting(frozen @ Setting::Freeze(false))) => vec![frozen],
                    Ok(_) | Err(_) => Vec::new(),
                }
            }
            Once::Notify { .. } | Once::Restart => Vec::new(),
        };
        let passing: Vec<Value> = passing.into_iter().map(Value::Setting).collect();
        let mut slots = Vec::new();
        if !passing.is_empty() {
            self.ensure_guardian()?;
            slots = self.hold.expect_passing(owner, passing)?;
        }
        let errand = Errand {
            id,
            time: SystemTime::now(),
            claimant: order.claimant.clone(),
            identity: Arc::clone(&order.workload.identity),
            control,
            once: once.clone(),
            evidence: order.evidence.clone(),
        };
        let refused = match &self.errands {
            Some(errands) => errands.run(errand).err().map(|finished| finished.outcome),
            None => Some(Outcome::Failed("nobody runs errands".into())),
        };
        match refused {
            None => Ok(slots),
            Some(outcome) => {
                self.hold.passed(&slots);
                let reason = outcome.reason().unwrap_or("it was not taken").to_owned();
                Err(Refusal::new(Class::Failed, reason))
            }
        }
    }
}
