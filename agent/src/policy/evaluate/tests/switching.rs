//! Modes, on and off, and reloads, while rules are under way.

use super::world::*;
use crate::policy::evaluate::{Moment, NoSuchPolicy};
use crate::policy::{Mode, Order, Policy, Revert, Rule};

fn holding() -> Rule {
    rule(
        usage(90.0, None),
        [0.0, 0.0, 30.0],
        vec![step(0.0, hold(pids_max(5), Revert::OnClear))],
    )
}

fn holding_policy() -> Policy {
    policy(
        "p",
        vec![wanted(crate::cgroup::Setting::CpuWeight(50))],
        vec![holding()],
    )
}

fn with_modes(orders: &[Order]) -> Vec<(String, Mode)> {
    orders
        .iter()
        .map(|order| (short(order), order.mode))
        .collect()
}

fn switch(
    world: &mut World,
    act: impl FnOnce(&mut World, Moment) -> Vec<Order>,
) -> Vec<(String, Mode)> {
    let now = world.moment();
    with_modes(&act(world, now))
}

#[test]
fn to_monitor_lets_go_for_real_and_goes_on_deciding() {
    let (mut world, _) = World::new(vec![holding_policy()]);
    assert_eq!(world.memory(0.0, 95.0), ["+pids.max"]);
    let orders = switch(&mut world, |world, now| {
        world.evaluator.set_mode(now, None, Mode::Monitor).unwrap()
    });
    let enforced = |what: &str| (what.to_owned(), Mode::Enforce);
    let decided = |what: &str| (what.to_owned(), Mode::Monitor);
    assert_eq!(
        orders,
        [enforced("-all"), enforced("-all"), decided("+cpu.weight")]
    );
    assert!(
        world.memory(29.0, 95.0).is_empty(),
        "it cools as if it had cleared"
    );
    assert_eq!(world.memory(31.0, 95.0), ["+pids.max"]);
    let orders = switch(&mut world, |world, now| {
        world
            .evaluator
            .set_mode(now, Some("p"), Mode::Enforce)
            .unwrap()
    });
    assert_eq!(
        orders,
        [decided("-all"), decided("-all"), enforced("+cpu.weight")]
    );
}

#[test]
fn monitor_for_all_goes_before_what_a_policy_says() {
    let mut own = holding_policy();
    own.mode = Some(Mode::Enforce);
    let (mut world, orders) = World::new(vec![own]);
    assert_eq!(orders[0].mode, Mode::Enforce);
    let now = world.moment();
    world.evaluator.set_mode(now, None, Mode::Monitor).unwrap();
    assert_eq!(world.evaluator.tally().policies[0].mode, Mode::Monitor);
    let in_force = world.evaluator.in_force();
    assert_eq!(in_force.mode, Mode::Monitor);
    assert_eq!(in_force.policies[0].mode, Some(Mode::Monitor));
    world.evaluator.set_mode(now, None, Mode::Enforce).unwrap();
    assert_eq!(world.evaluator.tally().policies[0].mode, Mode::Enforce);
    let unknown = world.evaluator.set_mode(now, Some("q"), Mode::Monitor);
    assert_eq!(unknown.unwrap_err(), NoSuchPolicy("q".to_owned()));
}

#[test]
fn off_and_on_does_not_get_round_the_cooldown() {
    let (mut world, _) = World::new(vec![holding_policy()]);
    assert_eq!(world.memory(0.0, 95.0), ["+pids.max"]);
    let now = world.moment();
    let orders = world.evaluator.enable(now, "p", false).unwrap();
    assert_eq!(shorts(&orders), ["-all", "-all"]);
    let orders = world.evaluator.enable(now, "p", true).unwrap();
    assert_eq!(shorts(&orders), ["+cpu.weight"]);
    assert!(world.memory(1.0, 95.0).is_empty());
    assert_eq!(world.tick(30.0), ["+pids.max"]);
}

#[test]
fn a_rule_that_did_not_change_goes_on_through_a_reload() {
    let (mut world, _) = World::new(vec![holding_policy()]);
    world.memory(0.0, 95.0);
    let mut changed = holding_policy();
    changed.limits.clear();
    let now = world.moment();
    let orders = world.evaluator.replace(now, set(vec![changed.clone()]));
    assert_eq!(shorts(&orders), ["-cpu.weight"]);
    assert_eq!(world.memory(1.0, 10.0), ["-all"], "still firing");

    world.memory(40.0, 95.0);
    changed.rules[0].cooldown = seconds(60.0);
    let now = world.moment();
    let orders = world.evaluator.replace(now, set(vec![changed]));
    assert_eq!(shorts(&orders), ["-all"], "a changed rule ends");
    assert!(
        world.memory(69.0, 95.0).is_empty(),
        "it cools as it would have"
    );
    assert_eq!(world.memory(70.0, 95.0), ["+pids.max"]);
}

#[test]
fn what_an_operator_switched_stays_until_the_file_says_otherwise() {
    let (mut world, _) = World::new(vec![holding_policy()]);
    let now = world.moment();
    world.evaluator.enable(now, "p", false).unwrap();
    world
        .evaluator
        .set_mode(now, Some("p"), Mode::Monitor)
        .unwrap();
    let mut edited = holding_policy();
    edited.rules[0].cooldown = seconds(1.0);
    world.evaluator.replace(now, set(vec![edited.clone()]));
    let policy = world.evaluator.tally().policies.remove(0);
    assert_eq!((policy.enabled, policy.mode), (false, Mode::Monitor));
    edited.enabled = false;
    world.evaluator.replace(now, set(vec![edited.clone()]));
    edited.enabled = true;
    edited.mode = Some(Mode::Enforce);
    world.evaluator.replace(now, set(vec![edited.clone()]));
    let policy = world.evaluator.tally().policies.remove(0);
    assert!(policy.enabled, "the file's word changed since");
    assert_eq!(
        policy.mode,
        Mode::Monitor,
        "the file's is the same as before"
    );
    edited.mode = Some(Mode::Monitor);
    world.evaluator.replace(now, set(vec![edited.clone()]));
    edited.mode = Some(Mode::Enforce);
    world.evaluator.replace(now, set(vec![edited]));
    assert_eq!(world.evaluator.tally().policies[0].mode, Mode::Enforce);
}
