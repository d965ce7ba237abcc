//! Who is in force, and who comes after.

use super::*;

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
fn nothing_held_is_nothing_on_disk() {
    let (world, directory) = (World::default(), directory());
    world.cgroup(1);
    let state = directory.path().join("state");
    let mut hold = hold(&world, &state);
    hold.take_up(Duration::ZERO).unwrap();
    hold.give_back_all(Duration::ZERO);
    assert!(!state.exists());
}
