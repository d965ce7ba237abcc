//! Ending processes: a signal, a grace, a signal that cannot be ignored.
//!
//! In: a workload's cgroups and which of its processes. Out: how many ended, and how fast; or who is
//! still there. Waiting holds up nobody, and when the agent ends, nothing more is sent.

mod group;
mod single;

use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::errand::Ending;
use crate::cgroup::Control;
use crate::policy::Process;

/// A process that was killed and is not gone by then waits for something that may never come.
const DEATH: Duration = Duration::from_secs(2);

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ladder {
    /// First.
    pub(super) signal: i32,
    /// Then so long is waited.
    pub(super) grace: Duration,
    /// Then this, if anything.
    pub(super) escalate: Option<i32>,
}

/// Ends them, as far as the ladder reaches.
pub(super) async fn kill(control: Arc<Control>, scope: Process, ladder: Ladder) -> Ending {
    let ended = match scope {
        Process::Cgroup => group::kill(control, ladder).await,
        Process::Largest | Process::Main => single::kill(control, scope, ladder).await,
    };
    ended.unwrap_or_else(|ending| ending)
}

fn is_kill(signal: i32) -> bool {
    signal == Signal::SIGKILL as i32
}

/// `SIGTERM`
fn name(signal: i32) -> String {
    match Signal::try_from(signal) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_unknown) => format!("signal {signal}"),
    }
}

/// `3ms`
fn brief(duration: Duration) -> String {
    let whole = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    humantime::format_duration(Duration::from_millis(whole)).to_string()
}
