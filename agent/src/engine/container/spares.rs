//! Where shims come from.

use std::io;
use std::sync::Mutex;

use super::cell::held;
use super::parent::Parent;
use crate::launch::Sealed;
use crate::launch::shim::{Asked, ShimError, Spare, Zygote};

/// A zygote, started when the first shim is wanted, and again when somebody killed it; and the next shim, cloned
/// ahead of need.
#[derive(Debug)]
pub(super) struct Spares {
    sealed: Sealed,
    parent: Parent,
    zygote: Mutex<Option<Ready>>,
}

#[derive(Debug)]
struct Ready {
    zygote: Zygote,
    next: Option<Asked>,
}

impl Ready {
    /// Asks for the next shim, unless that is done.
    fn ask(&mut self) {
        if self.next.is_none() {
            // What is wrong is found out about by who wants a shim.
            self.next = self.zygote.ask().ok();
        }
    }

    fn spare(&mut self) -> Result<Spare, ShimError> {
        match self.next.take().map(|asked| self.zygote.receive(asked)) {
            Some(Ok(spare)) if !spare.has_ended() => return Ok(spare),
            // Somebody killed it, and may have reaped it.
            Some(Ok(spare)) => drop(spare.dismiss()),
            // What was so then: whether it still is, the next one tells.
            Some(Err(_)) | None => {}
        }
        self.zygote.spare()
    }

    /// Lets it end, and the shim that nobody wanted.
    fn end(mut self) -> io::Result<()> {
        let unwanted = self.next.take().map(|asked| self.zygote.receive(asked));
        if let Some(Ok(spare)) = unwanted {
            // Somebody may have killed and reaped it.
            let _ = spare.dismiss();
        }
        self.zygote.end()
    }
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
        if let Some(mut ready) = zygote.take() {
            match ready.spare() {
                Err(ShimError::Gone) => {
                    tracing::warn!(
                        pid = ready.zygote.pid(),
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
        let mut fresh = self.start()?;
        let spare = fresh.spare();
        *zygote = Some(fresh);
        spare
    }

    /// Has the next one cloned, if shims are wanted at all.
    pub(super) fn replenish(&self) {
        if let Some(ready) = held(&self.zygote).as_mut() {
            ready.ask();
        }
    }

    /// Has everything ready, before anybody wants a shim.
    pub(super) fn prepare(&self) {
        match self.start() {
            Ok(mut fresh) => {
                fresh.ask();
                *held(&self.zygote) = Some(fresh);
            }
            Err(error) => tracing::warn!(%error, "no shim ahead of need"),
        }
    }

    fn start(&self) -> Result<Ready, ShimError> {
        let taken = self.parent.take();
        taken.map_err(|error| ShimError::Refused(error.with_causes()))?;
        let zygote = Zygote::start(&self.sealed, &self.parent.shims())?;
        Ok(Ready { zygote, next: None })
    }

    /// Lets what is ready end, and waits for that.
    pub(super) fn clear(&self) {
        let ended = held(&self.zygote).take().map(Ready::end);
        if let Some(Err(error)) = ended {
            tracing::debug!(%error, "zygote not reaped");
        }
    }
}
