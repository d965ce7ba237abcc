//! What is not done, for anybody or for a policy.

use super::*;

#[test]
fn nothing_is_written_in_monitor_mode() {
    for whole_agent in [false, true] {
        let mut bench = Bench::new();
        let before = bench.world.values();
        let mut orders = vec![
            order(1, policy("a", None), set(max(300))),
            order(
                1,
                policy("a", Some("r")),
                freeze(Some(Duration::from_secs(1))),
            ),
            order(1, policy("a", None), Step::Release(Scope::All)),
            order(1, Claimant::Operator, Step::Once(Once::Restart)),
        ];
        if whole_agent {
            bench.enforcer.set_mode(Mode::Monitor);
        } else {
            orders
                .iter_mut()
                .for_each(|order| order.mode = Mode::Monitor);
        }
        for order in orders {
            assert_eq!(bench.order(order).outcome, Outcome::DryRun);
        }
        // What must not be done is said all the same.
        let mut refused = order(9, policy("a", None), set(max(300)));
        refused.mode = Mode::Monitor;
        assert!(matches!(bench.order(refused).outcome, Outcome::Refused(_)));
        assert_eq!(bench.world.values(), before);
        assert_eq!(bench.world.writes(), 0);
        assert!(!bench.directory.path().join("state").exists());
        assert!(bench.events().iter().all(|event| *event == "decision"));
    }
}

#[test]
fn the_floor_is_for_everybody() {
    let mut bench = Bench::new();
    for claimant in [Claimant::Operator, policy("a", None)] {
        let steps = [
            set(max(300)),
            Step::Once(Once::Restart),
            Step::Once(Once::Reclaim { bytes: 1 }),
            Step::Once(Once::Kill {
                scope: Process::Cgroup,
                signal: 9,
                grace: Duration::ZERO,
                escalate: None,
            }),
        ];
        for step in steps {
            let record = bench.order(order(9, claimant.clone(), step));
            assert_eq!(record.outcome, Outcome::Refused("/9 holds pid 1".into()));
        }
    }
    assert_eq!(bench.enforcer.status().refusals["protected"], 8);
    assert_eq!(bench.world.writes(), 0);
}

fn writes_at(kib: u64) -> Setting {
    let caps = IoCaps {
        wbps: Some(kib << 10),
        ..IoCaps::default()
    };
    Setting::IoMax(DISK, caps)
}

/// 64 MiB with a mebibyte a second is too little; 256 MiB is enough.
#[test]
fn what_would_kill_together_is_refused() {
    let refused = Outcome::Refused("the kernel kills".into());
    for claimant in [Claimant::Operator, policy("a", None)] {
        for mode in [Mode::Enforce, Mode::Monitor] {
            for (there, then) in [(writes_at(1_024), max(64)), (max(64), writes_at(1_024))] {
                let mut bench = Bench::new();
                // Somebody else set it.
                bench.world.set(1, there);
                let writes = bench.world.writes();
                let mut order = order(1, claimant.clone(), set(then));
                order.mode = mode;
                assert_eq!(bench.order(order).outcome, refused);
                assert_eq!(bench.world.writes(), writes);
                assert_eq!(bench.enforcer.status().refusals["harmful"], 1);
                assert!(bench.enforcer.claims().is_empty());
            }
        }
    }
}

#[test]
fn what_would_kill_with_what_is_on_its_way_is_refused() {
    let mut bench = Bench::new();
    bench.world.slow(Knob::MemoryMax, 3);
    let first = bench.order(order(2, policy("a", None), set(max(64))));
    assert!(matches!(first.outcome, Outcome::Deferred(_)));
    let second = bench.order(order(2, policy("a", None), set(writes_at(1_024))));
    assert!(matches!(second.outcome, Outcome::Refused(_)), "{second:?}");
    let other = bench.order(order(1, policy("a", None), set(writes_at(1_024))));
    assert_eq!(other.outcome, Outcome::Done);
}

