//! Stopping and letting go on.

use std::time::{Duration, Instant};

use plimsoll::cgroup::{Knob, Quota, Setting};

use super::World;
use crate::support::poll;

const FREEZE: Setting = Setting::Freeze(true);
const THAW: Setting = Setting::Freeze(false);

impl World {
    fn cpu_time(&self) -> Duration {
        if Self::is_v1("cpuacct") {
            Duration::from_nanos(self.number("cpuacct", "cpuacct.usage", ""))
        } else {
            Duration::from_micros(self.field("cpuacct", "cpu.stat", "usage_usec"))
        }
    }

    /// As the kernel says, not as it was asked.
    fn is_frozen(&self) -> bool {
        if Self::is_v1("freezer") {
            self.text("freezer", "freezer.state", "") == "FROZEN"
        } else {
            self.field("freezer", "cgroup.events", "frozen") == 1
        }
    }
}

#[test]
fn frozen_processes_use_no_cpu() {
    let test = "frozen_processes_use_no_cpu";
    let Some(mut world) = World::make(test, &["freezer", "cpuacct"]) else {
        return;
    };
    let control = world.control();
    for _ in 0..4 {
        world.own.spawn("sh", &["-c", "while :; do :; done"]);
    }
    poll("CPU time", || (!world.cpu_time().is_zero()).then_some(()));
    assert_eq!(control.write(&FREEZE).unwrap(), FREEZE);
    assert!(world.is_frozen());
    // The way off the CPU is some, too.
    let mut used = world.cpu_time();
    poll("an end of its CPU time", || {
        std::thread::sleep(Duration::from_millis(10));
        let before = std::mem::replace(&mut used, world.cpu_time());
        (before == used).then_some(())
    });
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(world.cpu_time(), used);
    // Again is no change.
    assert_eq!(control.write(&FREEZE).unwrap(), FREEZE);
    assert_eq!(control.write(&THAW).unwrap(), THAW);
    assert!(!world.is_frozen());
    poll("CPU time", || (world.cpu_time() > used).then_some(()));
}

#[test]
fn a_throttled_workload_is_frozen_without_waiting_for_its_period() {
    let test = "a_throttled_workload_is_frozen_without_waiting_for_its_period";
    let Some(mut world) = World::make(test, &["freezer", "cpu", "cpuacct"]) else {
        return;
    };
    let control = world.control();
    let quota = Setting::CpuMax(Quota {
        quota_us: Some(5_000),
        period_us: 1_000_000,
    });
    for _ in 0..4 {
        world.own.spawn("sh", &["-c", "while :; do :; done"]);
    }
    let freely: Vec<_> = (0..3)
        .map(|_| {
            let start = Instant::now();
            control.write(&FREEZE).unwrap();
            let took = start.elapsed();
            control.write(&THAW).unwrap();
            took
        })
        .collect();
    // Throttled on its way in, a process may hold the kernel's lock of all cgroups.
    poll("four loops", || {
        (world.cpu_time() > Duration::from_millis(50)).then_some(())
    });
    control.write(&quota).unwrap();
    let mut took = Vec::new();
    for _ in 0..3 {
        let throttled = world.field("cpu", "cpu.stat", "nr_throttled");
        poll("throttling", || {
            (world.field("cpu", "cpu.stat", "nr_throttled") > throttled).then_some(())
        });
        let before = control.before(&FREEZE).unwrap();
        assert_eq!(before, [THAW, quota.clone()]);
        let start = Instant::now();
        control.write(&FREEZE).unwrap();
        took.push(start.elapsed());
        assert!(world.is_frozen());
        assert_eq!(control.read(Knob::CpuMax).unwrap(), quota);
        for setting in &before {
            control.write(setting).unwrap();
        }
    }
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[1]
    };
    let (freely, took) = (median(freely), median(took));
    eprintln!("frozen after {took:?}, {freely:?} without a quota");
    // On a slow guest both take long; a period takes a second.
    let bound = Duration::from_millis(20).max(freely * 4);
    assert!(took < bound, "{took:?} with a quota, {freely:?} without");
}
