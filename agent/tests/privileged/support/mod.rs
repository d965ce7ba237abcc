//! What privileged tests share: the agent, own cgroups, deadlines, skips.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agent;
mod loop_device;
mod metrics;
pub(crate) mod own_cgroup;
mod settings;

use std::io::Write;
use std::time::{Duration, Instant};

pub(crate) use agent::Agent;
pub(crate) use loop_device::LoopDevice;
pub(crate) use metrics::Metrics;
pub(crate) use own_cgroup::{OwnCgroup, V2, cpu_hierarchies, host_cpu_ns, mounted};
pub(crate) use settings::Settings;

/// Names the file that collects the skips of a run, so that CI can compare them with the expected.
const SKIPS: &str = "PLIMSOLL_SKIPS";
/// For an emulated CPU, on which an agent takes a second to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Says that a test cannot run here, and why.
pub(crate) fn skip(test: &str, reason: &str) {
    let line = format!("{test}: {reason}\n");
    eprint!("skipped {line}");
    let Some(path) = std::env::var_os(SKIPS) else {
        return;
    };
    let file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path);
    file.and_then(|mut file| file.write_all(line.as_bytes()))
        .expect("the list of skips");
}

/// Whether this is a guest of `cargo xtask vm-test`, whose CPUs are emulated: what the host takes of
/// their time, the guest's clock counts and its ticks do not.
pub(crate) fn is_guest() -> bool {
    std::env::var_os("PLIMSOLL_VM_OUTBOX").is_some()
}

/// Is the program installed? If not, the test is skipped.
pub(crate) fn installed(test: &str, program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
    if !found {
        skip(test, &format!("{program} is not installed"));
    }
    found
}

/// Asks until there is an answer; panics after a while without one.
pub(crate) fn poll<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
