#![allow(clippy::unwrap_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::SystemTime;

use proptest::prelude::*;

use super::world::{Killed, UNLIMITED, World};
use super::*;
use crate::cgroup::{HierarchyId, Knob, Placement, Quota, Setting};
use crate::enforce::claims::Thing;
use crate::policy::{Claimant, OnConflict, Restore};

const MIB: u64 = 1 << 20;

fn hold(world: &World, directory: &Path) -> Hold<World> {
    Hold::new(world.clone(), directory.to_owned())
}

fn owner(world: &World, id: u64) -> Arc<Owner> {
    let placement = Placement {
        paths: [(HierarchyId::V2, format!("/{id}"))].into(),
    };
    let mut hands = world.clone();
    Arc::new(hands.owner(&format!("/{id}").into(), &"web".into(), &placement))
}

/// In memory: what is tested is not the disk.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let below = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    tempfile::tempdir_in(below).unwrap()
}

fn policy(name: &str, priority: i32) -> Claimant {
    Claimant::Policy {
        policy: name.into(),
        rule: None,
        priority,
    }
}

fn claimed(claimant: Claimant, setting: Setting, action: u64) -> Claimed {
    Claimed {
        claimant,
        value: Value::Setting(setting),
        action,
        since: SystemTime::UNIX_EPOCH,
        until: None,
        on_conflict: OnConflict::Yield,
        restore: Restore::OnExit,
    }
}

fn claim(
    hold: &mut Hold<World>,
    id: u64,
    claimant: Claimant,
    setting: Setting,
) -> Result<Effect, HoldError> {
    let owner = owner(&hold.hands, id);
    let slot = hold.hands.slot(&owner, Thing::Knob(setting.knob()))?;
    let action = hold.number();
    hold.claim(&owner, slot, claimed(claimant, setting, action))
}

fn let_go(hold: &mut Hold<World>, name: &str) -> Vec<GivenBack> {
    hold.release(
        |_, claim| matches!(&claim.claimant, Claimant::Policy { policy, .. } if &**policy == name),
    )
}

fn max(bytes: u64) -> Setting {
    Setting::MemoryMax(Some(bytes))
}

fn cpu(quota_us: u64) -> Setting {
    Setting::CpuMax(Quota {
        quota_us: Some(quota_us),
        period_us: 100_000,
    })
}

fn value(setting: Setting) -> Value {
    Value::Setting(setting)
}

#[test]
fn the_next_claim_then_the_original_comes_back() {
    let (world, directory) = (World::default(), directory());
    world.cgroup(1);
    world.set(1, max(900 * MIB));
    let mut hold = hold(&world, directory.path());
    claim(&mut hold, 1, policy("low", 1), max(500 * MIB)).unwrap();
    let effect = claim(&mut hold, 1, policy("high", 2), max(300 * MIB + 1)).unwrap();
    assert_eq!(effect.before, value(max(500 * MIB)));
    // As the kernel rounds it.
    assert_eq!(effect.after, value(max(300 * MIB)));
    assert_eq!(effect.state, EffectState::InForce);
    let behind = claim(&mut hold, 1, policy("low", 1), max(400 * MIB)).unwrap();
    assert_eq!(behind.state, EffectState::Behind);
    assert_eq!(world.value(1, Knob::MemoryMax), value(max(300 * MIB)));
    let_go(&mut hold, "high");
    assert_eq!(world.value(1, Knob::MemoryMax), value(max(400 * MIB)));
    let_go(&mut hold, "low");
    assert_eq!(world.value(1, Knob::MemoryMax), value(max(900 * MIB)));
    assert_eq!(hold.all().count(), 0);
}

#[test]
fn the_same_again_writes_nothing() {
    let (world, directory) = (World::default(), directory());
    world.cgroup(1);
    let mut hold = hold(&world, directory.path());
    claim(&mut hold, 1, policy("a", 1), max(5 * MIB + 7)).unwrap();
    let writes = world.writes();
    claim(&mut hold, 1, policy("a", 1), max(5 * MIB)).unwrap();
    assert_eq!(world.writes(), writes);
}

