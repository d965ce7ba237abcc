//! What takes its time.

use super::*;

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
