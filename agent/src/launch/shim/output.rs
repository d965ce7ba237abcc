//! Where a workload's output comes in.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::pipe::fcntl_getpipe_size;

use super::log::Stream;

/// No terminal holds more that nobody has read (drivers/tty/pty.c `pty_common_install()`, v6.12).
const TERMINAL: usize = 64 * 1024;

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

    /// It never holds more at a time.
    pub(super) fn holds(&self) -> usize {
        fcntl_getpipe_size(&self.descriptor).unwrap_or(TERMINAL)
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
