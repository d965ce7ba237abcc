//! One thing to do, and what became of it.

use std::error::Error;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::cgroup::{Control, ControlError};
use crate::enforce::Outcome;
use crate::identity::Identity;
use crate::policy::{Claimant, Evidence, Once};

/// Something to be done once.
#[derive(Debug)]
pub struct Errand {
    /// Number of the action, which comes back with [`Finished`].
    pub id: u64,
    /// When it was decided.
    pub time: SystemTime,
    pub claimant: Claimant,
    /// The workload.
    pub identity: Arc<Identity>,
    /// Its cgroups.
    pub control: Arc<Control>,
    pub once: Once,
    pub evidence: Evidence,
}

/// What became of an errand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    pub id: u64,
    /// `Done`, `Refused` or `Failed`.
    pub outcome: Outcome,
    /// How it was before and after, and what a command printed: for the record.
    pub before: Option<String>,
    pub after: Option<String>,
    /// When the effect was there, or it was given up.
    pub at: Instant,
}

impl Finished {
    /// Now.
    pub(super) fn now(id: u64, ending: Ending) -> Self {
        let Ending {
            outcome,
            before,
            after,
        } = ending;
        Self {
            id,
            outcome,
            before,
            after,
            at: Instant::now(),
        }
    }
}

/// A [`Finished`] without number and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) outcome: Outcome,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

impl Ending {
    pub(super) fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            before: None,
            after: None,
        }
    }

    pub(super) fn done(after: impl Into<String>) -> Self {
        Self {
            after: Some(after.into()),
            ..Self::new(Outcome::Done)
        }
    }

    pub(super) fn failed(reason: impl Into<String>) -> Self {
        Self::new(Outcome::Failed(reason.into()))
    }

    pub(super) fn refused(reason: impl Into<String>) -> Self {
        Self::new(Outcome::Refused(reason.into()))
    }
}

/// A cgroup that is gone has nothing left in it: how that ends is not a failure.
impl From<ControlError> for Ending {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Vanished(vanished) => Self::done(vanished.to_string()),
            ControlError::NotEnforceable(refused) => Self::refused(refused.to_string()),
            other => {
                let mut reason = other.to_string();
                let mut cause = other.source();
                while let Some(inner) = cause {
                    reason = format!("{reason}: {inner}");
                    cause = inner.source();
                }
                Self::failed(reason)
            }
        }
    }
}

/// Runs what blocks where it holds up nobody.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ControlError> + Send + 'static,
) -> Result<T, Ending> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(Ending::from),
        // It panicked, or the runtime ends.
        Err(error) => Err(Ending::failed(error.to_string())),
    }
}
