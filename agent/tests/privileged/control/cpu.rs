//! CPU quota, burst and weight.

use std::time::{Duration, Instant};

use plimsoll::cgroup::{ControlError, Knob, Quota, Setting};

use super::{World, with_tolerance};
use crate::support::{poll, skip};

const PERIOD_US: u64 = 100_000;
/// Of the quota.
const TOLERANCE: f64 = 0.01;

fn quota(quota_us: u64) -> Setting {
    Setting::CpuMax(Quota {
        quota_us: Some(quota_us),
        period_us: PERIOD_US,
    })
}

impl World {
    fn cpu_ns(&self) -> u64 {
        if Self::is_v1("cpuacct") {
            self.number("cpuacct", "cpuacct.usage", "")
        } else {
            self.field("cpuacct", "cpu.stat", "usage_usec") * 1000
        }
    }

    /// While the quota of a period is used up.
    fn when_throttled(&self) -> Moment {
        poll("throttling", || {
            let before = self.moment();
            // Longer than the ticks at which running loops are accounted.
            std::thread::sleep(Duration::from_millis(12));
            let after = self.moment();
            let same = (before.cpu_ns, before.periods) == (after.cpu_ns, after.periods);
            same.then_some(after)
        })
    }

    fn moment(&self) -> Moment {
        let count = |key| self.field("cpu", "cpu.stat", key);
        Moment {
            cpu_ns: self.cpu_ns(),
            periods: count("nr_periods"),
            throttled: count("nr_throttled"),
            at: Instant::now(),
        }
    }
}

struct Moment {
    cpu_ns: u64,
    /// Periods begun.
    periods: u64,
    /// Periods that ended throttled.
    throttled: u64,
    at: Instant,
}

/// Loops under a quota for two seconds use it up and no more.
fn assert_held(test: &str, loops: usize, quota_us: u64) {
    if std::thread::available_parallelism().unwrap().get() < loops {
        return skip(test, &format!("fewer than {loops} CPUs"));
    }
    let Some(mut world) = World::make(test, &["cpu", "cpuacct"]) else {
        return;
    };
    let control = world.control();
    // What else runs on the host must not take what the quota grants.
    control.write(&Setting::CpuWeight(10_000)).unwrap();
    assert_eq!(control.write(&quota(quota_us)).unwrap(), quota(quota_us));
    for _ in 0..loops {
        world.own.spawn("sh", &["-c", "while :; do :; done"]);
    }
    poll("the first periods", || {
        (world.field("cpu", "cpu.stat", "nr_throttled") >= 2).then_some(())
    });
    let ((before, after), tolerance) = with_tolerance(TOLERANCE, || {
        let before = world.when_throttled();
        std::thread::sleep(Duration::from_secs(2));
        (before, world.when_throttled())
    });
    let seconds = (after.at - before.at).as_secs_f64();
    let periods = after.periods - before.periods;
    let by_clock = seconds * 1e6 / PERIOD_US as f64;
    // Where a period begins is not seen.
    let off = (periods as f64 - by_clock).abs();
    assert!(
        off <= 1.0 + tolerance * by_clock,
        "{periods} periods in {seconds} s"
    );
    let granted = (periods * quota_us * 1000) as f64;
    let share = (after.cpu_ns - before.cpu_ns) as f64 / granted;
    eprintln!("{share} of the quota, within {tolerance}");
    assert!(share <= 1.0 + tolerance, "{share}");
    // On a busy host, others may have left less than the quota.
    let used_up = periods == after.throttled - before.throttled;
    assert!(share >= 1.0 - tolerance || !used_up, "{share}");
}

#[test]
fn half_a_core_is_half_a_core() {
    assert_held("half_a_core_is_half_a_core", 1, PERIOD_US / 2);
}

#[test]
fn one_and_a_half_cores_are_one_and_a_half() {
    assert_held(
        "one_and_a_half_cores_are_one_and_a_half",
        2,
        PERIOD_US * 3 / 2,
    );
}

#[test]
fn quota_period_and_burst_change_in_any_order() {
    let Some(world) = World::make("quota_period_and_burst_change_in_any_order", &["cpu"]) else {
        return;
    };
    let nested = world.nested(&["cpu"]);
    let (control, below) = (world.control(), world.control_of(&nested));
    let set = |quota_us, period_us| {
        Setting::CpuMax(Quota {
            quota_us,
            period_us,
        })
    };
    // v1 lets no cgroup have more than the one above it, also between two writes.
    control.write(&set(Some(20_000), 100_000)).unwrap();
    for (quota_us, period_us) in [(10_000, 50_000), (200_000, 1_000_000), (2_000, 10_000)] {
        let wanted = set(Some(quota_us), period_us);
        assert_eq!(below.write(&wanted).unwrap(), wanted);
    }
    if below.enforceable(Knob::CpuMaxBurst).is_ok() {
        let over = below.write(&Setting::CpuMaxBurst(2_001)).unwrap_err();
        assert!(
            over.to_string().ends_with("the quota is only 2000 us"),
            "{over}"
        );
        below.write(&Setting::CpuMaxBurst(2_000)).unwrap();
        let before = below.before(&set(Some(1_000), 100_000)).unwrap();
        below.write(&set(Some(1_000), 100_000)).unwrap();
        assert_eq!(
            below.read(Knob::CpuMaxBurst).unwrap(),
            Setting::CpuMaxBurst(1_000)
        );
        for setting in &before {
            below.write(setting).unwrap();
        }
        assert_eq!(
            below.read(Knob::CpuMaxBurst).unwrap(),
            Setting::CpuMaxBurst(2_000)
        );
    }
    assert_eq!(below.write(&set(None, 10_000)).unwrap(), set(None, 10_000));
}

#[test]
fn v1_names_the_cgroup_that_is_in_the_way() {
    let test = "v1_names_the_cgroup_that_is_in_the_way";
    let Some(world) = World::make(test, &["cpu"]) else {
        return;
    };
    if !World::is_v1("cpu") {
        return skip(test, "the cpu controller is on v2, which takes any quota");
    }
    let nested = world.nested(&["cpu"]);
    let (control, below) = (world.control(), world.control_of(&nested));
    control.write(&quota(40_000)).unwrap();
    let error = below.write(&quota(60_000)).unwrap_err();
    let told = "a cgroup above has less: cpu.cfs_quota_us is 40000 of 100000 us in ";
    let parent = world.directory("cpu").display().to_string();
    assert!(
        error.to_string().ends_with(&format!("{told}{parent}")),
        "{error}"
    );
    // As it was, not unlimited as between the writes.
    let unlimited = Setting::CpuMax(Quota {
        quota_us: None,
        period_us: 100_000,
    });
    assert_eq!(below.read(Knob::CpuMax).unwrap(), unlimited);
    below.write(&quota(30_000)).unwrap();
    let error = control.write(&quota(20_000)).unwrap_err();
    assert!(matches!(error, ControlError::Write { .. }));
    let told = "a cgroup below has more: cpu.cfs_quota_us is 30000 of 100000 us in ";
    assert!(error.to_string().contains(told), "{error}");
    assert_eq!(control.read(Knob::CpuMax).unwrap(), quota(40_000));
}
