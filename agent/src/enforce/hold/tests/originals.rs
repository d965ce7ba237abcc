//! What is given back, and what is owed.

use super::*;

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
