//! The v2 controllers, where the host has given them to v2.

use super::{Ours, assert_between};
use crate::support::own_cgroup::V2;
use crate::support::{LoopDevice, OwnCgroup, poll, skip};

const PAGE: u64 = 4096;

/// A v2 cgroup with the controller enabled, or a skip.
fn make(test: &str, controller: &str) -> Option<OwnCgroup> {
    let own = OwnCgroup::make(test, &[V2])?;
    if own
        .read(V2, "cgroup.controllers")
        .split_whitespace()
        .any(|name| name == controller)
    {
        return Some(own);
    }
    skip(
        test,
        &format!("no {controller} controller for children of the v2 root"),
    );
    None
}

#[test]
fn v2_throttling_is_cpu_stats() {
    let Some(mut own) = make("v2_throttling_is_cpu_stats", "cpu") else {
        return;
    };
    own.write(V2, "cpu.max", "4000 20000");
    own.write(V2, "cpu.weight", "39");
    own.spawn("sh", &["-c", "while :; do :; done"]);
    let mut ours = Ours::of(&own, &[V2]);
    let oracle = |key| own.field(V2, "cpu.stat", key);
    poll("throttled periods", || {
        (oracle("nr_throttled") >= 5).then_some(())
    });
    let keys = ["nr_periods", "nr_throttled", "throttled_usec", "usage_usec"];
    let before = keys.map(oracle);
    let reading = ours.read();
    let after = keys.map(oracle);
    let cpu = reading.cpu.unwrap();
    let throttling = cpu.throttling.unwrap();
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
        throttling.throttled_ns / 1000,
        after[2],
    );
    assert_between("cpu time", before[3], cpu.usage_ns / 1000, after[3]);
    assert_eq!(reading.limits.cpu_quota_us, Some(4_000));
    assert_eq!(reading.limits.cpu_shares, Some(998));
}

#[test]
fn v2_memory_is_the_controllers_within_a_page() {
    let Some(mut own) = make("v2_memory_is_the_controllers_within_a_page", "memory") else {
        return;
    };
    own.write(V2, "memory.max", "134217728");
    let hold = "x=$(head -c 8388608 /dev/zero | tr '\\0' x); sleep 60";
    own.spawn("sh", &["-c", hold]);
    let mut ours = Ours::of(&own, &[V2]);
    poll("8 MiB in use", || {
        (own.field(V2, "memory.stat", "anon") >= 8 << 20).then_some(())
    });
    let keys = ["anon", "file", "inactive_file", "file_mapped"];
    let oracle = || {
        let usage = own.number(V2, "memory.current");
        let peak = own.directory(V2).join("memory.peak").exists();
        let peak = peak.then(|| own.number(V2, "memory.peak"));
        (
            (usage, peak),
            keys.map(|key| own.field(V2, "memory.stat", key)),
        )
    };
    let (((usage, peak), [anon, file, inactive, mapped]), reading) = poll("quiet moment", || {
        let before = oracle();
        let reading = ours.read();
        (oracle() == before).then_some((before, reading))
    });
    let memory = reading.memory.unwrap();
    for (what, ours, kernel) in [
        ("usage", memory.usage_bytes, usage),
        ("rss", memory.rss_bytes, anon),
        ("cache", memory.cache_bytes, file),
        ("mapped file", memory.mapped_file_bytes, mapped),
        (
            "working set",
            memory.working_set_bytes,
            usage.saturating_sub(inactive),
        ),
    ] {
        assert!(
            ours.abs_diff(kernel) <= PAGE,
            "{what}: {ours} against {kernel}"
        );
    }
    assert_eq!(memory.peak_bytes, peak);
    assert_eq!(memory.failures, Some(own.field(V2, "memory.events", "max")));
    assert_eq!(reading.limits.memory_max_bytes, Some(128 << 20));
}

#[test]
fn v2_io_is_exact() {
    let test = "v2_io_is_exact";
    let Some(mut own) = make(test, "io") else {
        return;
    };
    let Some(device) = LoopDevice::make(test, 16 << 20) else {
        return;
    };
    let output = format!("of={}", device.path());
    own.run(
        "dd",
        &[
            "if=/dev/zero",
            &output,
            "bs=64k",
            "count=64",
            "oflag=direct",
            "conv=notrunc",
        ],
    );
    let io = Ours::of(&own, &[V2]).read().io.unwrap();
    let number = device.number();
    let of_device = |io: &&plimsoll::cgroup::DeviceIo| {
        (u64::from(io.device.major), u64::from(io.device.minor)) == number
    };
    let found = io.iter().find(of_device).unwrap();
    let text = own.read(V2, "io.stat");
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("{}:{} ", number.0, number.1)));
    let oracle = |key: &str| -> u64 {
        let mut words = line.unwrap().split(' ');
        words
            .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
            .unwrap()
            .parse()
            .unwrap()
    };
    for (what, ours) in [
        ("rbytes", found.read_bytes),
        ("wbytes", found.write_bytes),
        ("rios", found.reads),
        ("wios", found.writes),
        ("dbytes", found.discard_bytes),
        ("dios", found.discards),
    ] {
        assert_eq!(ours, oracle(what), "{what}");
    }
    assert_eq!((found.write_bytes, found.writes), (64 << 16, 64));
}

#[test]
fn v2_tasks_are_counted() {
    let Some(mut own) = make("v2_tasks_are_counted", "pids") else {
        return;
    };
    own.write(V2, "pids.max", "64");
    let mut ours = Ours::of(&own, &[V2]);
    for _ in 0..3 {
        own.spawn("sleep", &["60"]);
    }
    poll("three tasks", || {
        (own.number(V2, "pids.current") == 3).then_some(())
    });
    let pids = ours.read().pids.unwrap();
    assert_eq!((pids.current, pids.max), (3, Some(64)));
}