/// The policy's 64 MiB stood behind the operator's 256 when its cap on writes was set. When the
/// operator lets go, they do not come into force; when the cap goes, they do.
#[test]
fn a_claim_next_in_line_waits_while_it_would_kill() {
    let mut bench = Bench::new();
    bench.order(order(1, policy("a", None), set(max(64))));
    bench.order(order(1, Claimant::Operator, set(max(256))));
    let cap = bench.order(order(1, policy("a", None), set(writes_at(1_024))));
    assert_eq!(cap.outcome, Outcome::Done);
    assert_eq!(cap.caveats, ["it does not see buffered writes"]);
    let release = || Step::Release(Scope::Knob(Knob::MemoryMax));
    let let_go = bench.order(order(1, Claimant::Operator, release()));
    assert!(matches!(let_go.outcome, Outcome::Failed(_)), "{let_go:?}");
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(256)));
    bench.order(order(1, policy("a", None), Step::Release(Scope::Io)));
    assert_eq!(bench.world.value(1, Knob::MemoryMax), value(max(64)));
    bench.order(order(1, policy("a", None), release()));
    assert_eq!(
        bench.world.value(1, Knob::MemoryMax),
        value(Setting::MemoryMax(None))
    );
}

#[test]
fn rules_have_a_budget_limits_and_operators_have_none() {
    let mut bench = Bench::new();
    for mib in 100..110 {
        let limit = bench.order(order(1, policy("a", None), set(max(mib))));
        let operator = bench.order(order(2, Claimant::Operator, set(max(mib))));
        assert_eq!(
            (&limit.outcome, &operator.outcome),
            (&Outcome::Done, &Outcome::Done)
        );
    }
    let mut outcomes = Vec::new();
    for mib in [50, 51, 51, 51, 52, 53] {
        let record = bench.order(order(3, policy("a", Some("r")), set(max(mib))));
        outcomes.push(record.outcome.name());
    }
    // The same again is no action.
    assert_eq!(
        outcomes,
        ["done", "done", "done", "done", "done", "refused"]
    );
    assert_eq!(bench.enforcer.status().refusals["budget"], 1);
    assert_eq!(bench.world.value(3, Knob::MemoryMax), value(max(52)));
}

/// Told once, and known to the rule that gave the order, which gives it again.
#[test]
fn what_a_rule_may_do_later_is_put_off() {
    let mut bench = Bench::new();
    for mib in [50, 51, 52] {
        bench.order(order(3, policy("a", Some("r")), set(max(mib))));
    }
    let first = order(3, policy("a", Some("r")), set(max(53)));
    let fate = first.fate.clone();
    let record = bench.order(first);
    let reason = record.outcome.reason().unwrap();
    assert!(
        reason.ends_with("tried again while the condition holds"),
        "{reason}"
    );
    assert!(fate.is_put_off() && !fate.is_settled());

    let again = |fate: &Fate| Order {
        fate: fate.clone(),
        ..order(3, policy("a", Some("r")), set(max(53)))
    };
    let fate = Fate::again();
    assert!(bench.all(again(&fate)).is_empty(), "it was told");
    assert!(fate.is_put_off());
    assert_eq!(bench.enforcer.status().refusals["budget"], 2);

    bench.enforcer.set_protect(Protect {
        max_actions_per_minute: 4,
        ..Protect::default()
    });
    let fate = Fate::again();
    assert_eq!(bench.order(again(&fate)).outcome, Outcome::Done);
    assert!(fate.is_settled());
    assert_eq!(bench.world.value(3, Knob::MemoryMax), value(max(53)));

    // What will never be done is not tried again, nor what an operator asked for.
    let harmful = order(
        3,
        policy("a", Some("r")),
        set(Setting::MemoryMax(Some(4_096))),
    );
    let fate = harmful.fate.clone();
    bench.order(harmful);
    assert!(fate.is_settled());
}

#[test]
fn what_would_make_the_kernel_kill_is_refused() {
    let mut bench = Bench::new();
    let record = bench.order(order(
        1,
        Claimant::Operator,
        set(Setting::MemoryMax(Some(4_096))),
    ));
    assert!(matches!(record.outcome, Outcome::Refused(_)), "{record:?}");
    assert_eq!(bench.enforcer.status().refusals["harmful"], 1);
}
