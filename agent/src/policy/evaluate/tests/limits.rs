//! What is held for as long as a policy matches.

use std::path::PathBuf;

use super::world::*;
use crate::cgroup::{IoCaps, Setting};
use crate::policy::{Limit, Restore};

fn memory_max(mib: u64) -> Limit {
    wanted(Setting::MemoryMax(Some(mib << 20)))
}

fn io(path: &str) -> Limit {
    Limit::Io {
        path: PathBuf::from(path),
        caps: IoCaps::default(),
    }
}

#[test]
fn they_come_with_the_match_and_go_with_it() {
    let limits = vec![memory_max(512), wanted(pids_max(9))];
    let batch = for_label(policy("batch", limits, vec![]), "tier", "batch");
    let (mut world, orders) = World::new(vec![batch]);
    assert!(orders.is_empty(), "the label is not known yet");
    let now = world.moment();
    let labelled = workload(ID, Some(("tier", "batch")));
    let orders = world.evaluator.changed(now, &labelled);
    assert_eq!(shorts(&orders), ["+memory.max", "+pids.max"]);
    assert_eq!(rule_of(&orders[0]), None);
    let orders = world.evaluator.changed(now, &labelled);
    assert!(orders.is_empty(), "seen again: {orders:?}");
    let orders = world.evaluator.changed(now, &workload(ID, None));
    assert_eq!(shorts(&orders), ["-all"]);
}

#[test]
fn a_workload_that_is_gone_takes_them_along() {
    let (mut world, _) = World::new(vec![policy("p", vec![memory_max(1)], vec![])]);
    world.evaluator.gone(ID);
    let now = world.moment();
    assert!(world.evaluator.enable(now, "p", false).unwrap().is_empty());
    world.evaluator.enable(now, "p", true).unwrap();
    assert_eq!(shorts(&world.appear(&workload(ID, None))), ["+memory.max"]);
}

#[test]
fn a_new_workload_under_an_old_id_is_held_anew() {
    let (mut world, _) = World::new(vec![policy("p", vec![memory_max(1)], vec![])]);
    assert_eq!(shorts(&world.appear(&workload(ID, None))), ["+memory.max"]);
}

#[test]
fn a_reload_touches_only_what_changed() {
    let before = policy(
        "p",
        vec![memory_max(512), wanted(pids_max(9)), io("/a")],
        vec![],
    );
    let (mut world, _) = World::new(vec![before.clone()]);
    let mut replace = |policy: crate::policy::Policy| {
        let now = world.moment();
        shorts(&world.evaluator.replace(now, set(vec![policy])))
    };
    assert!(replace(before.clone()).is_empty());
    let mut changed = before.clone();
    changed.limits = vec![memory_max(256), wanted(pids_max(9)), io("/a")];
    assert_eq!(replace(changed.clone()), ["+memory.max"]);
    changed.limits = vec![wanted(pids_max(9)), io("/a")];
    assert_eq!(replace(changed.clone()), ["-memory.max"]);
    changed.limits = vec![wanted(pids_max(9)), io("/a"), io("/b")];
    assert_eq!(replace(changed.clone()), ["+io"]);
    changed.limits = vec![wanted(pids_max(9)), io("/b")];
    assert_eq!(replace(changed.clone()), ["-io", "+io"]);
    changed.priority = 5;
    assert_eq!(
        replace(changed.clone()),
        ["+pids.max", "+io"],
        "held anew, with the new priority"
    );
    changed.name = "q".into();
    assert_eq!(replace(changed), ["+pids.max", "+io", "-all"]);
}

#[test]
fn what_is_never_restored_is_not_let_go() {
    let mut never = policy("p", vec![memory_max(512)], vec![]);
    never.restore = Restore::Never;
    let (mut world, _) = World::new(vec![never]);
    let now = world.moment();
    assert!(world.evaluator.enable(now, "p", false).unwrap().is_empty());
}
