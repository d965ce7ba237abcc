//! Work that is done inside a container's network namespace.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::sched::{CloneFlags, setns};

use super::NetworkError;

/// A container's network namespace, held open.
pub(super) struct Namespace<'a> {
    path: &'a Path,
    file: File,
}

impl<'a> Namespace<'a> {
    pub(super) fn open(path: &'a Path) -> Result<Self, NetworkError> {
        let file = File::open(path).map_err(|source| refuse(path, source))?;
        Ok(Self { path, file })
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// A short-lived thread enters the namespace and does it: `setns(2)` moves the calling thread only.
    pub(super) fn inside<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, NetworkError> + Send,
    ) -> Result<T, NetworkError> {
        let refuse = |source| refuse(self.path, source);
        std::thread::scope(|scope| {
            let enter = || {
                setns(&self.file, CloneFlags::CLONE_NEWNET)
                    .map_err(|errno| refuse(errno.into()))?;
                work()
            };
            let thread = std::thread::Builder::new().name("netns".into());
            let thread = thread.spawn_scoped(scope, enter).map_err(refuse)?;
            let panicked = |_| Err(refuse(io::Error::other("the thread panicked")));
            thread.join().unwrap_or_else(panicked)
        })
    }
}

fn refuse(path: &Path, source: io::Error) -> NetworkError {
    let path = path.to_owned();
    NetworkError::Namespace { path, source }
}
