//! A workload's terminal: its master comes out of the workload over a socket.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use libcontainer::oci_spec::runtime::Process;
use rustix::fs::fchown;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use rustix::pty::OpenptFlags;
use rustix::termios::{Winsize, tcsetwinsize};

/// A socket that `libcontainer` sends the master to.
#[derive(Debug)]
pub(super) struct ConsoleSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ConsoleSocket {
    /// Listens in a directory.
    pub(super) fn listen(directory: &Path, name: &str) -> io::Result<Self> {
        let path = directory.join(name);
        let listener = listen(directory, name)?;
        Ok(Self { listener, path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the master that was sent.
    pub(super) fn receive(&self) -> io::Result<OwnedFd> {
        // If the workload never came so far, nothing is there to wait for.
        self.listener.set_nonblocking(true)?;
        let (stream, _) = self.listener.accept()?;
        stream.set_nonblocking(false)?;
        let mut descriptors = receive(stream.as_fd(), &mut [0; 64])?.1;
        let master = descriptors.pop();
        master.ok_or_else(|| io::Error::other("no terminal came with the message"))
    }
}

impl Drop for ConsoleSocket {
    fn drop(&mut self) {
        // Goes with the state directory otherwise.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Passes a terminal's master on to whoever listens at `socket`, in runc's form.
pub(super) fn hand_over(master: &OwnedFd, socket: &Path) -> io::Result<()> {
    let stream = UnixStream::connect(socket)?;
    send(stream.as_fd(), b"/dev/ptmx", &[master.as_fd()])
}

/// The size that a process is to find; `None`: that is left to whoever gets the master.
pub(super) fn console_size(process: &Process) -> Option<Winsize> {
    let size = process.console_size()?;
    let side = |length: u64| u16::try_from(length).unwrap_or(u16::MAX);
    let (rows, columns) = (side(size.height()), side(size.width()));
    (rows != 0 && columns != 0).then(|| window(rows, columns))
}

pub(super) const fn window(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

/// Gives the terminal its size, and to the workload's user.
pub(super) fn set_up(master: &OwnedFd, size: Option<Winsize>, owner: u32) -> io::Result<()> {
    if let Some(size) = size {
        tcsetwinsize(master, size)?;
    }
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let slave = rustix::pty::ioctl_tiocgptpeer(master, flags)?;
    let owner = rustix::fs::Uid::from_raw(owner);
    fchown(slave, Some(owner), None)?;
    Ok(())
}

/// Binds a socket however long the directory's path is: an address holds 108 bytes.
pub(super) fn listen(directory: &Path, name: &str) -> io::Result<UnixListener> {
    let folder = std::fs::File::open(directory)?;
    UnixListener::bind(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))
}

/// Connects however long the path is.
pub(super) fn connect(directory: &Path, name: &str) -> io::Result<UnixStream> {
    let folder = std::fs::File::open(directory)?;
    UnixStream::connect(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))
}

/// At most this many descriptors come with a message.
const MOST_DESCRIPTORS: usize = 4;

/// Sends one message with descriptors.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = SendFlags::NOSIGNAL;
    sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags)?;
    Ok(())
}

/// Receives one message, and the descriptors that come with it, closed on exec. 0 bytes: the other
/// side is gone.
pub(super) fn receive(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = rustix::io::retry_on_intr(|| {
        recvmsg(socket, &mut [IoSliceMut::new(bytes)], &mut control, flags)
    })?;
    let descriptors = control
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(rights) => Some(rights),
            _ => None,
        })
        .flatten()
        .collect();
    Ok((received.bytes, descriptors))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_descriptor_travels_over_a_long_path() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("d".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        let socket = ConsoleSocket::listen(&deep, "console.sock").unwrap();
        assert!(socket.receive().is_err(), "nobody connected");
        let sent = tempfile::tempfile().unwrap();
        let stream = connect(&deep, "console.sock").unwrap();
        send(stream.as_fd(), b"x", &[sent.as_fd()]).unwrap();
        let received = std::fs::File::from(socket.receive().unwrap());
        use std::os::unix::fs::MetadataExt;
        let (sent, received) = (sent.metadata().unwrap(), received.metadata().unwrap());
        assert_eq!((sent.dev(), sent.ino()), (received.dev(), received.ino()));
        drop(socket);
        assert!(!deep.join("console.sock").exists());
    }
}
