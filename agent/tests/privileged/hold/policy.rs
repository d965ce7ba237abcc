//! A policy file's limits: on whom it matches, from the first moment, until it is switched off.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use nix::sys::signal::Signal;

use super::Cell;
use crate::support::{Agent, Settings, poll};

const MIB: u64 = 1 << 20;

fn limiting(path: &str, memory: &str) -> String {
    format!(
        r#"version = 1
[[policy]]
name = "small"
match = {{ cgroup = "{path}" }}
[policy.limits]
"memory.max" = "{memory}"
"pids.max" = 64
"#
    )
}

#[test]
fn limits_hold_from_birth_and_go_with_the_policy() {
    let test = "limits_hold_from_birth_and_go_with_the_policy";
    let Some((mut old, _)) = Cell::make_called(test, "plimsoll-birth-") else {
        return;
    };
    old.spawn("sleep", &["1000"]);
    let policy = limiting("/plimsoll-birth-*", "256MiB");
    let Some(agent) = Agent::start_with_policy(test, &Settings::default(), &policy) else {
        return;
    };
    poll("limit on an old one", || {
        (old.memory_max() == Some(256 * MIB)).then_some(())
    });
    let Some((mut young, _)) = Cell::make_called(test, "plimsoll-birth-") else {
        return;
    };
    young.spawn("sleep", &["1000"]);
    poll("limit on a new one", || {
        (young.pids_max() == Some(64)).then_some(())
    });

    agent.say(&["policy", "disable", "small"]);
    poll("originals", || {
        (old.memory_max().is_none() && young.pids_max().is_none()).then_some(())
    });
    agent.say(&["policy", "enable", "small"]);
    poll("limits again", || {
        (old.memory_max() == Some(256 * MIB)).then_some(())
    });

    // A changed file is taken up; a broken one changes nothing and says why.
    agent.set_policy(&limiting("/plimsoll-birth-*", "128MiB"));
    agent.signal(Signal::SIGHUP);
    poll("the new limit", || {
        (old.memory_max() == Some(128 * MIB)).then_some(())
    });
    agent.set_policy(&limiting("/plimsoll-birth-*", "64"));
    let complaint = agent.refuse(&["policy", "reload"], 1);
    assert!(
        complaint.contains("memory.max") && complaint.contains("unit"),
        "{complaint}"
    );
    assert_eq!(old.memory_max(), Some(128 * MIB));
    let shown = agent.say(&["policy", "show"]);
    assert!(shown.contains("small"), "{shown}");

    // A policy's limits end with the agent.
    let mut agent = agent;
    agent.end();
    assert_eq!(old.memory_max(), None);
    assert_eq!(young.pids_max(), None);
}

#[test]
fn explain_says_what_matches_and_what_does_not() {
    let test = "explain_says_what_matches_and_what_does_not";
    let Some(mut cell) = Cell::make(test) else {
        return;
    };
    cell.spawn("sleep", &["1000"]);
    let policy = limiting(&cell.path(), "256MiB")
        + r#""io.weight" = 50

[[policy]]
name = "elsewhere"
match = { image = "never/*" }
[policy.limits]
"cpu.max" = "1 cores"
"#;
    let Some(agent) = Agent::start_with_policy(test, &Settings::default(), &policy) else {
        return;
    };
    poll("limit", || (cell.pids_max() == Some(64)).then_some(()));
    let told = agent.say(&["policy", "explain", &cell.path()]);
    for word in ["small", "elsewhere", "image"] {
        assert!(told.contains(word), "no {word} in\n{told}");
    }
    // Nowhere does every disk heed it.
    let but = told.lines().any(|line| line.starts_with("  but io.weight"));
    assert!(but, "{told}");
}

#[test]
fn drift_is_seen_and_dealt_with() {
    let test = "drift_is_seen_and_dealt_with";
    for (on_conflict, kept) in [("reassert", 256 * MIB), ("yield", 100 * MIB)] {
        let Some(mut cell) = Cell::make(test) else {
            return;
        };
        cell.spawn("sleep", &["1000"]);
        let policy = limiting(&cell.path(), "256MiB").replace(
            "[policy.limits]",
            &format!("on_conflict = \"{on_conflict}\"\n[policy.limits]"),
        );
        let Some(agent) = Agent::start_with_policy(test, &Settings::default(), &policy) else {
            return;
        };
        poll("limit", || {
            (cell.memory_max() == Some(256 * MIB)).then_some(())
        });
        cell.set_memory_max(100 * MIB);
        let event = agent.event(&["class=policy"], |event| event["event"] == "drift");
        assert_eq!(event["workload"], cell.path().as_str(), "{event}");
        poll("who is right", || {
            (cell.memory_max() == Some(kept)).then_some(())
        });
    }
}
