//! Where shims come from.

use std::sync::Mutex;

use super::cell::held;
use super::parent::Parent;
use crate::launch::Sealed;
use crate::launch::shim::{ShimError, Spare, Zygote};

/// A zygote, started when the first shim is wanted, and again when somebody killed it.
#[derive(Debug)]
pub(super) struct Spares {
    sealed: Sealed,
    parent: Parent,
    zygote: Mutex<Option<Zygote>>,
}

impl Spares {
    pub(super) fn new(sealed: Sealed, parent: Parent) -> Self {
        Self {
            sealed,
            parent,
            zygote: Mutex::new(None),
        }
    }

    /// A shim that waits for its request.
    pub(super) fn take(&self) -> Result<Spare, ShimError> {
        let mut zygote = held(&self.zygote);
        if let Some(ready) = zygote.take() {
            match ready.spare() {
                Err(ShimError::Gone) => {
                    tracing::warn!(
                        pid = ready.pid(),
                        "what shims are cloned from has ended; another is started"
                    );
                    // Somebody reaped it.
                    let _ = ready.end();
                }
                spare => {
                    *zygote = Some(ready);
                    return spare;
                }
            }
        }
        let fresh = self.start()?;
        let spare = fresh.spare();
        *zygote = Some(fresh);
        spare
    }

    /// Has a zygote ready, before anybody wants a shim.
    pub(super) fn prepare(&self) {
        match self.start() {
            Ok(fresh) => *held(&self.zygote) = Some(fresh),
            Err(error) => tracing::warn!(%error, "no shim ahead of need"),
        }
    }

    fn start(&self) -> Result<Zygote, ShimError> {
        let taken = self.parent.take();
        taken.map_err(|error| ShimError::Refused(error.with_causes()))?;
        Zygote::start(&self.sealed, &self.parent.shims())
    }

    /// Lets the zygote end, and waits for that.
    pub(super) fn clear(&self) {
        let ended = held(&self.zygote).take().map(Zygote::end);
        if let Some(Err(error)) = ended {
            tracing::debug!(%error, "zygote not reaped");
        }
    }
}
