//! Writes that the kernel may hold up while it reclaims memory, on a thread of their own.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use super::ControlError;

/// What a thread will have found out.
#[derive(Debug)]
pub(super) struct Slow<T>(Receiver<T>);

impl<T: Send + 'static> Slow<T> {
    /// Begins. The thread goes on when nobody waits any more, and ends with the write: the kernel
    /// gives up after a bounded number of rounds.
    pub(super) fn start(work: impl FnOnce() -> T + Send + 'static) -> Result<Self, ControlError> {
        let (done, result) = sync_channel(1);
        thread::Builder::new()
            .name("slow-write".to_owned())
            .spawn(move || {
                // Nobody may be waiting any more.
                let _ = done.send(work());
            })
            .map_err(ControlError::Thread)?;
        Ok(Self(result))
    }

    /// `None`: still going on.
    pub(super) fn wait(&self, at_most: Duration) -> Option<T> {
        self.0.recv_timeout(at_most).ok()
    }

    /// `None`: still going on, or asked before.
    pub(super) fn look(&self) -> Option<T> {
        self.0.try_recv().ok()
    }
}
