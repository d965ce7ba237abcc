//! CPU time, throttling, pressure.

use super::{Ours, assert_between};
use crate::support::own_cgroup::V2;
use crate::support::{OwnCgroup, poll};

const BUSY: [&str; 2] = ["-c", "while :; do :; done"];
const TICK_NS: u64 = 10_000_000;

/// CPU time to spend before and during the interval that is compared.
const INTERVAL_NS: u64 = 300_000_000;

/// Compares our CPU time with the oracle's at the start and the end of an interval, and the
/// interval itself within 1 %.
fn compare_cpu_time(ours: &mut Ours, oracle: impl Fn() -> u64, resolution_ns: u64) {
    let mut look = |at_least: u64| {
        poll("progress of the busy loop", || {
            (oracle() >= at_least).then_some(())
        });
        let before = oracle();
        let value = ours.read().cpu.unwrap().usage_ns;
        let after = oracle();
        assert_between("cpu time", before, value, after + resolution_ns);
        (before, value, after)
    };
    let start = look(INTERVAL_NS);
    let end = look(start.2 + INTERVAL_NS);
    let ours = end.1 - start.1;
    let (least, most) = (end.0 - start.2, end.2 - start.0 + resolution_ns);
    assert!(
        ours * 100 >= least * 99,
        "{ours} ns against at least {least} ns"
    );
    assert!(
        ours * 99 <= most * 100,
        "{ours} ns against at most {most} ns"
    );
}

#[test]
fn v1_cpu_time_is_cpuaccts() {
    let Some(mut own) = OwnCgroup::make("v1_cpu_time_is_cpuaccts", &["cpuacct"]) else {
        return;
    };
    own.spawn("sh", &BUSY);
    let mut ours = Ours::of(&own, &["cpuacct"]);
    compare_cpu_time(&mut ours, || own.number("cpuacct", "cpuacct.usage"), 0);

    let user = || own.field("cpuacct", "cpuacct.stat", "user") * TICK_NS;
    let before = user();
    let cpu = ours.read().cpu.unwrap();
    assert_between("user time", before, cpu.user_ns, user());
    assert!(cpu.user_ns > cpu.system_ns);
}

#[test]
fn v2_cpu_time_is_cpu_stats() {
    let Some(mut own) = OwnCgroup::make("v2_cpu_time_is_cpu_stats", &[V2]) else {
        return;
    };
    own.spawn("sh", &BUSY);
    let mut ours = Ours::of(&own, &[V2]);
    compare_cpu_time(
        &mut ours,
        || own.field(V2, "cpu.stat", "usage_usec") * 1000,
        0,
    );

    let user = || own.field(V2, "cpu.stat", "user_usec") * 1000;
    let before = user();
    assert_between(
        "user time",
        before,
        ours.read().cpu.unwrap().user_ns,
        user(),
    );
}

#[test]
fn throttling_is_the_kernels_count() {
    let hierarchies = ["cpu", "cpuacct"];
    let Some(mut own) = OwnCgroup::make("throttling_is_the_kernels_count", &hierarchies) else {
        return;
    };
    own.write("cpu", "cpu.cfs_period_us", "20000");
    own.write("cpu", "cpu.cfs_quota_us", "4000");
    own.spawn("sh", &BUSY);
    let mut ours = Ours::of(&own, &hierarchies);
    let oracle = |key| own.field("cpu", "cpu.stat", key);
    poll("throttled periods", || {
        (oracle("nr_throttled") >= 5).then_some(())
    });
    let before = ["nr_periods", "nr_throttled", "throttled_time"].map(oracle);
    let reading = ours.read();
    let after = ["nr_periods", "nr_throttled", "throttled_time"].map(oracle);
    let throttling = reading.cpu.unwrap().throttling.unwrap();
    assert_between("periods", before[0], throttling.periods, after[0]);
    assert_between(
        "throttled",
        before[1],
        throttling.throttled_periods,
        after[1],
    );
    assert_between(
        "throttled time",
        before[2],
        throttling.throttled_ns,
        after[2],
    );
    assert_eq!(reading.limits.cpu_quota_us, Some(4_000));
    assert_eq!(reading.limits.cpu_period_us, Some(20_000));
}

#[test]
fn pressure_is_the_kernels_total() {
    let hierarchies = ["cpu", V2];
    let Some(mut own) = OwnCgroup::make("pressure_is_the_kernels_total", &hierarchies) else {
        return;
    };
    if !own.directory(V2).join("cpu.pressure").exists() {
        return crate::support::skip("pressure_is_the_kernels_total", "no PSI in this kernel");
    }
    own.write("cpu", "cpu.cfs_quota_us", "5000");
    own.spawn("sh", &BUSY);
    let mut ours = Ours::of(&own, &[V2]);
    let oracle = || {
        let text = own.read(V2, "cpu.pressure");
        let some = text.lines().find(|line| line.starts_with("some ")).unwrap();
        some.split_once("total=").unwrap().1.parse::<u64>().unwrap()
    };
    poll("pressure", || (oracle() > 0).then_some(()));
    let before = oracle();
    let reading = ours.read();
    let pressure = reading.cpu_pressure.unwrap().some;
    assert_between("pressure", before, pressure.total_us, oracle());
    assert!(reading.memory_pressure.is_some() && reading.io_pressure.is_some());
}
