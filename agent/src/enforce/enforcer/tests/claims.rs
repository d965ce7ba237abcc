//! What is held, undone, and known to the next agent.

use super::*;

#[test]
fn a_limit_is_held_and_let_go() {
    let mut bench = Bench::new();
    let held = bench.order(order(1, policy("a", None), set(max(300))));
    assert_eq!(held.outcome, Outcome::Done);
    assert_eq!(held.before.as_deref(), Some("memory.max max"));
    assert_eq!(held.after.as_deref(), Some("memory.max 314572800"));
    let views = bench.enforcer.claims();
    assert_eq!(
        (views.len(), views[0].action, views[0].in_force),
        (1, held.id, true)
    );
    assert_eq!(bench.enforcer.status().held["memory.max"], 1);
    let step = Step::Release(Scope::Knob(Knob::MemoryMax));
    let released = bench.order(order(1, policy("a", None), step));
    assert_eq!(released.outcome, Outcome::Restored);
    assert_eq!(released.after.as_deref(), Some("memory.max max"));
    assert_eq!(bench.events(), ["action", "action"]);
    assert!(bench.enforcer.claims().is_empty());
}

#[test]
fn an_action_can_be_undone_once() {
    let mut bench = Bench::new();
    let low = bench.order(order(1, policy("a", None), set(max(300))));
    let high = bench.order(order(1, Claimant::Operator, set(max(200))));
    let undone = bench.enforcer.undo(high.id);
    assert_eq!(undone.outcome, Outcome::Restored);
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(300)));
    assert_eq!(bench.enforcer.undo(low.id).outcome, Outcome::Restored);
    let again = bench.enforcer.undo(low.id);
    assert!(matches!(again.outcome, Outcome::Refused(_)));
    assert_eq!(
        bench.world.value(1, Knob::MemoryMax),
        value(Setting::MemoryMax(None))
    );
}

#[test]
fn a_policy_goes_with_all_it_holds_but_what_is_never_restored() {
    let mut bench = Bench::new();
    bench.order(order(1, policy("a", None), set(max(300))));
    bench.order(order(2, policy("a", Some("r")), set(max(300))));
    let mut kept = order(3, policy("a", None), set(max(300)));
    kept.restore = Restore::Never;
    bench.order(kept);
    bench.order(order(3, policy("b", None), set(Setting::PidsMax(Some(7)))));
    let records = bench
        .enforcer
        .release_policies("test", |claim| claim.is_of_policy("a"));
    assert_eq!(records.len(), 3);
    let unlimited = value(Setting::MemoryMax(None));
    assert_eq!(bench.world.value(1, Knob::MemoryMax), unlimited);
    assert_eq!(bench.world.value(2, Knob::MemoryMax), unlimited);
    assert_eq!(bench.world.value(3, Knob::MemoryMax), value(max(300)));
    let left = bench.enforcer.claims();
    assert_eq!((left.len(), left[0].what.as_str()), (1, "pids.max"));
}

#[test]
fn the_operators_claim_is_known_to_the_next_agent() {
    let mut bench = Bench::new();
    let held = bench.order(order(1, Claimant::Operator, set(max(300))));
    bench.order(order(2, policy("a", None), set(max(300))));
    bench.enforcer.end(Duration::ZERO);
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(300)));
    assert_eq!(
        bench.world.value(2, Knob::MemoryMax),
        value(Setting::MemoryMax(None))
    );
    let log = bench.log.clone();
    drop(std::mem::replace(
        &mut bench.enforcer,
        Bench::enforcer(&World::default(), std::path::Path::new("/nowhere"), &log),
    ));
    let mut next = Bench::enforcer(&bench.world, bench.directory.path(), &log);
    next.begin();
    let claims = next.claims();
    assert_eq!((claims.len(), claims[0].action), (1, held.id));
    assert_eq!(claims[0].original, "memory.max max");
    bench.enforcer = next;
    let another = bench.order(order(3, Claimant::Operator, set(max(300))));
    assert!(another.id > held.id);
    bench.order(order(1, Claimant::Operator, Step::Release(Scope::All)));
    assert_eq!(
        bench.world.value(1, Knob::MemoryMax),
        value(Setting::MemoryMax(None))
    );
}

#[test]
fn shares_are_of_what_is_in_force() {
    let mut bench = Bench::new();
    bench.order(order(1, Claimant::Operator, set(max(400))));
    let amount = Amount::Change(crate::policy::Change::OfCurrent(0.5));
    let step = || hold(Knob::MemoryMax, amount.clone(), None);
    bench.order(order(1, policy("a", None), step()));
    // Behind the operator, and half of what was in force; then half of its own.
    let of_policy = |bench: &Bench| bench.enforcer.claims()[1].value.clone();
    assert_eq!(of_policy(&bench), value(max(200)).to_string());
    bench.order(order(1, policy("a", None), step()));
    assert_eq!(of_policy(&bench), value(max(100)).to_string());
}
