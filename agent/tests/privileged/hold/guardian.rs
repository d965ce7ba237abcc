//! An agent that is killed leaves nothing held by policies: its guardian gives it back.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use super::Cell;
use crate::support::{Agent, Settings, poll};

const FREEZING: &str = r#"
[[policy.rule]]
name = "stop"
any = [{ metric = "pids.current", above = "1" }]
then = [{ freeze = { max = "60s" } }]
"#;

#[test]
fn a_killed_agent_leaves_nothing_held() {
    let test = "a_killed_agent_leaves_nothing_held";
    let Some(mut cell) = Cell::make(test) else {
        return;
    };
    cell.spawn("sh", &["-c", "sleep 1000 & sleep 1000 & wait"]);
    let policy = format!(
        "version = 1\n[[policy]]\nname = \"small\"\nmatch = {{ cgroup = \"{}\" }}\n\
         [policy.limits]\n\"memory.max\" = \"256MiB\"\n{FREEZING}",
        cell.path()
    );
    let Some(mut agent) = Agent::start_with_policy(test, &Settings::default(), &policy) else {
        return;
    };
    for _ in 0..3 {
        poll("limit and freeze", || {
            (cell.memory_max().is_some() && cell.is_frozen()).then_some(())
        });
        let killed = Instant::now();
        agent.kill();
        while cell.memory_max().is_some() || cell.is_frozen() {
            assert!(killed.elapsed() < Duration::from_secs(1), "not given back");
            std::thread::sleep(Duration::from_millis(1));
        }
        eprintln!(
            "given back {} ms after the kill",
            killed.elapsed().as_millis()
        );
        agent.start_again();
    }
}
