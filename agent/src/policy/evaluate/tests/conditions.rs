//! What is seen, and what cannot be.

use std::time::Duration;

use super::world::*;
use crate::cgroup::{Knob, PressureReading};
use crate::ledger::HostReading;
use crate::policy::evaluate::{Observation, Series};
use crate::policy::{
    Bound, Compare, Condition, EventCondition, Metric, MetricCondition, PsiCondition,
    RateCondition, Resource, Stall, Subject, Threshold, WatchedEvent,
};

fn above(threshold: Threshold) -> Bound {
    Bound {
        compare: Compare::Above,
        threshold,
        clear: None,
    }
}

fn metric(metric: Metric, bound: Bound, window: f64) -> Condition {
    Condition::Metric(MetricCondition {
        metric,
        of: Subject::Workload,
        bound,
        window: seconds(window),
    })
}

fn psi(percent: f64, of: Subject) -> Condition {
    Condition::Psi(PsiCondition {
        resource: Resource::Memory,
        stall: Stall::Some,
        of,
        bound: above(Threshold::Value(percent)),
        window: Duration::from_secs(2),
    })
}

/// One rule that acts at once, and begins anew as soon as it has cleared.
fn world(when: Condition) -> World {
    let rules = vec![rule(when, [0.0; 3], vec![step(0.0, reclaim(1))])];
    World::new(vec![policy("p", vec![], rules)]).0
}

const FIRED: [&str; 1] = ["reclaim 1"];

#[test]
fn a_share_of_a_limit_follows_the_limit() {
    let when = metric(
        Metric::MemoryUsage,
        above(Threshold::PercentOfKnob {
            knob: Knob::MemoryMax,
            percent: 90.0,
        }),
        0.0,
    );
    let mut world = world(when);
    assert!(world.memory(0.0, 950.0).is_empty(), "no limit is known");
    assert!(world.limit(1.0, Knob::MemoryMax, None).is_empty());
    assert_eq!(world.limit(2.0, Knob::MemoryMax, Some(1000.0 * MIB)), FIRED);
    assert!(
        world
            .limit(3.0, Knob::MemoryMax, Some(2000.0 * MIB))
            .is_empty()
    );
    assert_eq!(world.memory(4.0, 1801.0), FIRED);
}

#[test]
fn what_is_missing_is_neither_above_nor_below() {
    let below = metric(
        Metric::MemoryUsage,
        Bound {
            compare: Compare::Below,
            threshold: Threshold::Value(10.0 * MIB),
            clear: None,
        },
        0.0,
    );
    let mut low = world(below);
    assert!(low.see(0.0, Series::MemoryUsage, None).is_empty());
    assert!(low.see(1.0, Series::MemoryUsage, Some(f64::NAN)).is_empty());
    assert_eq!(low.memory(2.0, 5.0), FIRED);

    let rules = vec![rule(
        usage(90.0, None),
        [2.0, 3.0, 0.0],
        vec![
            step(0.0, hold(pids_max(1), crate::policy::Revert::OnClear)),
            step(1.0, kill()),
        ],
    )];
    let (mut high, _) = World::new(vec![policy("p", vec![], rules)]);
    high.memory(0.0, 95.0);
    high.see(1.0, Series::MemoryUsage, None);
    assert!(high.memory(2.5, 95.0).is_empty(), "pending began anew");
    assert_eq!(high.memory(4.5, 95.0), ["+pids.max"]);
    for n in 0..20 {
        let at = 5.0 + f64::from(n);
        assert!(high.see(at, Series::MemoryUsage, None).is_empty());
        assert!(high.tick(at + 0.5).is_empty(), "neither climbs nor clears");
    }
    assert!(high.memory(30.0, 10.0).is_empty());
    high.see(32.0, Series::MemoryUsage, None);
    assert!(high.memory(34.0, 10.0).is_empty(), "clearing began anew");
    assert_eq!(high.memory(37.0, 10.0), ["-all"]);
}

#[test]
fn any_and_all_with_what_is_missing() {
    let pids = metric(Metric::PidsCurrent, above(Threshold::Value(100.0)), 0.0);
    let both = [usage(90.0, None), pids];
    let mut any = world(Condition::Any(both.to_vec()));
    assert_eq!(any.memory(0.0, 95.0), FIRED, "one is enough");
    assert!(any.memory(1.0, 10.0).is_empty());
    assert!(
        any.memory(2.0, 95.0).is_empty(),
        "the other is not known: it has not cleared"
    );
    let mut all = world(Condition::All(both.to_vec()));
    assert!(all.memory(0.0, 95.0).is_empty(), "one is not");
    assert_eq!(all.see(1.0, Series::Pids, Some(101.0)), FIRED);
    all.memory(2.0, 10.0);
    all.see(3.0, Series::Pids, None);
    assert!(all.memory(4.0, 95.0).is_empty());
}