#[test]
fn what_the_kernel_refuses_leaves_all_as_it_was() {
    let (world, directory) = (World::default(), directory());
    world.cgroup(1);
    let mut hold = hold(&world, directory.path());
    claim(&mut hold, 1, policy("a", 1), max(8 * MIB)).unwrap();
    world.refuse(Some(max(4 * MIB)));
    let refused = claim(&mut hold, 1, policy("b", 2), max(4 * MIB));
    assert!(
        matches!(refused, Err(HoldError::Hand(HandError::Failed(_)))),
        "{refused:?}"
    );
    let held: Vec<&Held> = hold.all().collect();
    assert_eq!(held[0].claims().len(), 1);
    assert_eq!(world.value(1, Knob::MemoryMax), value(max(8 * MIB)));
    drop(hold);
    let mut next = self::hold(&world, directory.path());
    next.take_up(Duration::ZERO).unwrap();
    assert_eq!(next.all().next().unwrap().claims().len(), 1);
}

#[test]
fn what_goes_along_comes_back_along() {
    let (world, directory) = (World::default(), directory());
    world.cgroup(1);
    world.set(1, cpu(90_000));
    world.set(1, Setting::CpuMaxBurst(70_000));
    let before = world.values();
    let mut hold = hold(&world, directory.path());
    claim(&mut hold, 1, policy("a", 1), cpu(50_000)).unwrap();
    assert_eq!(
        world.value(1, Knob::CpuMaxBurst),
        value(Setting::CpuMaxBurst(50_000))
    );
    // Its original is what it was before the quota took it along.
    claim(&mut hold, 1, policy("a", 1), Setting::CpuMaxBurst(10_000)).unwrap();
    claim(&mut hold, 1, policy("a", 1), cpu(20_000)).unwrap();
    let_go(&mut hold, "a");
    assert_eq!(world.values(), before);
}

#[test]
fn a_claim_that_does_not_fit_is_made_when_it_fits() {
    let (world, directory) = (World::default(), directory());
    world.cgroup(1);
    let mut hold = hold(&world, directory.path());
    claim(&mut hold, 1, policy("a", 1), cpu(90_000)).unwrap();
    claim(&mut hold, 1, policy("a", 1), Setting::CpuMaxBurst(60_000)).unwrap();
    claim(&mut hold, 1, policy("b", 2), cpu(30_000)).unwrap();
    assert_eq!(
        world.value(1, Knob::CpuMaxBurst),
        value(Setting::CpuMaxBurst(30_000))
    );
    let_go(&mut hold, "b");
    assert_eq!(world.value(1, Knob::CpuMax), value(cpu(90_000)));
    assert_eq!(
        world.value(1, Knob::CpuMaxBurst),
        value(Setting::CpuMaxBurst(60_000))
    );
}

#[test]
fn somebody_elses_value_is_left() {
    let (world, directory) = (World::default(), directory());
    world.cgroup(1);
    let mut hold = hold(&world, directory.path());
    claim(&mut hold, 1, policy("a", 1), max(8 * MIB)).unwrap();
    world.set(1, max(6 * MIB));
    let given_back = let_go(&mut hold, "a");
    let effect = given_back[0].result.as_ref().unwrap();
    assert_eq!(effect.state, EffectState::Yielded);
    assert_eq!(world.value(1, Knob::MemoryMax), value(max(6 * MIB)));
    assert_eq!(hold.all().count(), 0);
}

#[test]
fn ours_goes_back_in_and_theirs_is_not_the_original() {
    let (world, directory) = (World::default(), directory());
    world.cgroup(1);
    let mut hold = hold(&world, directory.path());
    claim(&mut hold, 1, policy("a", 1), max(8 * MIB)).unwrap();
    let slot = hold.all().next().unwrap().slot;
    assert_eq!(hold.drift(slot), None);
    world.set(1, max(6 * MIB));
    let drift = hold.drift(slot).unwrap();
    assert_eq!(drift.theirs, value(max(6 * MIB)));
    hold.reassert(&drift).unwrap();
    assert_eq!(world.value(1, Knob::MemoryMax), value(max(8 * MIB)));
    let_go(&mut hold, "a");
    assert_eq!(
        world.value(1, Knob::MemoryMax),
        value(Setting::MemoryMax(None))
    );
}

