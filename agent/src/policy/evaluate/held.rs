//! What a rule holds on a workload.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::thing::Thing;
use crate::policy::ladder::Revert;
use crate::policy::order::Scope;

/// By thing.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    things: BTreeMap<Thing, Terms>,
}

#[derive(Clone, Copy, Debug)]
struct Terms {
    revert: Revert,
    /// The enforcement lets go by itself then.
    ends: Option<Instant>,
}

impl Held {
    /// Takes one more, or the same anew.
    pub(super) fn take(
        &mut self,
        thing: Thing,
        revert: Revert,
        at_most: Option<Duration>,
        now: Instant,
    ) {
        let ends = at_most.and_then(|most| now.checked_add(most));
        self.things.insert(thing, Terms { revert, ends });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.things.is_empty()
    }

    pub(super) fn things(&self) -> impl Iterator<Item = &Thing> {
        self.things.keys()
    }

    /// Forgets what was let go by its own time.
    pub(super) fn expire(&mut self, now: Instant) {
        self.things
            .retain(|_, terms| terms.ends.is_none_or(|ends| now < ends));
    }

    /// When the next one goes by itself.
    pub(super) fn ends(&self) -> Option<Instant> {
        self.things.values().filter_map(|terms| terms.ends).min()
    }

    /// Forgets one.
    pub(super) fn drop(&mut self, thing: &Thing) {
        self.things.remove(thing);
    }

    /// Gives up what goes when the rule has cleared, but for `kept`: what to let go of.
    pub(super) fn clear(&mut self, kept: impl Fn(&Thing) -> bool) -> Vec<Scope> {
        let stays = |thing: &Thing, terms: &Terms| terms.revert == Revert::Keep || kept(thing);
        if !self.things.iter().any(|(thing, terms)| stays(thing, terms)) {
            return self.give_up();
        }
        let mut scopes = Vec::new();
        self.things.retain(|thing, terms| {
            let stays = stays(thing, terms);
            if !stays && !scopes.contains(&thing.scope()) {
                scopes.push(thing.scope());
            }
            stays
        });
        scopes
    }

    /// Gives up all: one scope, or none when nothing is held.
    pub(super) fn give_up(&mut self) -> Vec<Scope> {
        let any = !self.things.is_empty();
        self.things.clear();
        any.then_some(Scope::All).into_iter().collect()
    }
}
