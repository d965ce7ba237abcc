//! Told by the kernel when something in a directory is written, made or renamed.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::unix::AsyncFd;

use crate::engine::container::readiness::readable;

/// A watched directory.
pub(super) struct Stirring {
    inotify: Inotify,
    ready: AsyncFd<OwnedFd>,
}

impl Stirring {
    pub(super) fn of(directory: &Path) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let events =
            AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        inotify.add_watch(directory, events)?;
        let ready = readable(&inotify)?;
        Ok(Self { inotify, ready })
    }

    /// Until something happened since the last call.
    pub(super) async fn wait(&self) -> io::Result<()> {
        loop {
            let mut ready = self.ready.readable().await?;
            match self.inotify.read_events() {
                Ok(_) => return Ok(()),
                Err(Errno::EAGAIN) => ready.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