#[test]
fn cores_are_time_over_the_window() {
    let when = metric(Metric::CpuUsage, above(Threshold::Value(1.5)), 1.0);
    let mut world = world(when);
    let mut cpu =
        |at: f64, used_seconds: f64| world.see(at, Series::CpuTime, Some(used_seconds * 1e9));
    assert!(cpu(0.0, 100.0).is_empty());
    assert!(cpu(0.5, 100.7).is_empty());
    assert!(cpu(1.0, 101.4).is_empty(), "1.4 cores");
    assert!(cpu(1.5, 102.1).is_empty());
    assert_eq!(cpu(2.0, 103.0), FIRED, "1.6 cores");
}

#[test]
fn pressure_is_certain_before_its_window_is_full() {
    let mut world = world(psi(20.0, Subject::Workload));
    let stalled = Series::Stalled(Resource::Memory, Stall::Some);
    assert!(world.see(0.0, stalled, Some(7e6)).is_empty());
    assert!(
        world.see(0.3, stalled, Some(7.3e6)).is_empty(),
        "15 % of the window"
    );
    let orders = world.orders(0.5, stalled, Some(7.45e6));
    assert_eq!(orders[0].evidence.observed, "memory.some pressure 22.5%");
    assert!(world.see(2.4, stalled, Some(7.45e6)).is_empty(), "it fades");
    assert!(world.see(3.0, stalled, Some(7.5e6)).is_empty());
    assert_eq!(world.see(3.5, stalled, Some(8.0e6)), FIRED);
}

#[test]
fn growth_and_means_need_their_window() {
    let leak = Condition::Rate(RateCondition {
        metric: Metric::MemoryUsage,
        bound: above(Threshold::Value(MIB)),
        window: Duration::from_secs(10),
    });
    let mut leaking = world(leak);
    for n in 0..9 {
        assert!(
            leaking
                .memory(f64::from(n), 100.0 + 2.0 * f64::from(n))
                .is_empty()
        );
    }
    assert_eq!(leaking.memory(9.0, 118.0), FIRED, "nine tenths are enough");

    let mean = metric(
        Metric::MemoryUsage,
        above(Threshold::Value(50.0 * MIB)),
        4.0,
    );
    let mut mean = world(mean);
    mean.memory(0.0, 10.0);
    assert!(
        mean.memory(3.0, 500.0).is_empty(),
        "the peak has no time yet"
    );
    assert!(
        mean.memory(4.0, 10.0) == FIRED,
        "a quarter of the window at 500"
    );
}

#[test]
fn events_are_counted_for_as_long_as_the_window_is() {
    let kills = Condition::Event(EventCondition {
        event: WatchedEvent::OomKill,
        count: 3,
        window: Duration::from_secs(60),
    });
    let mut world = world(kills);
    let mut event = |at: f64, event, count| {
        world.now = seconds(at);
        let now = world.moment();
        shorts(&world.evaluator.event(now, ID, event, count))
    };
    assert!(event(0.0, WatchedEvent::OomKill, 1).is_empty());
    assert!(event(10.0, WatchedEvent::Exec, 9).is_empty());
    assert!(event(59.0, WatchedEvent::OomKill, 1).is_empty());
    assert!(
        event(61.0, WatchedEvent::OomKill, 1).is_empty(),
        "the first is too old"
    );
    assert_eq!(event(62.0, WatchedEvent::OomKill, 1), FIRED);
    assert_eq!(world.due(), Some(67.0), "whether it was put off");
    assert!(world.tick(118.0).is_empty());
    assert_eq!(world.due(), Some(119.0));
    assert!(world.tick(119.0).is_empty());
    let state = world.evaluator.explain(ID).unwrap().policies[0].rules[0].state;
    assert_eq!(state, crate::policy::evaluate::State::Idle);
}

