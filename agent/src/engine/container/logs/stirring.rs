//! Told by the kernel when something in a directory is written, made or renamed; where it does not tell, looked for.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::unix::AsyncFd;
use tokio::time::sleep;

use crate::engine::container::readiness::readable;

/// How often is looked.
const LOOK: Duration = Duration::from_millis(250);

/// A directory with something going on in it.
pub(super) enum Stirring {
    Told(Watch),
    LookedFor,
}

pub(super) struct Watch {
    inotify: Inotify,
    ready: AsyncFd<OwnedFd>,
}

impl Stirring {
    pub(super) fn of(directory: &Path) -> Self {
        Watch::of(directory).map_or_else(
            |error| {
                // A user has so many instances of inotify (fs.inotify.max_user_instances).
                tracing::debug!(%error, "a log is not watched, but looked at");
                Self::LookedFor
            },
            Self::Told,
        )
    }

    /// Until something may have happened since the last call.
    pub(super) async fn wait(&self) -> io::Result<()> {
        match self {
            Self::Told(watch) => watch.wait().await,
            Self::LookedFor => {
                sleep(LOOK).await;
                Ok(())
            }
        }
    }
}

impl Watch {
    fn of(directory: &Path) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let events =
            AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        inotify.add_watch(directory, events)?;
        let ready = readable(&inotify)?;
        Ok(Self { inotify, ready })
    }

    async fn wait(&self) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn what_cannot_be_watched_is_looked_for() {
        let stirring = Stirring::of(Path::new("/nonexistent"));
        assert!(matches!(stirring, Stirring::LookedFor));
        stirring.wait().await.unwrap();
    }
}
