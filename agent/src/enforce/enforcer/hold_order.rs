//! Orders to hold something.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::books::Entry;
use super::{Enforcer, UnderWay};
use crate::cgroup::{Knob, Setting, disk_of};
use crate::enforce::claims::{Claimed, Ground, Owner, Slot, Thing, Value, resolve};
use crate::enforce::hands::{Hands, in_one_line};
use crate::enforce::hold::EffectState;
use crate::enforce::refusal::{Class, Refusal};
use crate::enforce::{Outcome, Record};
use crate::policy::{Amount, Claim, Claimant, Limit, Mode, Order, Wanted, clashes};

/// What an order to hold comes to on this workload.
struct Plan {
    owner: Arc<Owner>,
    slot: Slot,
    /// In force before.
    before: Value,
    value: Value,
}

impl<H: Hands> Enforcer<H> {
    pub(super) fn hold_order(&mut self, order: &Order, claim: &Claim) -> Vec<Arc<Record>> {
        let id = self.hold.number();
        let done = match self.plan(order, claim) {
            Ok(plan) if order.mode == Mode::Monitor => Ok(Entry {
                before: Some(plan.before.to_string()),
                after: Some(plan.value.to_string()),
                caveats: self.hold.hands.caveats(&plan.owner, plan.slot.thing),
                ..Entry::of(order, Outcome::DryRun)
            }),
            Ok(plan) => self.carry_out(id, order, claim, plan),
            Err(refusal) => Err(refusal),
        };
        match done {
            Ok(entry) => vec![self.books.record(id, entry)],
            Err(refusal) => self.refuse(id, order, &refusal),
        }
    }

    /// Everything that can be known, and refused, without changing anything.
    fn plan(&mut self, order: &Order, claim: &Claim) -> Result<Plan, Refusal> {
        let wanted = wanted(&claim.limit)?;
        let freezes = wanted == Want::Value(Value::Setting(Setting::Freeze(true)));
        // An operator thaws by hand what was frozen by hand.
        if freezes && claim.at_most.is_none() && order.claimant != Claimant::Operator {
            let reason = "a freeze of a policy must say for how long at the most";
            return Err(Refusal::new(Class::Invalid, reason));
        }
        let owner = self.owner(&order.workload);
        let slot = self.hold.hands.slot(&owner, wanted.thing())?;
        self.check_floor(&[Self::site(&owner, slot)])?;
        // What somebody else has set meanwhile is settled first: it may be the new original.
        if order.mode == Mode::Enforce {
            self.look_for_drift(slot);
        }
        let (original, before) = self.hold.ground(&owner, slot)?;
        let value = match wanted {
            Want::Value(value) => value,
            Want::Amount(wanted) => {
                Value::Setting(self.resolve(order, &owner, slot, &wanted, &original, &before)?)
            }
        };
        self.check_harm(&owner, &value)?;
        Ok(Plan {
            owner,
            slot,
            before,
            value,
        })
    }