/// What cannot be past its line for a while is not read as if it could.
#[test]
fn cpu_time_is_read_as_often_as_it_could_matter() {
    let when = |metric_is, value| metric(metric_is, above(Threshold::Value(value)), 2.0);
    let world = |when| {
        let rules = vec![rule(when, [2.0, 0.0, 0.0], vec![step(0.0, reclaim(1))])];
        World::new(vec![policy("p", vec![], rules)]).0
    };
    let every = |world: &World| {
        let wants = world.evaluator.needs(ID).wants;
        wants.iter().map(|want| want.every).min().unwrap()
    };
    let paced = Duration::from_millis(200);

    let mut usage = world(when(Metric::CpuUsage, 1.5));
    usage.see(0.0, Series::CpuTime, Some(0.0));
    assert_eq!(every(&usage), paced, "how many CPUs there are is not known");
    let mut host = Observation::default();
    host.put(Series::Cpus, Some(2.0));
    let now = usage.moment();
    usage.evaluator.observe_host(now, &host);
    // Three seconds of it in two are too much: from nothing, two CPUs take 1.5 s.
    usage.see(2.0, Series::CpuTime, Some(0.0));
    assert_eq!(every(&usage), Duration::from_secs(1));
    // 0.5 s.
    usage.see(4.0, Series::CpuTime, Some(2.0e9));
    assert_eq!(every(&usage), paced * 2);
    usage.see(6.0, Series::CpuTime, Some(4.9e9));
    assert_eq!(every(&usage), paced);

    let mut throttled = world(when(Metric::CpuThrottledRatio, 50.0));
    throttled.see(0.0, Series::Periods, Some(0.0));
    assert_eq!(every(&throttled), Duration::from_secs(1), "no quota");
    throttled.limit(1.0, Knob::CpuMax, Some(1.5));
    assert_eq!(every(&throttled), paced);
}

#[test]
fn the_hosts_figures_reach_every_workload() {
    let when = Condition::Metric(MetricCondition {
        metric: Metric::MemoryUsage,
        of: Subject::Host,
        bound: above(Threshold::PercentOfHost(80.0)),
        window: Duration::ZERO,
    });
    let rules = vec![rule(when, [0.0; 3], vec![step(0.0, reclaim(1))])];
    let mut world = World::empty(vec![policy("p", vec![], rules)]);
    for id in ["/a", "/b"] {
        world.appear(&workload(id, None));
    }
    let host = |available_bytes| HostReading {
        memory_bytes: 1000,
        memory_available_bytes: available_bytes,
        ..HostReading::default()
    };
    let now = world.moment();
    let mut see = |available| {
        let observation = Observation::of_host(&host(available));
        shorts(&world.evaluator.observe_host(now, &observation))
    };
    assert!(see(200).is_empty());
    assert_eq!(see(199), ["reclaim 1", "reclaim 1"]);
}

/// Between two readings of it, the host's pressure cannot get past its line.
#[test]
fn the_hosts_pressure_is_read_as_often_as_it_could_matter() {
    let when = Condition::Psi(PsiCondition {
        resource: Resource::Io,
        stall: Stall::Full,
        of: Subject::Host,
        bound: above(Threshold::Value(50.0)),
        window: Duration::from_secs(4),
    });
    let rules = vec![rule(when, [2.0, 2.0, 0.0], vec![step(0.0, reclaim(1))])];
    let (mut world, _) = World::new(vec![policy("p", vec![], rules)]);
    let paced = Duration::from_millis(200);
    let mut every_after = |at: f64, stalled_s: f64| {
        world.now = seconds(at);
        let mut host = Observation::default();
        host.put(
            Series::Stalled(Resource::Io, Stall::Full),
            Some(stalled_s * 1e6),
        );
        let now = world.moment();
        world.evaluator.observe_host(now, &host);
        world.evaluator.host_needs().stalls[0].every
    };
    assert_eq!(every_after(0.0, 0.0), paced, "one reading says nothing");
    assert_eq!(every_after(4.0, 0.0), Duration::from_secs(1), "2 s to go");
    assert_eq!(every_after(5.0, 1.0), Duration::from_secs(1));
    assert_eq!(every_after(6.0, 1.5), paced * 2, "half a second to go");
    assert_eq!(every_after(6.5, 1.9), Duration::from_millis(100));
    assert_eq!(every_after(7.0, 2.4), paced, "past it");
    assert_eq!(every_after(7.2, 2.4), paced, "firing soon");
}

#[test]
fn a_snapshot_is_taken_apart() {
    let mut seen = Observation::default();
    let pressure = PressureReading {
        some: crate::cgroup::Pressure {
            avg10: 1.0,
            total_us: 77,
        },
        full: None,
    };
    seen.put_pressure(Resource::Io, Some(pressure));
    assert_eq!(
        seen.values,
        [
            (Series::Stalled(Resource::Io, Stall::Some), Some(77.0)),
            (Series::Stalled(Resource::Io, Stall::Full), None),
        ]
    );
    let all = Observation::of_workload(&workload(ID, None)).values;
    assert!(all.iter().all(|(_, value)| value.is_none()), "{all:?}");
    assert!(all.contains(&(Series::InForce(Knob::MemoryMax), None)));
}
