//! Limits by label.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{Cell, Engine, example};
use crate::support::own_cgroup::mount_of;
use crate::support::poll;

pub(super) const FILE: &str = "limits-by-label.toml";
const MIB: u64 = 1 << 20;

fn limits(cell: &Cell) -> (Option<u64>, Option<u64>, Option<u64>) {
    (cell.cpu_quota(), cell.memory_max(), cell.pids_max())
}

#[test]
fn each_size_has_its_limits() {
    let test = "each_size_has_its_limits";
    let engine = Engine::new();
    let make = |size| {
        let mut cell = engine.container(test, ("size", size))?;
        cell.spawn("sleep", &["1000"]);
        Some(cell)
    };
    let (Some(small), Some(large), Some(other)) = (make("small"), make("large"), make("medium"))
    else {
        return;
    };
    let Some(mut agent) = engine.agent(test, &example(FILE, &[])) else {
        return;
    };
    poll("limits", || {
        let small = limits(&small) == (Some(50_000), Some(256 * MIB), Some(128));
        let large = limits(&large) == (Some(400_000), Some(4_096 * MIB), Some(2_048));
        (small && large).then_some(())
    });
    // What only v2 has is refused by name elsewhere, and the rest is held.
    let told = agent.say(&["policy", "explain", &small.path()]);
    let refused = told.contains("but memory.high is not enforceable");
    assert_eq!(refused, mount_of("memory").is_some(), "{told}");
    assert_eq!(limits(&other), (None, None, None));
    agent.end();
    for cell in [&small, &large] {
        assert_eq!(limits(cell), (None, None, None));
    }
}
