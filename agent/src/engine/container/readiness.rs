//! Waiting for descriptors without a thread for each.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Told when the descriptor can be read.
pub(super) fn readable(descriptor: impl AsFd) -> io::Result<AsyncFd<OwnedFd>> {
    let own = descriptor.as_fd().try_clone_to_owned()?;
    // SAFETY: an `OwnedFd` stays open, and the same one, for as long as the `AsyncFd` has it.
    Ok(unsafe { AsyncFd::register_with_interest(own, Interest::READABLE) }?)
}