#[test]
fn a_cgroup_that_goes_takes_its_claims_along() {
    let (world, directory) = (World::default(), directory());
    world.cgroup(1);
    let mut hold = hold(&world, directory.path());
    claim(&mut hold, 1, policy("a", 1), max(8 * MIB)).unwrap();
    claim(&mut hold, 1, policy("a", 1), cpu(20_000)).unwrap();
    world.remove(1);
    let refused = claim(&mut hold, 1, policy("b", 2), max(7 * MIB));
    assert!(matches!(refused, Err(HoldError::Hand(HandError::Gone))));
    let slot = hold.all().next().unwrap().slot;
    assert_eq!(hold.drift(slot), None);
    assert_eq!(hold.all().count(), 0);
}

#[test]
fn what_takes_time_lands() {
    let (world, directory) = (World::default(), directory());
    world.cgroup(2);
    world.slow(Knob::MemoryMax, 2);
    let mut hold = hold(&world, directory.path());
    let effect = claim(&mut hold, 2, policy("a", 1), max(8 * MIB)).unwrap();
    assert!(matches!(effect.state, EffectState::UnderWay(_)));
    assert!(hold.step().is_empty() && hold.step().is_empty());
    let landed = hold.step();
    assert_eq!(
        landed[0].result.as_ref().unwrap().after,
        value(max(8 * MIB))
    );
    assert!(!hold.is_busy());
    // Let go on the way: nothing lands.
    claim(&mut hold, 2, policy("a", 1), max(4 * MIB)).unwrap();
    world.slow(Knob::MemoryMax, 0);
    let_go(&mut hold, "a");
    assert_eq!(
        world.value(2, Knob::MemoryMax),
        value(Setting::MemoryMax(None))
    );
    assert!(!hold.is_busy());
}

/// A write that cannot be broken off is waited for, and then undone.
#[test]
fn what_cannot_be_dropped_is_waited_for() {
    let (world, directory) = (World::default(), directory());
    world.cgroup(1);
    world.slow(Knob::Freeze, 3);
    let mut hold = hold(&world, directory.path());
    claim(&mut hold, 1, policy("a", 1), Setting::Freeze(true)).unwrap();
    world.slow(Knob::Freeze, 0);
    let_go(&mut hold, "a");
    assert!(hold.is_busy() && hold.is_owing());
    hold.give_back_all(Duration::from_secs(5));
    assert!(!hold.is_busy() && !hold.is_owing());
    assert_eq!(world.value(1, Knob::Freeze), value(Setting::Freeze(false)));
}

/// Freezing lifts the quota for a moment, on a thread of its own. What is claimed of it meanwhile has
/// the quota that was there for its original, and is in force when that moment is over.
#[test]
fn a_quota_that_is_lifted_is_not_the_original() {
    for (killed, held) in [(false, false), (false, true), (true, false), (true, true)] {
        let (world, directory) = (World::default(), directory());
        world.cgroup(1);
        world.set(1, cpu(80_000));
        let before = world.values();
        world.slow(Knob::Freeze, 2);
        let mut hold = hold(&world, directory.path());
        if held {
            claim(&mut hold, 1, policy("a", 1), cpu(60_000)).unwrap();
        }
        let frozen = claim(&mut hold, 1, policy("a", 1), Setting::Freeze(true)).unwrap();
        assert!(matches!(frozen.state, EffectState::UnderWay(_)));
        assert_eq!(
            world.value(1, Knob::CpuMax),
            value(Setting::CpuMax(UNLIMITED))
        );
        let waits = claim(&mut hold, 1, policy("a", 1), cpu(20_000)).unwrap();
        assert!(matches!(waits.state, EffectState::UnderWay(_)), "{waits:?}");
        let quota = hold
            .all()
            .find(|held| held.slot.thing == Thing::Knob(Knob::CpuMax));
        let slot = quota.unwrap().slot;
        if killed {
            // On the thread that freezes, before anybody is told.
            world.slow(Knob::Freeze, 0);
            world.set(1, cpu(if held { 60_000 } else { 80_000 }));
            drop(hold);
            let mut next = self::hold(&world, directory.path());
            next.take_up(Duration::ZERO).unwrap();
            next.give_back_all(Duration::ZERO);
        } else {
            let mut landed = Vec::new();
            while hold.is_busy() {
                assert_eq!(hold.drift(slot), None);
                landed.extend(hold.step().into_iter().map(|landed| landed.held.slot.thing));
            }
            let both = [Knob::Freeze, Knob::CpuMax].map(Thing::Knob);
            assert_eq!(landed, both);
            assert_eq!(world.value(1, Knob::CpuMax), value(cpu(20_000)));
            assert_eq!(hold.drift(slot), None);
            world.slow(Knob::Freeze, 0);
            let_go(&mut hold, "a");
        }
        assert_eq!(world.values(), before, "killed: {killed}, held: {held}");
    }
}

