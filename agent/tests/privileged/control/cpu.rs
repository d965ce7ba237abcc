//! CPU quota, burst and weight.

use std::time::{Duration, Instant};

use plimsoll::cgroup::{ControlError, Knob, Quota, Setting};

use super::World;
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

    /// While the quota of a period is used up: CPU time used, periods begun, periods throttled
    /// before this one.
    fn when_throttled(&self) -> [u64; 3] {
        let now = || {
            let count = |key| self.field("cpu", "cpu.stat", key);
            [self.cpu_ns(), count("nr_periods"), count("nr_throttled")]
        };
        poll("throttling", || {
            let before = now();
            std::thread::sleep(Duration::from_millis(4));
            (now() == before).then_some(before)
        })
    }
}

/// Runs loops under a quota for a second; their CPU time to the quota's.
fn used(test: &str, loops: usize, quota_us: u64) -> Option<f64> {
    if std::thread::available_parallelism().unwrap().get() < loops {
        skip(test, &format!("fewer than {loops} CPUs"));
        return None;
    }
    let mut world = World::make(test, &["cpu", "cpuacct"])?;
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
    // A time in which the quota was used up in each period: on a busy host that may take a while.
    Some(poll("a second of throttling", || {
        let [cpu_before, periods_before, throttled_before] = world.when_throttled();
        let start = Instant::now();
        std::thread::sleep(Duration::from_secs(1));
        let [cpu_after, periods_after, throttled_after] = world.when_throttled();
        let periods = periods_after - periods_before;
        let by_clock = start.elapsed().as_micros() as f64 / PERIOD_US as f64;
        assert!(
            (periods as f64 - by_clock).abs() <= 2.0,
            "{periods} {by_clock}"
        );
        let granted = periods * quota_us * 1000;
        (periods == throttled_after - throttled_before)
            .then(|| (cpu_after - cpu_before) as f64 / granted as f64)
    }))
}

#[test]
fn half_a_core_is_half_a_core() {
    if let Some(share) = used("half_a_core_is_half_a_core", 1, PERIOD_US / 2) {
        assert!((share - 1.0).abs() <= TOLERANCE, "{share}");
    }
}

#[test]
fn one_and_a_half_cores_are_one_and_a_half() {
    let test = "one_and_a_half_cores_are_one_and_a_half";
    if let Some(share) = used(test, 2, PERIOD_US * 3 / 2) {
        assert!((share - 1.0).abs() <= TOLERANCE, "{share}");
    }
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
