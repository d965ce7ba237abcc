//! What an operator sets by hand: at once, for good, and undone when asked.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use super::Cell;
use crate::support::own_cgroup::mount_of;
use crate::support::{Agent, LoopDevice, Settings, poll};

const MIB: u64 = 1 << 20;

#[test]
fn limits_are_set_shown_kept_and_cleared() {
    let test = "limits_are_set_shown_kept_and_cleared";
    let Some(mut cell) = Cell::make(test) else {
        return;
    };
    cell.spawn("sleep", &["1000"]);
    cell.set_memory_max(512 * MIB);
    let Some(mut agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let id = cell.path();
    let shown = agent.say(&["limit", &id]);
    let found = format!("memory.max {}, by whoever made it", 512 * MIB);
    assert!(shown.contains(&found), "{shown}");
    agent.say(&[
        "limit", &id, "--cpu", "0.5", "--memory", "256MiB", "--pids", "64",
    ]);
    assert_eq!(cell.cpu_quota(), Some(50_000));
    assert_eq!(cell.memory_max(), Some(256 * MIB));
    assert_eq!(cell.pids_max(), Some(64));

    // One more leaves the others.
    agent.say(&["limit", &id, "--pids", "32"]);
    assert_eq!(cell.pids_max(), Some(32));
    assert_eq!(cell.memory_max(), Some(256 * MIB));
    let shown = agent.say(&["limit", &id]);
    for word in ["cpu.max", "memory.max", "pids.max", "operator"] {
        assert!(shown.contains(word), "no {word} in\n{shown}");
    }
    assert!(!shown.contains("by whoever made it"), "{shown}");

    // It stays when the agent ends, however that is, and the next one knows it.
    agent.end();
    assert_eq!(cell.memory_max(), Some(256 * MIB));
    agent.start_again();
    agent.kill_and_start_again();
    assert_eq!(cell.pids_max(), Some(32));
    let shown = agent.say(&["why", &id]);
    assert!(shown.contains("memory.max"), "{shown}");

    agent.say(&["limit", &id, "--clear"]);
    assert_eq!(cell.cpu_quota(), None);
    assert_eq!(cell.memory_max(), Some(512 * MIB));
    assert_eq!(cell.pids_max(), None);
    let actions = agent.say(&["actions", &id]);
    assert!(actions.contains("operator"), "{actions}");
}

#[test]
fn one_action_is_undone_by_its_number() {
    let test = "one_action_is_undone_by_its_number";
    let Some(mut cell) = Cell::make(test) else {
        return;
    };
    cell.spawn("sleep", &["1000"]);
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let id = cell.path();
    let told = agent.say(&["limit", &id, "--pids", "64", "--format", "json"]);
    let record: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(record["outcome"], "done", "{record}");
    agent.say(&["limit", &id, "--cpu", "1"]);
    agent.say(&["undo", &record["id"].to_string()]);
    assert_eq!(cell.pids_max(), None);
    assert_eq!(cell.cpu_quota(), Some(100_000));
    let complaint = agent.refuse(&["undo", "999999"], 1);
    assert!(complaint.contains("999999"), "{complaint}");
}

#[test]
fn freeze_thaw_and_kill() {
    let test = "freeze_thaw_and_kill";
    let Some(mut cell) = Cell::make(test) else {
        return;
    };
    let busy = cell.spawn("sh", &["-c", "while :; do :; done"]).id();
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let id = cell.path();
    agent.say(&["freeze", &id]);
    // On a busy host the kernel may still be stopping it.
    poll("freeze", || cell.is_frozen().then_some(()));
    let before = run_ticks(busy);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(run_ticks(busy), before, "a frozen process ran");
    agent.say(&["thaw", &id]);
    assert!(!cell.is_frozen());
    agent.say(&["freeze", &id, "--for", "300ms"]);
    poll("thaw", || (!cell.is_frozen()).then_some(()));

    agent.say(&["kill", &id]);
    poll("death", || cell.processes().is_empty().then_some(()));
}

#[test]
fn what_must_not_be_touched_is_refused() {
    let test = "what_must_not_be_touched_is_refused";
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    // The root holds everybody.
    let complaint = agent.refuse(&["freeze", "/"], 1);
    assert!(complaint.contains("refused"), "{complaint}");
    let complaint = agent.refuse(&["kill", "/"], 1);
    assert!(complaint.contains("nothing was changed"), "{complaint}");
    let complaint = agent.refuse(&["limit", "no-such-thing", "--cpu", "1"], 1);
    assert!(complaint.contains("no-such-thing"), "{complaint}");
}

#[test]
fn a_memory_limit_below_what_is_used_kills_nobody() {
    let test = "a_memory_limit_below_what_is_used_kills_nobody";
    let Some(mut cell) = Cell::make(test) else {
        return;
    };
    // 64 MiB that cannot be reclaimed; the limit asked for is below it.
    cell.spawn("perl", &["-e", "my $x = 'x' x (64 << 20); sleep 1000"]);
    poll("memory", || (cell.memory_usage() > 64 * MIB).then_some(()));
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let told = agent.say(&["limit", &cell.path(), "--memory", "8MiB"]);
    assert!(
        told.contains("deferred") && told.contains("in use"),
        "{told}"
    );
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(cell.processes().len(), 1, "it was killed");
    agent.say(&["limit", &cell.path(), "--clear"]);
    assert_eq!(cell.memory_max(), None);
}

/// On v2, where buffered writes are capped too; on v1 they are not, which is said.
#[test]
fn a_disk_cap_that_would_kill_or_promise_too_much_is_told() {
    let test = "a_disk_cap_that_would_kill_or_promise_too_much_is_told";
    let Some(disk) = LoopDevice::make(test, 64 * MIB) else {
        return;
    };
    let Some(mut cell) = Cell::make(test) else {
        return;
    };
    cell.spawn("sleep", &["1000"]);
    // Somebody else's, such as the engine's.
    cell.set_memory_max(16 * MIB);
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let id = cell.path();
    let cap = format!("{}:wbps=1MiB", disk.path());
    if mount_of("blkio").is_some() {
        let told = agent.say(&["limit", &id, "--io", &cap]);
        assert!(told.contains("does not see buffered writes"), "{told}");
        let kept = agent.say(&["limit", &id]);
        assert!(kept.contains("does not see buffered writes"), "{kept}");
        assert_eq!(cell.write_caps(), [disk.cap_of(MIB)]);
    } else {
        let told = agent.refuse(&["limit", &id, "--io", &cap], 1);
        assert!(told.contains("the kernel kills"), "{told}");
        assert_eq!(cell.write_caps(), [""; 0]);
    }
}

/// `utime` of `/proc/PID/stat`.
fn run_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    after_name.split(' ').nth(11).unwrap().parse().unwrap()
}
