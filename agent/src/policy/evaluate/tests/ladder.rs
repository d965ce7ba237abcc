//! From the first reading above the line to the end of the cooldown.

use super::world::*;
use crate::cgroup::Setting;
use crate::policy::evaluate::State;
use crate::policy::{Action, Freeze, Once, Revert, Step};

fn ladder() -> Vec<crate::policy::LadderStep> {
    vec![
        step(0.0, reclaim(1)),
        step(2.0, hold(pids_max(5), Revert::OnClear)),
        step(3.0, kill()),
    ]
}

#[test]
fn it_waits_for_its_time_and_climbs_step_by_step() {
    let when = usage(90.0, Some(80.0));
    let (mut world, orders) = World::new(vec![policy(
        "p",
        vec![],
        vec![rule(when, [3.0, 5.0, 30.0], ladder())],
    )]);
    assert!(orders.is_empty(), "no limits: {orders:?}");
    assert!(world.memory(0.0, 50.0).is_empty());
    assert!(world.memory(1.0, 95.0).is_empty(), "pending");
    assert_eq!(world.due(), Some(4.0));
    assert!(world.memory(3.9, 95.0).is_empty());
    assert_eq!(world.tick(4.0), ["reclaim 1"]);
    assert!(world.memory(5.9, 95.0).is_empty());
    assert_eq!(world.due(), Some(6.0));
    assert_eq!(world.memory(6.5, 91.0), ["+pids.max"]);
    assert_eq!(world.memory(9.5, 91.0), ["kill"]);
    assert!(world.memory(60.0, 95.0).is_empty(), "the ladder has an end");

    assert!(world.memory(61.0, 79.0).is_empty(), "clearing");
    assert_eq!(world.tick(66.0), ["-all"]);
    assert!(world.memory(67.0, 99.0).is_empty(), "cooling down");
    assert!(world.tick(95.0).is_empty());
    assert!(world.tick(96.0).is_empty(), "pending anew");
    assert_eq!(world.tick(99.0), ["reclaim 1"]);
}

#[test]
fn a_break_before_its_time_starts_it_anew() {
    let when = usage(90.0, None);
    let rules = vec![rule(when, [3.0, 0.0, 0.0], ladder())];
    let (mut world, _) = World::new(vec![policy("p", vec![], rules)]);
    world.memory(0.0, 95.0);
    world.memory(2.0, 89.0);
    world.memory(2.5, 95.0);
    assert!(world.memory(5.0, 95.0).is_empty());
    assert_eq!(world.memory(5.5, 95.0), ["reclaim 1"]);
}

#[test]
fn between_the_lines_it_neither_climbs_nor_clears() {
    let when = usage(90.0, Some(80.0));
    let rules = vec![rule(when, [0.0, 0.0, 0.0], ladder())];
    let (mut world, _) = World::new(vec![policy("p", vec![], rules)]);
    assert_eq!(world.memory(0.0, 95.0), ["reclaim 1"]);
    for n in 1..50 {
        assert!(world.memory(f64::from(n), 85.0).is_empty());
    }
    assert_eq!(world.memory(50.0, 90.5), ["+pids.max"]);
    assert!(world.memory(51.0, 80.5).is_empty());
    assert_eq!(world.memory(52.0, 80.0), ["-all"]);
}

#[test]
fn a_rule_without_waiting_acts_on_the_reading_itself() {
    let steps = vec![
        step(0.0, Action::Freeze(Freeze { max: seconds(10.0) })),
        step(0.0, reclaim(7)),
    ];
    let (mut world, _) = World::new(vec![policy(
        "p",
        vec![],
        vec![rule(usage(90.0, None), [0.0; 3], steps)],
    )]);
    let orders = world.orders(
        1.0,
        crate::policy::evaluate::Series::MemoryUsage,
        Some(91.0 * MIB),
    );
    assert_eq!(shorts(&orders), ["+cgroup.freeze", "reclaim 7"]);
    let Step::Hold(claim) = &orders[0].step else {
        panic!("{orders:?}");
    };
    assert_eq!(claim.at_most, Some(seconds(10.0)));
    let evidence = &orders[0].evidence;
    assert_eq!(evidence.condition, "memory.usage above 90MiB");
    assert_eq!(evidence.observed, "memory.usage 91MiB");
    assert_eq!(evidence.held, seconds(0.0));
    assert_eq!(rule_of(&orders[0]), Some("rule"));
    assert_eq!(world.memory(2.0, 10.0), ["-all"]);
}

#[test]
fn what_was_let_go_by_its_own_time_is_not_let_go_again() {
    let steps = vec![step(0.0, Action::Freeze(Freeze { max: seconds(10.0) }))];
    let rules = vec![rule(usage(90.0, None), [0.0; 3], steps)];
    let (mut world, _) = World::new(vec![policy("p", vec![], rules)]);
    assert_eq!(world.memory(0.0, 95.0), ["+cgroup.freeze"]);
    assert_eq!(world.due(), Some(5.0), "whether it was put off");
    assert!(world.tick(5.0).is_empty());
    assert_eq!(world.due(), Some(10.0));
    assert!(world.memory(11.0, 95.0).is_empty());
    assert!(world.memory(12.0, 10.0).is_empty());
}

