//! The loopback interface of a network namespace of its own, which the kernel makes as one that is down.

use std::fs::File;
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsFd, AsRawFd};

use nix::libc::{self, ifreq};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

const NAME: [libc::c_char; 2] = [b'l'.cast_signed(), b'o'.cast_signed()];

/// Brings it up in the network of a process, into which this one moves for good.
pub(super) fn bring_up(pid: i32) -> io::Result<()> {
    let namespace = File::open(format!("/proc/{pid}/ns/net"))?;
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    // SAFETY: all zeros are a request without a name.
    let mut request: ifreq = unsafe { zeroed() };
    request.ifr_name[..NAME.len()].copy_from_slice(&NAME);
    // What else an interface of this kind can be told to be, it is not.
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: the kernel reads a request, which this is.
    match unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
