//! Where a workload's output comes in.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::log::Stream;

/// The reading end of a pipe, or a terminal's master. Does not block.
#[derive(Debug)]
pub(super) struct Output {
    descriptor: OwnedFd,
    pub(super) stream: Stream,
}

/// What a read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Got {
    Bytes(usize),
    /// Nothing now.
    Nothing,
    /// All writers are gone.
    End,
}

impl Output {
    pub(super) fn new(descriptor: OwnedFd, stream: Stream) -> std::io::Result<Self> {
        rustix::io::ioctl_fionbio(&descriptor, true)?;
        Ok(Self { descriptor, stream })
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> Got {
        match rustix::io::retry_on_intr(|| rustix::io::read(&self.descriptor, &mut *buffer)) {
            Ok(0) => Got::End,
            Ok(length) => Got::Bytes(length),
            Err(Errno::AGAIN) => Got::Nothing,
            // A terminal whose last user has closed it.
            Err(_) => Got::End,
        }
    }
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
