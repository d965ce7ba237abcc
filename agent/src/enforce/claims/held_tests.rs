#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::cgroup::Setting;

fn value(bytes: u64) -> Value {
    Value::Setting(Setting::MemoryMax(Some(bytes)))
}

fn policy(name: &str, rule: Option<&str>, priority: i32) -> Claimant {
    Claimant::Policy {
        policy: name.into(),
        rule: rule.map(Into::into),
        priority,
    }
}

fn claimed(claimant: Claimant, action: u64) -> Claimed {
    Claimed {
        claimant,
        value: value(action),
        action,
        since: SystemTime::UNIX_EPOCH,
        until: None,
        on_conflict: OnConflict::default(),
        restore: Restore::default(),
    }
}

fn held() -> Held {
    let cgroup = CgroupKey {
        hierarchy: HierarchyId::V2,
        id: 7,
    };
    let slot = Slot {
        cgroup,
        thing: Thing::Knob(Knob::MemoryMax),
    };
    let owner = Owner {
        id: "/a".into(),
        name: "a".into(),
        placement: Placement {
            paths: [(HierarchyId::V2, "/a".to_owned())].into(),
        },
        keys: [(HierarchyId::V2, cgroup)].into(),
    };
    Held::new(slot, Arc::new(owner), value(0))
}

#[test]
fn the_operator_goes_first_then_priority_then_rules_then_the_newest() {
    let claimants = [
        policy("b", None, 10),
        policy("low", None, 1),
        policy("a", None, 10),
        policy("a", Some("rule"), 10),
        Claimant::Operator,
    ];
    let mut held = held();
    for (claimant, action) in claimants.iter().zip(1..) {
        held = held.with(claimed(claimant.clone(), action));
    }
    let order: Vec<u64> = held.claims().iter().map(|claim| claim.action).collect();
    assert_eq!(order, [5, 4, 3, 1, 2]);
    assert_eq!(*held.wanted(), value(5));
    let held = held.without(|claim| claim.claimant == Claimant::Operator);
    assert_eq!(*held.wanted(), value(4));
    assert_eq!(*held.without(|_| true).wanted(), value(0));
}

#[test]
fn a_claimant_has_one_claim_whatever_its_priority() {
    let held = held()
        .with(claimed(policy("a", None, 1), 1))
        .with(claimed(policy("a", None, 5), 2));
    assert_eq!(held.claims().len(), 1);
    assert_eq!(held.of(&policy("a", None, 9)).unwrap().action, 2);
}

#[test]
fn nothing_with_an_end_and_nothing_frozen_outlives_the_agent() {
    let mut claim = claimed(Claimant::Operator, 1);
    assert!(claim.outlives_agent());
    claim.until = Some(SystemTime::now());
    assert!(!claim.outlives_agent());
    let frozen = Claimed {
        value: Value::Setting(Setting::Freeze(true)),
        restore: Restore::Never,
        ..claimed(Claimant::Operator, 1)
    };
    assert!(!frozen.outlives_agent());
    for (restore, stays) in [
        (Restore::OnExit, false),
        (Restore::OnDisable, true),
        (Restore::Never, true),
    ] {
        let claim = Claimed {
            restore,
            ..claimed(policy("a", None, 1), 1)
        };
        assert_eq!(claim.outlives_agent(), stays, "{restore:?}");
    }
}

proptest! {
    /// Whatever is claimed and let go, in any order: one claim a claimant, the best in front, the
    /// original untouched, and back in force when nobody claims.
    #[test]
    fn the_best_claim_is_wanted(steps in prop::collection::vec((0u8..5, 0i32..3, any::<bool>()), 1..40)) {
        let mut held = held();
        let mut model: std::collections::BTreeMap<u8, (i32, u64)> = Default::default();
        for ((who, priority, take), action) in steps.into_iter().zip(1..) {
            let name = who.to_string();
            if take {
                held = held.with(claimed(policy(&name, None, priority), action));
                model.insert(who, (priority, action));
            } else {
                let gone = policy(&name, None, 0);
                held = held.without(|claim| is_same(&claim.claimant, &gone));
                model.remove(&who);
            }
            prop_assert_eq!(held.claims().len(), model.len());
            prop_assert_eq!(&held.original, &value(0));
            let best = model.values().max().map_or(0, |(_, action)| *action);
            prop_assert_eq!(held.wanted(), &value(best));
        }
        let left = held.without(|_| true);
        prop_assert_eq!(left.wanted(), &value(0));
    }

    /// What is written to the journal comes back.
    #[test]
    fn json_keeps_all(action in any::<u64>(), pending in any::<bool>()) {
        let mut held = held().with(claimed(Claimant::Operator, action));
        held = held.with(claimed(policy("p", Some("r"), -3), 1));
        held.pending = pending;
        let text = serde_json::to_string(&held).unwrap();
        prop_assert_eq!(serde_json::from_str::<Held>(&text).unwrap(), held);
    }
}
