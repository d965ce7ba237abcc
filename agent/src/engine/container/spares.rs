//! One shim kept ready, so that a start does not pay for a process.

use std::sync::Mutex;

use super::cell::held;
use crate::launch::Sealed;
use crate::launch::shim::{ShimError, Spare};

/// Where shims come from.
#[derive(Debug)]
pub(super) struct Spares {
    sealed: Sealed,
    /// The cgroup they live in.
    home: String,
    ready: Mutex<Option<Spare>>,
    /// Somebody starts the next one.
    filling: Mutex<()>,
}

impl Spares {
    pub(super) fn new(sealed: Sealed, home: String) -> Self {
        Self {
            sealed,
            home,
            ready: Mutex::new(None),
            filling: Mutex::new(()),
        }
    }

    /// A shim: the one that is ready, else a new one.
    pub(super) fn take(&self) -> Result<Spare, ShimError> {
        let ready = held(&self.ready).take();
        match ready {
            Some(spare) => Ok(spare),
            None => self.fresh(),
        }
    }

    /// A new one.
    pub(super) fn fresh(&self) -> Result<Spare, ShimError> {
        Spare::start(&self.sealed, &self.home)
    }

    /// Has one ready again. Blocks while it is started.
    pub(super) fn refill(&self) {
        let Ok(_filling) = self.filling.try_lock() else {
            return;
        };
        if held(&self.ready).is_some() {
            return;
        }
        match self.fresh() {
            Ok(spare) => *held(&self.ready) = Some(spare),
            Err(error) => tracing::warn!(%error, "no shim ahead of need"),
        }
    }

    /// Lets go of the one that is ready.
    pub(super) fn clear(&self) {
        held(&self.ready).take();
    }
}
