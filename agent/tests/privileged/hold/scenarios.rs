//! What rules are for: leaks, bombs, noisy neighbours, and who must not suffer for them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::Cell;
use crate::support::{Agent, Settings, installed, poll};

const MIB: u64 = 1 << 20;

/// A policy for one cgroup.
fn rule(path: &str, rule: &str) -> String {
    format!(
        "version = 1\n[[policy]]\nname = \"held\"\nmatch = {{ cgroup = \"{path}\" }}\n\
         [[policy.rule]]\nname = \"it\"\n{rule}\n"
    )
}

#[test]
fn a_leak_is_frozen_and_told_of() {
    let test = "a_leak_is_frozen_and_told_of";
    if !installed(test, "perl") {
        return;
    }
    let Some(mut cell) = Cell::make(test) else {
        return;
    };
    let told = tempfile::NamedTempFile::new().unwrap();
    let command = format!(
        "any = [{{ metric = \"memory.usage\", above = \"64MiB\" }}]\n\
         then = [{{ freeze = {{ max = \"60s\" }} }}, \
         {{ notify = {{ command = [\"/bin/sh\", \"-c\", \"cat > {}\"], timeout = \"5s\" }} }}]",
        told.path().display()
    );
    let policy = rule(&cell.path(), &command);
    let Some(agent) = Agent::start_with_policy(test, &Settings::default(), &policy) else {
        return;
    };
    let leak =
        "my @held; while (1) { push @held, 'x' x (1 << 20); select undef, undef, undef, 0.002 }";
    cell.spawn("perl", &["-e", leak]);
    poll("freeze", || cell.is_frozen().then_some(()));
    let usage = cell.memory_usage();
    assert!(usage < 128 * MIB, "{usage} bytes before it was stopped");
    let record = poll("notification", || {
        let text = std::fs::read_to_string(told.path()).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).ok()
    });
    assert_eq!(record["workload"]["id"], cell.path().as_str(), "{record}");
    let why = agent.say(&["why", &cell.path()]);
    assert!(why.contains("memory.usage above 64MiB"), "{why}");
    // What was read is remembered, and decided the same once more.
    let again = agent.say(&["policy", "replay", "--since", "5m"]);
    let frozen = |line: &str| line.contains("would freeze") && line.contains(&cell.path());
    assert_eq!(
        again.lines().filter(|line| frozen(line)).count(),
        1,
        "{again}"
    );
}

#[test]
fn a_fork_bomb_is_killed_and_the_neighbour_lives() {
    let test = "a_fork_bomb_is_killed_and_the_neighbour_lives";
    let (Some(mut bomb), Some(mut neighbour)) = (Cell::make(test), Cell::make(test)) else {
        return;
    };
    let policy = rule(
        &bomb.path(),
        "any = [{ metric = \"pids.current\", above = \"100\" }]\n\
         then = [{ kill = { scope = \"cgroup\", signal = \"KILL\" } }]",
    );
    // What stops it should the agent be late.
    let policy = policy.replace(
        "[[policy.rule]]",
        "[policy.limits]\n\"pids.max\" = 400\n[[policy.rule]]",
    );
    let Some(agent) = Agent::start_with_policy(test, &Settings::default(), &policy) else {
        return;
    };
    let chill = neighbour.spawn("sleep", &["1000"]).id();
    poll("limit", || (bomb.pids_max() == Some(400)).then_some(()));
    bomb.spawn("sh", &["-c", "while :; do sleep 1000 & done"]);
    poll("end of the bomb", || {
        let killed = agent
            .say(&["actions", "--outcome", "done"])
            .contains("kill");
        (killed && bomb.processes().is_empty()).then_some(())
    });
    assert_eq!(neighbour.processes(), [chill]);
}