#[test]
fn what_cannot_be_given_back_is_owed() {
    let (world, directory) = (World::default(), directory());
    world.cgroup(1);
    let mut hold = hold(&world, directory.path());
    claim(&mut hold, 1, policy("a", 1), max(8 * MIB)).unwrap();
    world.refuse(Some(Setting::MemoryMax(None)));
    assert!(let_go(&mut hold, "a")[0].result.is_err());
    assert!(hold.is_owing());
    drop(hold);
    // The next agent owes it too.
    let mut next = self::hold(&world, directory.path());
    next.take_up(Duration::ZERO).unwrap();
    assert!(next.is_owing());
    world.refuse(None);
    next.retry();
    assert!(!next.is_owing());
    assert_eq!(
        world.value(1, Knob::MemoryMax),
        value(Setting::MemoryMax(None))
    );
}

#[test]
fn what_is_changed_for_a_moment_comes_back_after_a_crash() {
    let (world, directory) = (World::default(), directory());
    world.cgroup(1);
    let mut hold = hold(&world, directory.path());
    let frozen = vec![value(Setting::Freeze(false))];
    let slots = hold
        .expect_passing(&owner(&world, 1), frozen.clone())
        .unwrap();
    assert!(hold.retry().is_empty());
    hold.passed(&slots);
    assert_eq!(hold.all().count(), 0);
    hold.expect_passing(&owner(&world, 1), frozen).unwrap();
    world.set(1, Setting::Freeze(true));
    drop(hold);
    let mut next = self::hold(&world, directory.path());
    next.take_up(Duration::ZERO).unwrap();
    next.give_back_all(Duration::ZERO);
    assert_eq!(world.value(1, Knob::Freeze), value(Setting::Freeze(false)));
}

#[test]
fn what_is_let_go_of_in_that_moment_comes_back_after_it() {
    let (world, directory) = (World::default(), directory());
    world.cgroup(1);
    world.set(1, cpu(80_000));
    let before = world.values();
    let mut hold = hold(&world, directory.path());
    claim(&mut hold, 1, policy("a", 1), cpu(20_000)).unwrap();
    let owner = owner(&world, 1);
    // Somebody who kills lifts the quota.
    let slots = hold
        .expect_passing(&owner, vec![value(cpu(20_000))])
        .unwrap();
    world.set(1, Setting::CpuMax(UNLIMITED));
    let_go(&mut hold, "a");
    claim(&mut hold, 1, policy("b", 1), cpu(30_000)).unwrap();
    world.set(1, cpu(20_000));
    hold.passed(&slots);
    assert_eq!(world.value(1, Knob::CpuMax), value(cpu(30_000)));
    let_go(&mut hold, "b");
    assert_eq!(world.values(), before);
    assert_eq!(hold.all().count(), 0);
}

#[test]
fn kept_values_stay_when_their_claim_is_forgotten() {
    let (world, directory) = (World::default(), directory());
    world.cgroup(1);
    let mut hold = hold(&world, directory.path());
    claim(&mut hold, 1, policy("a", 1), max(8 * MIB)).unwrap();
    hold.forget(|_, _| true);
    assert_eq!(hold.all().count(), 0);
    assert_eq!(world.value(1, Knob::MemoryMax), value(max(8 * MIB)));
}

