//! The guest: whether this is one, what it is, and what goes back to its host.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Set by the guest's init: the folder whose files go back to the host.
const OUTBOX: &str = "PLIMSOLL_VM_OUTBOX";
/// Collects the skips of a run.
const SKIPS: &str = "PLIMSOLL_SKIPS";
/// Emulated CPUs on a busy host.
const PATIENCE: Duration = Duration::from_secs(60);

/// The outbox; `None`, and the test is skipped, where this is no guest of vm-test's.
pub(crate) fn outbox(test: &str) -> Option<PathBuf> {
    let outbox = std::env::var_os(OUTBOX).map(PathBuf::from);
    if outbox.is_none() {
        skip(test, "not in a guest of `cargo xtask vm-test`");
    }
    outbox
}

/// Says that a test cannot run here, and why.
pub(crate) fn skip(test: &str, reason: &str) {
    let line = format!("{test}: {reason}\n");
    eprint!("skipped {line}");
    if let Some(path) = std::env::var_os(SKIPS) {
        let list = fs::OpenOptions::new().append(true).create(true).open(path);
        list.unwrap().write_all(line.as_bytes()).unwrap();
    }
}

/// Asks until there is an answer; panics after a while without one.
pub(crate) fn poll<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
