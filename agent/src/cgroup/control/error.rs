//! Why something could not be read or set.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::Knob;
use crate::cgroup::Vanished;

/// This host, kernel or cgroup cannot do it, and trying again will not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is not enforceable: {reason}")]
pub struct NotEnforceable {
    /// A [`Knob`]'s name, or that of an action's file.
    pub what: &'static str,
    pub reason: String,
}

/// Why a cgroup could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error(transparent)]
    Vanished(#[from] Vanished),
    #[error(transparent)]
    NotEnforceable(#[from] NotEnforceable),
    /// Refused before anything was written: the kernel would, or would do harm.
    #[error("{knob} cannot be {value}: {reason}")]
    Invalid {
        knob: Knob,
        value: String,
        reason: String,
    },
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    /// The file is not as any known kernel writes it.
    #[error("{path} has {text:?}, which is not understood")]
    Odd { path: PathBuf, text: String },
    /// The kernel refused. `why`: what is known to make it do so here.
    #[error("cannot write {value:?} to {path}{}", because(.why.as_deref()))]
    Write {
        path: PathBuf,
        value: String,
        why: Option<String>,
        source: io::Error,
    },
    /// More memory is in use than the limit would allow. On v2 the kernel would kill for it;
    /// [`lower_memory_max`](super::Control::lower_memory_max) walks there.
    #[error("{usage} bytes of memory are in use, more than the {wanted} wanted")]
    BelowUsage { usage: u64, wanted: u64 },
    /// Written without an error, and yet another value is in force: somebody else wrote meanwhile.
    #[error("{knob} is {found} after {wanted} was written")]
    NotTaken {
        knob: Knob,
        wanted: String,
        found: String,
    },
    /// Asked for and still going on: some process does not stop.
    #[error("{path} is not frozen after {waited:?}")]
    NotFrozen { path: PathBuf, waited: Duration },
    /// Killed, and not yet gone: waiting for a device, or frozen from above.
    #[error("{left} processes are left in {path} after {waited:?}")]
    StillAlive {
        path: PathBuf,
        left: usize,
        waited: Duration,
    },
    /// The agent never signals or stops itself.
    #[error("the agent itself is in {path}")]
    Own { path: PathBuf },
    #[error("{signal} is no signal")]
    NoSignal { signal: i32 },
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

fn because(why: Option<&str>) -> String {
    why.map(|why| format!(": {why}")).unwrap_or_default()
}
