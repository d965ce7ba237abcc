//! Steps that go on by themselves: scale and throttle.

use super::world::*;
use crate::cgroup::{DeviceNumber, Knob, Quota, Setting};
use crate::kernel::TrafficRules;
use crate::policy::evaluate::{Observation, Series};
use crate::policy::{
    Action, Amount, Change, Limit, Order, Policy, Scale, Scope, Step, Throttle, ThrottleTarget,
};

fn scale(ceiling: f64, floor: f64, budget: Option<f64>) -> Policy {
    let scale = Scale {
        target: Knob::CpuMax,
        up: 1.5,
        down: 0.5,
        every: seconds(1.0),
        ceiling: Amount::Change(Change::OfOriginal(ceiling)),
        floor: Amount::Change(Change::OfOriginal(floor)),
        budget: budget.map(seconds),
    };
    let steps = vec![step(0.0, Action::Scale(scale))];
    policy(
        "p",
        vec![],
        vec![rule(usage(90.0, Some(80.0)), [0.0, 2.0, 10.0], steps)],
    )
}

/// The factor of each hold, 0 for a release.
fn factors(orders: &[Order]) -> Vec<f64> {
    let factor = |order: &Order| match &order.step {
        Step::Hold(claim) => match &claim.limit {
            Limit::Cgroup(wanted) => match wanted.amount {
                Amount::Change(Change::OfCurrent(factor)) => factor,
                _ => panic!("{wanted:?}"),
            },
            other => panic!("{other:?}"),
        },
        Step::Release(scope) => {
            assert!(matches!(scope, Scope::Knob(Knob::CpuMax) | Scope::All));
            0.0
        }
        Step::Once(_) => panic!("{order:?}"),
    };
    orders.iter().map(factor).collect()
}

fn memory(world: &mut World, at: f64, mib: f64) -> Vec<f64> {
    factors(&world.orders(at, Series::MemoryUsage, Some(mib * MIB)))
}

#[test]
fn it_goes_up_to_its_ceiling_and_back_to_the_original() {
    let (mut world, _) = World::new(vec![scale(3.0, 1.0, None)]);
    assert_eq!(memory(&mut world, 0.0, 95.0), [1.5]);
    assert!(memory(&mut world, 0.5, 95.0).is_empty());
    assert_eq!(world.due(), Some(1.0));
    assert_eq!(memory(&mut world, 1.0, 95.0), [1.5]);
    assert!(
        memory(&mut world, 2.0, 85.0).is_empty(),
        "rests between the lines"
    );
    assert_eq!(memory(&mut world, 3.0, 95.0), [1.5], "the ceiling cuts it");
    for n in 4..10 {
        assert!(
            memory(&mut world, f64::from(n), 95.0).is_empty(),
            "at its ceiling"
        );
    }
    assert!(memory(&mut world, 10.0, 50.0).is_empty());
    assert_eq!(memory(&mut world, 12.0, 50.0), [0.5], "3 to 1.5");
    assert_eq!(memory(&mut world, 12.5, 95.0), [0.0; 0]);
    assert_eq!(
        memory(&mut world, 13.0, 95.0),
        [1.5],
        "up again from where it is"
    );
    assert_eq!(memory(&mut world, 14.0, 50.0), [0.5]);
    assert_eq!(memory(&mut world, 15.0, 50.0), [0.0], "the original");
    assert!(memory(&mut world, 16.0, 95.0).is_empty(), "cooling down");
    assert_eq!(memory(&mut world, 25.0, 95.0), [1.5]);
}

#[test]
fn below_the_original_it_rests_until_the_policy_goes() {
    let (mut world, _) = World::new(vec![scale(2.0, 0.5, None)]);
    assert_eq!(memory(&mut world, 0.0, 95.0), [1.5]);
    memory(&mut world, 1.0, 50.0);
    assert_eq!(memory(&mut world, 3.0, 50.0), [0.5]);
    assert_eq!(memory(&mut world, 4.0, 50.0), [0.5], "down to the floor");
    for n in 5..14 {
        assert!(memory(&mut world, f64::from(n), 50.0).is_empty());
    }
    assert_eq!(memory(&mut world, 20.0, 95.0), [1.5], "on from the floor");
    let now = world.moment();
    let orders = world.evaluator.enable(now, "p", false).unwrap();
    assert_eq!(factors(&orders), [0.0]);
}