#[test]
fn nothing_held_is_nothing_on_disk() {
    let (world, directory) = (World::default(), directory());
    world.cgroup(1);
    let state = directory.path().join("state");
    let mut hold = hold(&world, &state);
    hold.take_up(Duration::ZERO).unwrap();
    hold.give_back_all(Duration::ZERO);
    assert!(!state.exists());
}

/// One thing that may happen to an agent.
#[derive(Clone, Debug)]
enum Deed {
    Claim(u64, Claimant, Setting),
    Release(&'static str),
    Step,
}

fn deed() -> impl Strategy<Value = Deed> {
    let setting = prop_oneof![
        (1u64..200).prop_map(|mib| max(mib * MIB + 5)),
        (2u64..90).prop_map(|ms| cpu(ms * 1_000)),
        (0u64..60).prop_map(|ms| Setting::CpuMaxBurst(ms * 1_000)),
        (1u64..500).prop_map(|pids| Setting::PidsMax(Some(pids))),
        Just(Setting::Freeze(true)),
    ];
    let claimant = prop_oneof![
        Just(policy("a", 1)),
        Just(policy("b", 2)),
        Just(Claimant::Operator),
    ];
    prop_oneof![
        6 => (1u64..4, claimant, setting).prop_map(|(id, by, setting)| Deed::Claim(id, by, setting)),
        2 => prop::sample::select(&["a", "b"][..]).prop_map(Deed::Release),
        1 => Just(Deed::Step),
    ]
}

fn live(hold: &mut Hold<World>, deeds: &[Deed]) {
    for deed in deeds {
        match deed.clone() {
            // The kernel may refuse: a burst above its quota.
            Deed::Claim(id, by, setting) => drop(claim(hold, id, by, setting)),
            Deed::Release(name) => drop(let_go(hold, name)),
            Deed::Step => drop(hold.step()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Killed at any write, before or after it reached the kernel: the next process gives back all
    /// that does not stay, leaves what the operator holds, and what nobody holds is as it was.
    #[test]
    fn killed_at_any_write(
        deeds in prop::collection::vec(deed(), 1..25),
        fuel in 0u32..50,
        slow in 0u32..3,
    ) {
        let (world, directory) = (World::default(), directory());
        for id in 1..4 {
            world.cgroup(id);
            world.set(id, cpu(80_000));
            world.set(id, Setting::CpuMaxBurst(40_000));
        }
        let originals = world.values();
        world.slow(Knob::MemoryMax, slow);
        world.fuel(Some(fuel));
        let mut first = hold(&world, directory.path());
        let killed = catch_unwind(AssertUnwindSafe(|| live(&mut first, &deeds)));
        if let Err(cause) = killed {
            prop_assert!(cause.is::<Killed>());
        }
        drop(first);
        world.fuel(None);
        let mut next = hold(&world, directory.path());
        next.take_up(Duration::ZERO).unwrap();
        next.give_back_all(Duration::from_secs(1));
        prop_assert!(!next.is_owing() && !next.is_busy());
        for held in next.all() {
            let all_stay = held.claims().iter().all(Claimed::outlives_agent);
            prop_assert!(all_stay, "{:?}", held);
        }
        let held: BTreeMap<_, _> = next
            .all()
            .map(|held| ((held.slot.cgroup.id, held.slot.thing), held.clone()))
            .collect();
        for (at, found) in world.values() {
            match held.get(&at) {
                Some(held) => prop_assert_eq!(&held.in_force, &found),
                // The operator's quota may have taken the burst along.
                None if at.1 == Thing::Knob(Knob::CpuMaxBurst)
                    && held.contains_key(&(at.0, Thing::Knob(Knob::CpuMax))) => {}
                None => prop_assert_eq!(&originals[&at], &found, "{:?}", at),
            }
        }
        // And when the operator lets go as well, all is as it was before the first claim.
        next.release(|_, _| true);
        next.give_back_all(Duration::from_secs(1));
        prop_assert_eq!(world.values(), originals);
        prop_assert_eq!(next.all().count(), 0);
    }
}
