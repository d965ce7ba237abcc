//! Burst budget.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{Engine, example};
use crate::support::poll;

pub(super) const FILE: &str = "burst-budget.toml";
/// As the engine was told.
const QUOTA: u64 = 20_000;

#[test]
fn who_runs_into_its_quota_has_more_of_it_for_a_while() {
    let test = "who_runs_into_its_quota_has_more_of_it_for_a_while";
    let engine = Engine::new();
    let Some(mut cell) = engine.container(test, ("cpu.burst", "true")) else {
        return;
    };
    cell.set_cpu(QUOTA, 0);
    let policy = example(
        FILE,
        &[(r#"clear = { for = "30s" }"#, r#"clear = { for = "1s" }"#)],
    );
    let Some(agent) = engine.agent(test, &policy) else {
        return;
    };
    let busy = cell.spawn("sh", &["-c", "while :; do :; done"]).id();
    // How far up depends on how much of a CPU there is to be had; never above three times.
    let more = poll("more", || cell.cpu_quota().filter(|quota| *quota > QUOTA));
    assert_eq!(more, QUOTA * 3 / 2);
    let told = agent.say(&["why", &cell.path()]);
    assert!(told.contains("cpu.throttled_ratio above 10%"), "{told}");
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(i32::try_from(busy).unwrap()),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    poll("the way back", || {
        let quota = cell.cpu_quota().unwrap();
        assert!(quota <= 3 * QUOTA, "{quota}");
        (quota == QUOTA).then_some(())
    });
}
