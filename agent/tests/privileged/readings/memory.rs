//! Memory and tasks.

use super::Ours;
use crate::support::{OwnCgroup, installed, poll};

const PAGE: u64 = 4096;

#[test]
fn memory_is_the_controllers_within_a_page() {
    let test = "memory_is_the_controllers_within_a_page";
    if !installed(test, "stress-ng") {
        return;
    }
    let Some(mut own) = OwnCgroup::make(test, &["memory"]) else {
        return;
    };
    own.write("memory", "memory.limit_in_bytes", "134217728");
    own.spawn(
        "stress-ng",
        &[
            "--quiet",
            "--vm",
            "1",
            "--vm-bytes",
            "32M",
            "--vm-hang",
            "0",
        ],
    );
    let mut ours = Ours::of(&own, &["memory"]);
    poll("32 MiB in use", || {
        (own.field("memory", "memory.stat", "total_rss") >= 32 << 20).then_some(())
    });
    let keys = [
        "total_rss",
        "total_cache",
        "total_inactive_file",
        "total_mapped_file",
    ];
    let oracle = || {
        let usage = own.number("memory", "memory.usage_in_bytes");
        let peak = own.number("memory", "memory.max_usage_in_bytes");
        (
            (usage, peak),
            keys.map(|key| own.field("memory", "memory.stat", key)),
        )
    };
    // The program still settles: compare a moment in which the oracle did not move.
    let (((usage, peak), [rss, cache, inactive, mapped]), reading) = poll("quiet moment", || {
        let before = oracle();
        let reading = ours.read();
        (oracle() == before).then_some((before, reading))
    });
    let memory = reading.memory.unwrap();
    for (what, ours, kernel) in [
        ("usage", memory.usage_bytes, usage),
        ("rss", memory.rss_bytes, rss),
        ("cache", memory.cache_bytes, cache),
        ("mapped file", memory.mapped_file_bytes, mapped),
        ("working set", memory.working_set_bytes, usage - inactive),
    ] {
        assert!(
            ours.abs_diff(kernel) <= PAGE,
            "{what}: {ours} against {kernel}"
        );
    }
    assert_eq!(memory.peak_bytes, Some(peak));
    assert_eq!(
        memory.failures,
        Some(own.number("memory", "memory.failcnt"))
    );
    assert_eq!(reading.limits.memory_max_bytes, Some(128 << 20));
}

#[test]
fn limit_hits_and_oom_kills_are_counted() {
    let test = "limit_hits_and_oom_kills_are_counted";
    let Some(mut own) = OwnCgroup::make(test, &["memory"]) else {
        return;
    };
    own.write("memory", "memory.limit_in_bytes", "16777216");
    let mut ours = Ours::of(&own, &["memory"]);
    assert_eq!(ours.read().memory.unwrap().failures, Some(0));
    if own
        .directory("memory")
        .join("memory.memsw.limit_in_bytes")
        .exists()
    {
        own.write("memory", "memory.memsw.limit_in_bytes", "33554432");
    }
    let one_buffer = ["if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"];
    let ended = own.spawn("dd", &one_buffer).wait().unwrap();
    assert!(!ended.success(), "the OOM killer should have taken it");
    let memory = ours.read().memory.unwrap();
    assert_eq!(
        memory.failures,
        Some(own.number("memory", "memory.failcnt"))
    );
    assert!(memory.failures > Some(0));
    let kills = own.field("memory", "memory.oom_control", "oom_kill");
    assert_eq!((memory.events_oom_kill, kills), (Some(1), 1));
}

#[test]
fn tasks_are_counted() {
    let Some(mut own) = OwnCgroup::make("tasks_are_counted", &["pids"]) else {
        return;
    };
    own.write("pids", "pids.max", "64");
    let mut ours = Ours::of(&own, &["pids"]);
    for _ in 0..3 {
        own.spawn("sleep", &["60"]);
    }
    poll("three tasks", || {
        (own.number("pids", "pids.current") == 3).then_some(())
    });
    let pids = ours.read().pids.unwrap();
    assert_eq!((pids.current, pids.max), (3, Some(64)));
}
