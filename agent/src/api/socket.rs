//! Taking and leaving the socket's path.
//!
//! A socket that nobody listens on any more is replaced; a live one never. Two agents that start at
//! the same moment are kept apart by a lock on the directory for as long as one of them looks and binds.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::sys::socket::{self as sys, AddressFamily, Backlog, SockFlag, SockType, UnixAddr};
use nix::sys::stat::{Mode, fchmod};
use tokio::net::UnixListener;

/// Of the directory: others may see that the socket exists.
const DIRECTORY_MODE: u32 = 0o755;
/// Of the socket: it takes write permission to connect.
const SOCKET_MODE: Mode = Mode::from_bits_truncate(0o600);
const BACKLOG: i32 = 128;

/// Why the socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("another agent listens on {}", path.display())]
    InUse { path: PathBuf },
    #[error("another agent is starting on {}", path.display())]
    Starting { path: PathBuf },
    #[error("{} is in the way: it is not a socket", path.display())]
    NotASocket { path: PathBuf },
    #[error("cannot make or use the directory {}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("cannot tell whether {} is in use", path.display())]
    Look { path: PathBuf, source: io::Error },
    #[error("cannot listen on {}", path.display())]
    Listen { path: PathBuf, source: io::Error },
}

/// Removes the socket when dropped, if it is still the one that was bound.
#[derive(Debug)]
pub struct SocketGuard {
    path: PathBuf,
    /// The file that `bind` made. Kept open, so that its inode number is not given to another.
    file: File,
}

/// Listens on `path`: the directory is made when absent (0755), the socket's mode is 0600.
/// Must be called within a Tokio runtime.
///
/// # Errors
/// See [`BindError`]; `InUse` and `Starting` say that another agent is there.
pub fn bind(path: &Path) -> Result<(UnixListener, SocketGuard), BindError> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let _lock = lock_directory(directory, path)?;
    remove_stale(path)?;
    let failed = |source: io::Error| BindError::Listen {
        path: path.into(),
        source,
    };
    let listener = listen(path).map_err(|errno| failed(errno.into()))?;
    let no_follow = OFlag::O_PATH | OFlag::O_NOFOLLOW;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(no_follow.bits())
        .open(path)
        .map_err(failed)?;
    let listener = UnixListener::from_std(listener).map_err(failed)?;
    let guard = SocketGuard {
        path: path.into(),
        file,
    };
    Ok((listener, guard))
}

fn lock_directory(directory: &Path, socket: &Path) -> Result<Flock<File>, BindError> {
    let failed = |source| BindError::Directory {
        path: directory.into(),
        source,
    };
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(DIRECTORY_MODE);
    builder.create(directory).map_err(failed)?;
    let file = File::open(directory).map_err(failed)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        Errno::EWOULDBLOCK => BindError::Starting {
            path: socket.into(),
        },
        errno => failed(errno.into()),
    })
}

fn remove_stale(path: &Path) -> Result<(), BindError> {
    let look = |source: io::Error| BindError::Look {
        path: path.into(),
        source,
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(look(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(BindError::NotASocket { path: path.into() });
        }
        Ok(_) => {}
    }
    // Not blocking: a live agent whose backlog is full answers EAGAIN at once.
    match connect(path) {
        Ok(()) | Err(Errno::EAGAIN) => Err(BindError::InUse { path: path.into() }),
        Err(Errno::ECONNREFUSED) => fs::remove_file(path).map_err(look),
        Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(look(errno.into())),
    }
}

fn connect(path: &Path) -> nix::Result<()> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = sys::socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    sys::connect(socket.as_raw_fd(), &UnixAddr::new(path)?)
}

fn listen(path: &Path) -> nix::Result<StdListener> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = sys::socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    // The file gets the mode of the unbound socket, less the umask, so it is never open to others,
    // not even between bind and a chmod (net/unix/af_unix.c unix_bind_bsd(), v6.12).
    fchmod(&socket, SOCKET_MODE)?;
    sys::bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    sys::listen(&socket, Backlog::new(BACKLOG)?)?;
    Ok(StdListener::from(socket))
}

impl Drop for SocketGuard {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path);
        let ours = self.file.metadata();
        let ours = ours.and_then(|ours| {
            found.map(|found| (ours.dev(), ours.ino()) == (found.dev(), found.ino()))
        });
        let ours = ours.unwrap_or(false);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            let path = self.path.display();
            tracing::warn!(%path, %error, "the socket could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn directory_and_socket_have_their_modes_and_go_when_ours() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("run/plimsoll/plimsoll.sock");
        let (listener, guard) = bind(&path).unwrap();
        assert_eq!(mode(path.parent().unwrap()), 0o755);
        assert_eq!(mode(&path), 0o600);
        drop((listener, guard));
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_live_socket_is_left_alone() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("s");
        let (_listener, _guard) = bind(&path).unwrap();
        let error = bind(&path).unwrap_err();
        assert!(matches!(error, BindError::InUse { .. }), "{error}");
        assert_eq!(
            error.to_string(),
            format!("another agent listens on {}", path.display())
        );
        assert!(path.exists());
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_the_old_guard_leaves_the_new_one() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("s");
        let (listener, old) = bind(&path).unwrap();
        drop(listener);
        let (_listener, new) = bind(&path).unwrap();
        drop(old);
        assert!(path.exists());
        drop(new);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn anything_else_in_the_way_is_left_alone() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("s");
        fs::write(&path, "precious").unwrap();
        let error = bind(&path).unwrap_err();
        assert!(matches!(error, BindError::NotASocket { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        let error = bind(&path.join("below/s")).unwrap_err();
        assert!(matches!(error, BindError::Directory { .. }), "{error}");
    }

    #[tokio::test]
    async fn two_that_start_at_once_are_kept_apart() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("s");
        let _lock = lock_directory(top.path(), &path).unwrap();
        let error = bind(&path).unwrap_err();
        assert!(matches!(error, BindError::Starting { .. }), "{error}");
    }
}