#[test]
fn the_bloated_one_goes_and_the_chill_one_stays() {
    let test = "the_bloated_one_goes_and_the_chill_one_stays";
    if !installed(test, "perl") {
        return;
    }
    let (Some(mut bloat), Some(mut chill)) = (Cell::make(test), Cell::make(test)) else {
        return;
    };
    let policy = format!(
        r#"version = 1
[[policy]]
name = "bloat"
match = {{ cgroup = ["{bloat}", "{chill}"] }}
[[policy.rule]]
name = "too-much"
any = [{{ metric = "memory.usage", above = "64MiB" }}]
for = "200ms"
then = [{{ kill = {{ scope = "cgroup", signal = "TERM", grace = "200ms", escalate = "KILL" }} }}]
"#,
        bloat = bloat.path(),
        chill = chill.path()
    );
    let Some(agent) = Agent::start_with_policy(test, &Settings::default(), &policy) else {
        return;
    };
    let calm = chill.spawn("sleep", &["1000"]).id();
    // Nobody is killed for a small part of the host's memory, unless it is most of what it may have.
    bloat.set_memory_max(256 * MIB);
    // It will not hear of TERM.
    bloat.spawn(
        "perl",
        &[
            "-e",
            "$SIG{TERM} = 'IGNORE'; my @x = map { 'x' x (1 << 20) } 1..160; sleep 1 while 1",
        ],
    );
    poll("end of the bloated one", || {
        agent
            .say(&["actions", &bloat.path()])
            .contains("kill")
            .then_some(())?;
        bloat.processes().is_empty().then_some(())
    });
    assert_eq!(chill.processes(), [calm]);
}

#[test]
fn a_burst_is_let_through_and_taken_back() {
    let test = "a_burst_is_let_through_and_taken_back";
    let Some(mut cell) = Cell::make(test) else {
        return;
    };
    let policy = format!(
        r#"version = 1
[[policy]]
name = "burst"
match = {{ cgroup = "{}" }}
[policy.limits]
"cpu.max" = "20%"
[[policy.rule]]
name = "up"
any = [{{ metric = "cpu.throttled_ratio", above = "10%", window = "500ms" }}]
for = "300ms"
clear = {{ for = "300ms" }}
then = [{{ scale = {{ target = "cpu.max", up = 1.5, down = 0.5, every = "300ms", ceiling = "3x", budget = "60s" }} }}]
"#,
        cell.path()
    );
    let Some(agent) = Agent::start_with_policy(test, &Settings::default(), &policy) else {
        return;
    };
    poll("limit", || (cell.cpu_quota() == Some(20_000)).then_some(()));
    let busy = cell.spawn("sh", &["-c", "while :; do :; done"]).id();
    // How far up depends on how much of a CPU it gets on a busy host; never above the ceiling.
    let higher = poll("a burst", || {
        cell.cpu_quota().filter(|quota| *quota > 20_000)
    });
    assert!(higher <= 60_000, "{higher}");
    let busy = nix::unistd::Pid::from_raw(i32::try_from(busy).unwrap());
    nix::sys::signal::kill(busy, nix::sys::signal::Signal::SIGKILL).unwrap();
    poll("the way back", || {
        (cell.cpu_quota() == Some(20_000)).then_some(())
    });
    drop(agent);
    assert_eq!(cell.cpu_quota(), None);
}

#[test]
fn a_kill_that_would_gain_nothing_is_done_once_it_would() {
    let test = "a_kill_that_would_gain_nothing_is_done_once_it_would";
    if !installed(test, "perl") {
        return;
    }
    let Some(mut cell) = Cell::make(test) else {
        return;
    };
    let policy = rule(
        &cell.path(),
        "any = [{ metric = \"memory.usage\", above = \"2MiB\" }]\n\
         then = [{ kill = { scope = \"cgroup\", signal = \"KILL\" } }]",
    );
    let Some(agent) = Agent::start_with_policy(test, &Settings::default(), &policy) else {
        return;
    };
    // Little of what any host uses, and no limit to be near to.
    cell.spawn("perl", &["-e", "my $held = 'x' x (3 << 20); sleep 1000"]);
    let refused = || agent.say(&["actions", "--outcome", "refused"]);
    poll("refusal", || {
        refused().contains("would not help").then_some(())
    });
    assert_eq!(cell.processes().len(), 1);
    let usage = cell.memory_usage();
    cell.set_memory_max(usage + usage / 2);
    poll("death", || cell.processes().is_empty().then_some(()));
    assert_eq!(cell.oom_kills(), 0);
    let done = agent.say(&["actions", "--outcome", "done"]);
    assert!(done.contains("kill"), "{done}");
    // However often it was tried.
    assert_eq!(refused().matches("would not help").count(), 1);
}
