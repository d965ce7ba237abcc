//! CPU time of the whole agent against the kernel's counters.
#![allow(clippy::unwrap_used)]

mod conservation;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Agent, OwnCgroup, Settings, V2, cpu_hierarchies, installed, poll};

const USAGE: &str = "container_cpu_usage_seconds_total";
/// CPU time that the load gets at least.
const INTERVAL_NS: u64 = 800_000_000;

/// The agent's value, and what the kernel said before it was read and after it was shown.
fn look(agent: &Agent, own: &OwnCgroup) -> (u64, u64, u64) {
    let before = own.cpu_ns();
    let metrics = agent.fresh_scrape();
    let after = own.cpu_ns();
    // As with cAdvisor there is no series before there is CPU time.
    let seconds = metrics.of(&own.path(), USAGE).unwrap_or(0.0);
    let ours = (seconds * 1e9).round() as u64;
    assert!(
        (before..=after).contains(&ours),
        "{ours} ns is not in {before}..={after}"
    );
    (before, ours, after)
}

/// Runs a load in the cgroup and compares: between the kernel's values at every look while it runs,
/// and within 1 % over the interval.
fn compare(test: &str, hierarchies: &[&'static str], load: &[&str]) {
    if !installed(test, load[0]) {
        return;
    }
    let Some(mut own) = OwnCgroup::make(test, hierarchies) else {
        return;
    };
    // Idle workloads are read once in a minute: one that runs must not be taken for idle.
    let settings = Settings {
        idle_refresh: "60s",
        ..Settings::default()
    };
    let Some(agent) = Agent::start(test, &settings) else {
        return;
    };
    // The interval begins before the first instruction, where both sides are at nought.
    assert_eq!(look(&agent, &own), (0, 0, 0));
    own.spawn(load[0], &load[1..]);
    poll("CPU time", || (own.cpu_ns() > INTERVAL_NS).then_some(()));
    look(&agent, &own);
    look(&agent, &own);
    // It ends at a standstill, where neither side moves.
    stop(&own, hierarchies[0]);
    let (ours, kernel) = poll("standstill", || {
        let (before, ours, after) = look(&agent, &own);
        (before == after).then_some((ours, after))
    });
    let deviation = ours.abs_diff(kernel) as f64 / kernel as f64;
    eprintln!("{test}: {ours} ns, deviation {:.4} %", deviation * 100.0);
    assert!(deviation < 0.01, "{ours} against {kernel} ns");
}

fn stop(own: &OwnCgroup, hierarchy: &str) {
    for process in own.read(hierarchy, "cgroup.procs").lines() {
        // May have ended by itself.
        let _ = kill(Pid::from_raw(process.parse().unwrap()), Signal::SIGSTOP);
    }
}

const BUSY: &[&str] = &["sh", "-c", "while :; do :; done"];
const STRESS: &[&str] = &["stress-ng", "--cpu", "2", "--timeout", "60", "--quiet"];

#[test]
fn a_busy_loop_in_v2_has_the_kernels_cpu_time() {
    compare("a_busy_loop_in_v2_has_the_kernels_cpu_time", &[V2], BUSY);
}

#[test]
fn a_busy_loop_in_v1_has_the_kernels_cpu_time() {
    compare(
        "a_busy_loop_in_v1_has_the_kernels_cpu_time",
        &["cpuacct"],
        BUSY,
    );
}

#[test]
fn stress_ng_has_the_kernels_cpu_time() {
    compare(
        "stress_ng_has_the_kernels_cpu_time",
        &cpu_hierarchies(),
        STRESS,
    );
}

/// A task that keeps its CPU is not idle, though nothing is switched to.
#[test]
fn a_task_without_a_switch_is_read() {
    let test = "a_task_without_a_switch_is_read";
    if !installed(test, "chrt") {
        return;
    }
    let Some(mut own) = OwnCgroup::make(test, &cpu_hierarchies()) else {
        return;
    };
    let settings = Settings {
        idle_refresh: "60s",
        ..Settings::default()
    };
    let Some(agent) = Agent::start(test, &settings) else {
        return;
    };
    // Real-time tasks are interrupted once a second; the tick is a tenth of that.
    let how = [
        "-f", "1", "timeout", "-s", "KILL", "2", BUSY[0], BUSY[1], BUSY[2],
    ];
    own.spawn("chrt", &how);
    poll("CPU time", || (own.cpu_ns() > 50_000_000).then_some(()));
    for _ in 0..6 {
        look(&agent, &own);
    }
}
