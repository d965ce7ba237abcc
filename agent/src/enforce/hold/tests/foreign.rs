//! What somebody else wrote.

use super::*;

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
