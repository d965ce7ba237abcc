//! Real engines, each its own in a temporary directory, against what the agent makes of them:
//! [`attribution`] alone, and the [`whole`] agent.
//!
//! One test at a time ([`turn`]). A test that cannot run here says why, and adds itself to the file
//! named in `PLIMSOLL_SKIPS`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agent;
mod attribution;
mod containerd;
mod docker;
mod host;
mod images;
mod kernel;
mod podman;
mod restart;
mod runc;
mod samples;
mod whole;

use std::io::Write as _;

use tokio::sync::{Mutex, MutexGuard};

static TURN: Mutex<()> = Mutex::const_new(());

/// Keeps the tests from running beside each other.
async fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().await
}

/// [`turn`] for tests without a runtime.
fn blocking_turn() -> MutexGuard<'static, ()> {
    TURN.blocking_lock()
}

/// Notes that `test` did not run, and why.
fn skip(test: &str, reason: &str) {
    println!("skipped: {test}: {reason}");
    if let Some(path) = std::env::var_os("PLIMSOLL_SKIPS") {
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        writeln!(file, "{test}: {reason}").unwrap();
    }
}
