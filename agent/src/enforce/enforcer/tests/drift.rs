//! What becomes of values that somebody else wrote.

use super::*;

fn drifting(on_conflict: OnConflict) -> Bench {
    let mut bench = Bench::new();
    let mut held = order(1, policy("a", None), set(max(300)));
    held.on_conflict = on_conflict;
    bench.order(held);
    bench
}

#[test]
fn yields_to_somebody_else() {
    let mut bench = drifting(OnConflict::Yield);
    bench.world.set(1, max(111));
    bench.enforcer.sweep();
    assert!(bench.enforcer.claims().is_empty());
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(111)));
    assert_eq!(bench.enforcer.status().drifts["yielded"], 1);
    assert_eq!(bench.events(), ["action", "action", "drift"]);
    // Theirs is the original now.
    bench.order(order(1, policy("a", None), set(max(300))));
    bench.order(order(1, policy("a", None), Step::Release(Scope::All)));
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(111)));
}

#[test]
fn reasserts_three_times_then_yields() {
    let mut bench = drifting(OnConflict::Reassert);
    for mib in 111..114 {
        bench.world.set(1, max(mib));
        bench.enforcer.sweep();
        assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(300)));
    }
    bench.world.set(1, max(114));
    bench.enforcer.sweep();
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(114)));
    let drifts = bench.enforcer.status().drifts;
    assert_eq!((drifts["reasserted"], drifts["yielded"]), (3, 1));
}

#[test]
fn alerts_once_for_each_value() {
    let mut bench = drifting(OnConflict::Alert);
    for mib in [111, 111, 112] {
        bench.world.set(1, max(mib));
        bench.enforcer.sweep();
    }
    assert_eq!(bench.enforcer.status().drifts["alerted"], 2);
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(112)));
    assert_eq!(bench.enforcer.claims().len(), 1);
    bench.enforcer.end(Duration::ZERO);
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(112)));
}

#[test]
fn who_writes_in_the_same_moment_is_seen_too() {
    for (on_conflict, kept, answer) in [
        (OnConflict::Yield, 111, "yielded"),
        (OnConflict::Reassert, 300, "reasserted"),
        (OnConflict::Alert, 111, "alerted"),
    ] {
        let mut bench = Bench::new();
        bench.world.set_meanwhile(1, max(111));
        let mut held = order(1, policy("a", None), set(max(300)));
        held.on_conflict = on_conflict;
        assert_eq!(bench.order(held).outcome, Outcome::Done);
        bench.enforcer.sweep();
        assert_eq!(
            bench.world.value(1, Knob::MemoryMax),
            value(max(kept)),
            "{answer}"
        );
        assert_eq!(bench.enforcer.status().drifts[answer], 1);
        // Whose value it is, is known: what was there before anybody returns, or theirs.
        bench.order(order(1, policy("a", None), Step::Release(Scope::All)));
        let left = match on_conflict {
            OnConflict::Reassert => Setting::MemoryMax(None),
            OnConflict::Yield | OnConflict::Alert => max(111),
        };
        assert_eq!(bench.world.value(1, Knob::MemoryMax), value(left));
    }
}