#[test]
fn what_is_kept_outlives_the_firing_but_not_the_policy() {
    let steps = vec![
        step(0.0, hold(Setting::MemoryHigh(Some(1)), Revert::Keep)),
        step(0.0, hold(pids_max(5), Revert::OnClear)),
    ];
    let rules = vec![rule(usage(90.0, None), [0.0; 3], steps)];
    let (mut world, _) = World::new(vec![policy("p", vec![], rules)]);
    assert_eq!(world.memory(0.0, 95.0), ["+memory.high", "+pids.max"]);
    assert_eq!(world.memory(1.0, 10.0), ["-pids.max"]);
    let now = world.moment();
    let orders = world.evaluator.enable(now, "p", false).unwrap();
    assert_eq!(shorts(&orders), ["-all"]);
}

#[test]
fn explanation_and_tally_say_where_it_stands() {
    let rules = vec![rule(usage(90.0, Some(80.0)), [3.0, 5.0, 30.0], ladder())];
    let (mut world, _) = World::new(vec![
        policy("p", vec![], rules),
        for_label(policy("other", vec![], vec![]), "tier", "batch"),
    ]);
    world.memory(0.0, 95.0);
    world.memory(3.0, 85.0);
    world.memory(4.0, 95.0);
    let explanation = world.evaluator.explain(ID).unwrap();
    let [ours, other] = &explanation.policies[..] else {
        panic!("{explanation:?}");
    };
    assert_eq!(ours.not_applied, None);
    assert_eq!(
        other.not_applied.as_deref(),
        Some("label tier is none, not batch")
    );
    let rule = &ours.rules[0];
    assert_eq!(rule.state, State::Firing);
    assert_eq!((rule.steps_taken, rule.steps), (1, 3));
    assert_eq!(rule.since, Some(seconds(4.0)));
    assert_eq!(rule.leaves[0].value, "95MiB");
    let tally = world.evaluator.tally();
    assert_eq!(tally.workloads, 1);
    assert_eq!(tally.policies[0].rules[0].states[&State::Firing], 1);
    assert_eq!(tally.policies[1].workloads, 0);
    assert!(matches!(
        ladder()[0].action,
        Action::Once(Once::Reclaim { .. })
    ));
}

#[test]
fn what_was_put_off_is_given_again_while_the_condition_holds() {
    let steps = vec![
        step(0.0, hold(pids_max(5), Revert::OnClear)),
        step(1.0, kill()),
    ];
    let rules = vec![rule(usage(90.0, Some(80.0)), [0.0; 3], steps)];
    let (mut world, _) = World::new(vec![policy("p", vec![], rules)]);
    let usage = |world: &mut World, at, mib: f64| {
        world.orders(
            at,
            crate::policy::evaluate::Series::MemoryUsage,
            Some(mib * MIB),
        )
    };
    usage(&mut world, 0.0, 95.0)[0].fate.settle();
    let kill = usage(&mut world, 1.0, 95.0).remove(0);
    assert_eq!(
        (short(&kill).as_str(), kill.fate.is_again()),
        ("kill", false)
    );
    kill.fate.put_off();
    assert!(usage(&mut world, 5.9, 95.0).is_empty());
    let again = usage(&mut world, 6.0, 97.0).remove(0);
    assert_eq!(
        (short(&again).as_str(), again.fate.is_again()),
        ("kill", true)
    );
    assert_eq!(again.evidence.observed, "memory.usage 97MiB", "as of now");
    again.fate.put_off();
    // Between the lines nothing is done.
    assert!(usage(&mut world, 12.0, 85.0).is_empty());
    let last = usage(&mut world, 13.0, 95.0).remove(0);
    last.fate.settle();
    assert!(usage(&mut world, 30.0, 95.0).is_empty(), "it was done");

    assert_eq!(world.memory(31.0, 10.0), ["-all"]);
    assert!(!usage(&mut world, 32.0, 95.0)[0].fate.is_again());
}

#[test]
fn what_was_put_off_ends_with_its_firing() {
    let rules = vec![rule(usage(90.0, None), [0.0; 3], vec![step(0.0, kill())])];
    let (mut world, _) = World::new(vec![policy("p", vec![], rules)]);
    let series = crate::policy::evaluate::Series::MemoryUsage;
    world.orders(0.0, series, Some(95.0 * MIB))[0]
        .fate
        .put_off();
    assert!(world.memory(1.0, 10.0).is_empty(), "cleared");
    let kill = world.orders(2.0, series, Some(95.0 * MIB)).remove(0);
    assert!(!kill.fate.is_again(), "a firing of its own");
    kill.fate.settle();
    assert!(world.memory(8.0, 95.0).is_empty());
}