#[test]
fn a_budget_is_spent_above_the_original_and_given_back_at_it() {
    let (mut world, _) = World::new(vec![scale(2.0, 1.0, Some(5.0))]);
    assert_eq!(memory(&mut world, 0.0, 95.0), [1.5]);
    assert_eq!(memory(&mut world, 1.0, 95.0), [1.5]);
    assert_eq!(world.due(), Some(5.0));
    assert_eq!(memory(&mut world, 5.0, 95.0), [0.0], "used up");
    for n in 6..10 {
        assert!(
            memory(&mut world, f64::from(n), 95.0).is_empty(),
            "given back second for second"
        );
    }
    assert_eq!(world.due(), Some(10.0));
    assert_eq!(world.tick(10.0), ["+cpu.max"]);
}

fn throttle(target: ThrottleTarget, floor: f64) -> Policy {
    let throttle = Throttle {
        target,
        to_percent: 50.0,
        every: seconds(1.0),
        floor,
        at_most: Some(seconds(10.0)),
    };
    let steps = vec![step(0.0, Action::Throttle(throttle))];
    let own = TrafficRules {
        ingress_bits_per_second: Some(7),
        ..TrafficRules::default()
    };
    policy(
        "p",
        vec![Limit::Traffic(own)],
        vec![rule(usage(90.0, None), [0.0; 3], steps)],
    )
}

fn observation(values: &[(Series, f64)]) -> Observation {
    Observation {
        values: values
            .iter()
            .map(|(series, value)| (*series, Some(*value)))
            .collect(),
    }
}

#[test]
fn cpu_is_capped_below_what_was_used() {
    let (mut world, _) = World::new(vec![throttle(ThrottleTarget::Cpu, 0.3)]);
    let mut see = |at: f64, cpu_seconds: f64, mib: f64| {
        let values = [
            (Series::CpuTime, cpu_seconds * 1e9),
            (Series::MemoryUsage, mib * MIB),
        ];
        world.observe(at, &observation(&values))
    };
    see(0.0, 10.0, 10.0);
    let orders = see(1.0, 12.0, 95.0);
    let quota = |orders: &[Order]| match &orders[0].step {
        Step::Hold(claim) => match &claim.limit {
            Limit::Cgroup(wanted) => match wanted.amount {
                Amount::Exactly(Setting::CpuMax(Quota { quota_us, .. })) => {
                    (quota_us, claim.at_most)
                }
                _ => panic!("{wanted:?}"),
            },
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    assert_eq!(
        quota(&orders),
        (Some(100_000), Some(seconds(10.0))),
        "half of two cores"
    );
    let orders = see(2.0, 13.0, 95.0);
    assert_eq!(quota(&orders), (Some(50_000), Some(seconds(9.0))));
    let orders = see(3.0, 13.5, 95.0);
    assert_eq!(quota(&orders).0, Some(30_000), "the floor");
    assert!(see(4.0, 13.8, 95.0).is_empty());
    assert_eq!(shorts(&see(5.0, 14.1, 10.0)), ["-all"]);
}

#[test]
fn a_disk_is_capped_by_itself_and_traffic_keeps_the_rules_of_the_policy() {
    let disk = DeviceNumber { major: 8, minor: 0 };
    let (mut world, _) = World::new(vec![throttle(ThrottleTarget::Io, 1.0)]);
    let mut see = |at: f64, read: f64, mib: f64| {
        let values = [
            (Series::DiskRead(disk), read),
            (Series::DiskWritten(disk), 5.0),
            (Series::MemoryUsage, mib * MIB),
        ];
        world.observe(at, &observation(&values))
    };
    see(0.0, 0.0, 10.0);
    see(1.0, 1e6, 10.0);
    let orders = see(2.0, 3e6, 95.0);
    let Step::Hold(claim) = &orders[0].step else {
        panic!("{orders:?}");
    };
    let Limit::Cgroup(wanted) = &claim.limit else {
        panic!("{claim:?}");
    };
    let Amount::Exactly(Setting::IoMax(on, caps)) = &wanted.amount else {
        panic!("{wanted:?}");
    };
    assert_eq!((*on, caps.rbps, caps.wbps), (disk, Some(1_000_000), None));

    let (mut world, _) = World::new(vec![throttle(ThrottleTarget::NetEgress, 1.0)]);
    let mut see = |at: f64, bits: f64, mib: f64| {
        let values = [(Series::NetEgress, bits), (Series::MemoryUsage, mib * MIB)];
        world.observe(at, &observation(&values))
    };
    see(0.0, 0.0, 10.0);
    let orders = see(1.0, 100e6, 95.0);
    let Step::Hold(claim) = &orders[0].step else {
        panic!("{orders:?}");
    };
    let Limit::Traffic(rules) = &claim.limit else {
        panic!("{claim:?}");
    };
    assert_eq!(rules.egress_bits_per_second, Some(50_000_000));
    assert_eq!(rules.ingress_bits_per_second, Some(7));
}
