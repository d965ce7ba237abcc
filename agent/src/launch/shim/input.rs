//! Where a workload's input goes out.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::termios::tcsetwinsize;

use crate::launch::console::window;

/// Clients have to wait when the workload does not read so much.
const MOST_PENDING: usize = 64 * 1024;

/// The writing end of a pipe, a terminal's master, or nothing. Does not block.
#[derive(Debug, Default)]
pub(super) struct Input {
    descriptor: Option<OwnedFd>,
    is_terminal: bool,
    pending: Vec<u8>,
    /// Nothing comes after what is pending.
    ends: bool,
}

impl Input {
    pub(super) fn pipe(descriptor: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&descriptor, true)?;
        Ok(Self {
            descriptor: Some(descriptor),
            ..Self::default()
        })
    }

    /// Its output side does not block already, which the two share.
    pub(super) fn terminal(master: OwnedFd) -> Self {
        Self {
            descriptor: Some(master),
            is_terminal: true,
            ..Self::default()
        }
    }

    pub(super) const fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Takes what a client sent; nothing means that no more comes, which a terminal has no word for.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        if self.descriptor.is_none() || self.ends {
            return;
        }
        if !bytes.is_empty() {
            self.pending.extend_from_slice(bytes);
        } else if !self.is_terminal {
            self.ends = true;
        }
        self.flush();
    }

    pub(super) fn resize(&self, rows: u16, columns: u16) {
        if self.is_terminal
            && let Some(master) = &self.descriptor
        {
            // The workload has closed it.
            let _ = tcsetwinsize(master, window(rows, columns));
        }
    }

    /// Has it enough for now?
    pub(super) fn is_full(&self) -> bool {
        self.pending.len() >= MOST_PENDING
    }

    /// What is to be awaited until it can be written.
    pub(super) fn pending(&self) -> Option<BorrowedFd<'_>> {
        let descriptor = self.descriptor.as_ref()?;
        (!self.pending.is_empty()).then(|| descriptor.as_fd())
    }

    /// Writes what can be written now.
    pub(super) fn flush(&mut self) {
        let Some(descriptor) = &self.descriptor else {
            return;
        };
        while !self.pending.is_empty() {
            match rustix::io::write(descriptor, &self.pending) {
                Ok(length) => {
                    self.pending.drain(..length);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return,
                Err(_) => {
                    // Nobody reads it any more.
                    self.pending.clear();
                    self.ends = true;
                }
            }
        }
        if self.ends {
            self.descriptor = None;
        }
    }
}
