//! How long it takes from misbehaving to the effect in the kernel.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Cell;
use crate::support::{Agent, Settings, installed, poll};

const RUNS: usize = 100;
/// The goal is 50 ms for 99 of 100. Other tests run beside this one, and for moments leave it no CPU:
/// here the median must keep the goal by far, and the bench has a quiet host to show the rest.
const MEDIAN: Duration = Duration::from_millis(50);

/// Takes half as much again as the rule allows.
const HOG: [&str; 2] = ["-e", "my $x = 'x' x (96 << 20); sleep 1000"];
const ALLOWED: u64 = 64 << 20;

#[test]
fn memory_is_acted_on_within_50_ms() {
    let test = "memory_is_acted_on_within_50_ms";
    if !installed(test, "perl") {
        return;
    }
    let Some(mut cell) = Cell::make(test) else {
        return;
    };
    let policy = format!(
        r#"version = 1
[protect]
max_actions_per_minute = 10000
[[policy]]
name = "leak"
match = {{ cgroup = "{}" }}
[[policy.rule]]
name = "stop"
any = [{{ metric = "memory.usage", above = "64MiB" }}]
clear = {{ for = "1ms" }}
cooldown = "1ms"
then = [{{ freeze = {{ max = "60s" }} }}]
"#,
        cell.path()
    );
    let Some(agent) = Agent::start_with_policy(test, &Settings::default(), &policy) else {
        return;
    };
    let mut taken = Vec::new();
    for _ in 0..RUNS {
        let began = Instant::now();
        let child = cell.spawn("perl", &HOG);
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        // Misbehaving begins when it is past the threshold.
        let over = loop {
            if cell.memory_usage() > ALLOWED {
                break Instant::now();
            }
            assert!(began.elapsed() < Duration::from_secs(10), "no memory taken");
            std::thread::yield_now();
        };
        while !cell.is_frozen() {
            assert!(
                over.elapsed() < Duration::from_secs(5),
                "not frozen\n{}",
                agent.log()
            );
            std::thread::yield_now();
        }
        taken.push(over.elapsed());
        // First, for what dies while it is being frozen takes the rule's reason along, and the freeze.
        agent.say(&["thaw", &cell.path()]);
        kill(pid, Signal::SIGKILL).unwrap();
        poll("clear", || {
            (cell.memory_usage() < ALLOWED / 2).then_some(())
        });
    }
    taken.sort_unstable();
    let (median, p99) = (taken[RUNS / 2], taken[RUNS * 98 / 100]);
    eprintln!(
        "{test}: median {median:?}, p99 {p99:?}, most {:?}",
        taken[RUNS - 1]
    );
    assert!(median <= MEDIAN, "median {median:?}");
}
