//! What ends by itself, and what takes its time.

use super::*;

#[test]
fn a_freeze_ends_by_itself() {
    let mut bench = Bench::new();
    let refused = bench.order(order(1, policy("a", Some("r")), freeze(None)));
    assert!(
        matches!(refused.outcome, Outcome::Refused(_)),
        "{refused:?}"
    );
    let at_most = Duration::from_secs(5);
    bench.order(order(1, policy("a", Some("r")), freeze(Some(at_most))));
    let frozen = || value(Setting::Freeze(true));
    assert_eq!(bench.world.value(1, Knob::Freeze), frozen());
    let now = Instant::now();
    assert!(bench.enforcer.next_due(now) <= now + at_most);
    bench
        .enforcer
        .on_time(now + at_most - Duration::from_millis(100));
    assert_eq!(bench.world.value(1, Knob::Freeze), frozen());
    bench.enforcer.on_time(now + at_most);
    assert_eq!(
        bench.world.value(1, Knob::Freeze),
        value(Setting::Freeze(false))
    );
    assert_eq!(bench.enforcer.status().actions[&("release", "restored")], 1);
}

/// Frozen again before the first time was up, it stays frozen for the second.
#[test]
fn a_claim_made_again_has_a_new_end() {
    let mut bench = Bench::new();
    bench.order(order(
        1,
        policy("a", None),
        freeze(Some(Duration::from_secs(5))),
    ));
    bench.order(order(
        1,
        policy("a", None),
        freeze(Some(Duration::from_secs(50))),
    ));
    let now = Instant::now();
    bench.enforcer.on_time(now + Duration::from_secs(6));
    assert_eq!(
        bench.world.value(1, Knob::Freeze),
        value(Setting::Freeze(true))
    );
    bench.enforcer.on_time(now + Duration::from_secs(51));
    assert_eq!(
        bench.world.value(1, Knob::Freeze),
        value(Setting::Freeze(false))
    );
}

#[test]
fn what_takes_time_has_two_records_of_one_number() {
    let mut bench = Bench::new();
    bench.world.slow(Knob::MemoryMax, 1);
    let first = bench.order(order(2, policy("a", None), set(max(300))));
    assert!(matches!(first.outcome, Outcome::Deferred(_)));
    let now = Instant::now();
    assert!(bench.enforcer.next_due(now) <= now + timers::STEP);
    bench.enforcer.on_time(now);
    bench.enforcer.on_time(now);
    let query = crate::enforce::audit::Query::last(10);
    let records = bench.enforcer.books.audit().remembered(&query);
    assert_eq!(records.len(), 2);
    assert_eq!(
        (records[1].id, &records[1].outcome),
        (first.id, &Outcome::Done)
    );
    assert_eq!(records[1].before.as_deref(), Some("memory.max max"));
    assert_eq!(records[1].after.as_deref(), Some("memory.max 314572800"));
}

/// Who stops slowly is held from the moment it was asked for, and can be let go from then on.
#[test]
fn what_is_still_being_frozen_can_be_thawed() {
    let mut bench = Bench::new();
    assert!(bench.enforcer.thaw("/1").is_empty());
    bench.world.slow(Knob::Freeze, 1);
    let at_most = Duration::from_secs(50);
    let freezing = bench.order(order(1, policy("a", Some("r")), freeze(Some(at_most))));
    assert!(matches!(freezing.outcome, Outcome::Deferred(_)));
    let records = bench.enforcer.thaw("/1");
    assert_eq!(records.len(), 1, "{records:?}");
    let deadline = Instant::now() + Duration::from_secs(10);
    while bench.enforcer.hold.is_busy() && Instant::now() < deadline {
        bench.enforcer.on_time(Instant::now());
    }
    assert_eq!(
        bench.world.value(1, Knob::Freeze),
        value(Setting::Freeze(false))
    );
    assert!(bench.enforcer.thaw("/1").is_empty());
}
