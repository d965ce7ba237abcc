//! Ctrl-C: a flag that every wait looks at, so that what was made is removed on the way out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// Longest that an interruption goes unseen.
const LOOK: Duration = Duration::from_millis(50);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on SIGINT, SIGTERM and SIGHUP set the flag instead of ending the process.
pub(crate) fn heed() -> Result<()> {
    extern "C" fn note(_: nix::libc::c_int) {
        INTERRUPTED.store(true, Ordering::Relaxed);
    }
    let action = SigAction::new(SigHandler::Handler(note), SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the handler only stores to an atomic, which is async-signal-safe.
        unsafe { sigaction(signal, &action) }.context("cannot heed signals")?;
    }
    Ok(())
}

/// Fails once the user has interrupted.
pub(crate) fn check() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}

/// Sleeps, or fails early when interrupted.
pub(crate) fn sleep(duration: Duration) -> Result<()> {
    let end = Instant::now() + duration;
    loop {
        check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(LOOK));
    }
}

/// Asks `done` again and again until it has an answer, or `deadline` passed.
pub(crate) fn poll<T>(
    what: &str,
    deadline: Duration,
    mut done: impl FnMut() -> Option<T>,
) -> Result<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(answer) = done() {
            return Ok(answer);
        }
        if Instant::now() >= end {
            bail!("{what}: not within {} s", deadline.as_secs());
        }
        sleep(LOOK)?;
    }
}