    fn resolve(
        &mut self,
        order: &Order,
        owner: &Arc<Owner>,
        slot: Slot,
        wanted: &Wanted,
        original: &Value,
        before: &Value,
    ) -> Result<Setting, Refusal> {
        let own = self
            .hold
            .get(slot)
            .and_then(|held| held.of(&order.claimant));
        let current = own.map_or(before, |own| &own.value).clone();
        // `3x` of what would be in force without this claim: a limit of the policy's own, if it has one.
        let beneath = self.hold.get(slot).map(|held| {
            let others = held.without(|claim| claim.is_of(&order.claimant));
            others.wanted().clone()
        });
        let original = beneath.as_ref().unwrap_or(original);
        let setting = |value: &Value| match value {
            Value::Setting(setting) => Some(setting.clone().in_v2_unit()),
            Value::Traffic(_) | Value::Devices(_) => None,
        };
        let (Some(current), Some(original)) = (setting(&current), setting(original)) else {
            return Err(Refusal::new(Class::Invalid, "no knob has such a value"));
        };
        let hands = std::cell::RefCell::new(&mut self.hold.hands);
        let other = |knob: Knob| match hands.borrow_mut().read(owner, Thing::Knob(knob)) {
            Ok(Value::Setting(setting)) => Ok(setting.in_v2_unit()),
            Ok(_) => Err("no setting".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let ground = Ground {
            current: &current,
            original: &original,
            other: &other,
            machine: self.machine,
        };
        resolve(wanted, &ground).map_err(|error| Refusal::new(Class::Invalid, error))
    }

    /// What would kill, by itself or together with what is in force.
    fn check_harm(&mut self, owner: &Owner, value: &Value) -> Result<(), Refusal> {
        let Value::Setting(setting) = value else {
            return Ok(());
        };
        let alone = clashes(&[exactly(setting.clone())]).into_iter().next();
        let reason = alone.map(|clash| clash.what);
        match reason.or_else(|| self.hold.hazard(owner, value)) {
            Some(reason) => Err(Refusal::new(Class::Harmful, reason)),
            None => Ok(()),
        }
    }

    fn carry_out(
        &mut self,
        id: u64,
        order: &Order,
        claim: &Claim,
        plan: Plan,
    ) -> Result<Entry, Refusal> {
        let Plan {
            owner,
            slot,
            before,
            value,
        } = plan;
        let of_claimant = self
            .hold
            .get(slot)
            .and_then(|held| held.of(&order.claimant));
        let is_new = of_claimant.is_none_or(|claimed| claimed.value != value);
        self.ensure_guardian()?;
        if is_new {
            self.spend(&order.claimant, false)?;
        }
        // From before the write on: whoever writes after it is seen.
        if let (Some(watch), Thing::Knob(_)) = (&mut self.watch, slot.thing) {
            watch.watch(slot, || self.hold.hands.files(&owner, slot.thing));
        }
        let now = SystemTime::now();
        let claimed = Claimed {
            claimant: order.claimant.clone(),
            value,
            action: id,
            since: now,
            until: claim.at_most.and_then(|at_most| now.checked_add(at_most)),
            on_conflict: order.on_conflict,
            restore: order.restore,
        };
        let effect = match self.hold.claim(&owner, slot, claimed) {
            Ok(effect) => effect,
            Err(error) => {
                self.sync_watch(slot);
                return Err(error.into());
            }
        };
        if let Some(at_most) = claim.at_most {
            self.timers.end_at(Instant::now() + at_most, slot, id);
        }
        self.sync_watch(slot);
        let outcome = match &effect.state {
            EffectState::InForce | EffectState::Behind => Outcome::Done,
            EffectState::UnderWay(reason) => {
                let under_way = UnderWay {
                    order: order.clone(),
                    passing: Vec::new(),
                    reply: None,
                    before: Some(before.to_string()),
                };
                self.under_way.insert(id, under_way);
                Outcome::Deferred(reason.clone())
            }
            EffectState::Yielded => Outcome::Yielded(format!("somebody else set {}", effect.after)),
        };
        Ok(Entry {
            before: Some(effect.before.to_string()),
            after: Some(effect.after.to_string()),
            caveats: self.hold.hands.caveats(&owner, slot.thing),
            ..Entry::of(order, outcome)
        })
    }
}

/// What a limit wants of which thing.
#[derive(Debug, PartialEq)]
enum Want {
    Value(Value),
    /// To be worked out from what is in force.
    Amount(Wanted),
}

impl Want {
    fn thing(&self) -> Thing {
        match self {
            Self::Value(value) => value.thing(),
            Self::Amount(wanted) => Thing::Knob(wanted.knob),
        }
    }
}

fn wanted(limit: &Limit) -> Result<Want, Refusal> {
    Ok(match limit {
        Limit::Cgroup(wanted) => match wanted {
            Wanted {
                knob: Knob::Freeze,
                amount: Amount::Exactly(freeze @ Setting::Freeze(_)),
                ..
            } => Want::Value(Value::Setting(freeze.clone())),
            other => Want::Amount(other.clone()),
        },
        Limit::Io { path, caps } => {
            let disk = disk_of(path)
                .map_err(|error| Refusal::new(Class::NotEnforceable, in_one_line(&error)))?;
            Want::Value(Value::Setting(Setting::IoMax(disk, *caps)))
        }
        Limit::Traffic(rules) => Want::Value(Value::Traffic(rules.clone())),
        Limit::Devices(rules) => Want::Value(Value::Devices(rules.clone())),
    })
}

pub(super) fn exactly(setting: Setting) -> Limit {
    Limit::Cgroup(Wanted {
        knob: setting.knob(),
        amount: Amount::Exactly(setting),
        ceiling: None,
        floor: None,
    })
}
