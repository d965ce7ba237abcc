//! What a reading costs, file by file.

use std::fs::File;
use std::os::unix::fs::FileExt;

use nix::time::{ClockId, clock_gettime};

use super::Ours;
use crate::support::OwnCgroup;
use crate::support::own_cgroup::V2;

const CGROUPS: usize = 30;
const ROUNDS: usize = 50;

/// All of a hybrid host.
const HIERARCHIES: [&str; 7] = ["cpu", "cpuacct", "memory", "blkio", "pids", "freezer", V2];

const FILES: [(&str, &str); 17] = [
    ("cpu", "cpu.stat"),
    ("cpuacct", "cpuacct.usage"),
    ("cpuacct", "cpuacct.stat"),
    ("memory", "memory.stat"),
    ("memory", "memory.usage_in_bytes"),
    ("memory", "memory.max_usage_in_bytes"),
    ("memory", "memory.kmem.usage_in_bytes"),
    ("memory", "memory.oom_control"),
    ("memory", "memory.failcnt"),
    ("blkio", "blkio.throttle.io_service_bytes_recursive"),
    ("blkio", "blkio.throttle.io_serviced_recursive"),
    ("blkio", "blkio.bfq.io_service_bytes_recursive"),
    ("pids", "pids.current"),
    (V2, "cpu.stat"),
    (V2, "cpu.pressure"),
    (V2, "memory.pressure"),
    (V2, "io.pressure"),
];

/// Runs it `ROUNDS` times, one extra first; microseconds of this thread's CPU time a cgroup.
fn microseconds(mut round: impl FnMut()) -> f64 {
    let now = || {
        let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
        time.tv_sec() as f64 * 1e6 + time.tv_nsec() as f64 / 1e3
    };
    round();
    let start = now();
    for _ in 0..ROUNDS {
        round();
    }
    (now() - start) / (ROUNDS * CGROUPS) as f64
}

#[test]
fn a_reading_costs_tens_of_microseconds() {
    let test = "a_reading_costs_tens_of_microseconds";
    let Some(all) = (0..CGROUPS)
        .map(|_| OwnCgroup::make(test, &HIERARCHIES))
        .collect()
    else {
        return;
    };
    let all: Vec<OwnCgroup> = all;
    for (hierarchy, file) in FILES {
        let opened: Result<Vec<_>, _> = all
            .iter()
            .map(|own| File::open(own.directory(hierarchy).join(file)))
            .collect();
        let Ok(opened) = opened else { continue };
        let mut buffer = [0; 8192];
        let cost = microseconds(|| {
            for file in &opened {
                file.read_at(&mut buffer, 0).unwrap();
            }
        });
        eprintln!("{cost:6.2} µs  {hierarchy:8} {file}");
    }
    let mut readers: Vec<_> = all.iter().map(|own| Ours::of(own, &HIERARCHIES)).collect();
    let cost = microseconds(|| {
        for ours in &mut readers {
            ours.read();
        }
    });
    eprintln!("{cost:6.2} µs  a whole reading");
    // Debug builds parse several times slower than the agent does.
    let most = if cfg!(debug_assertions) { 160.0 } else { 40.0 };
    assert!(cost <= most, "{cost} µs a cgroup, more than {most}");
}
