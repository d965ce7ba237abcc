//! UDP sockets whose port was given back, and of which a process that is being started may still have a copy.
//!
//! Like those of a foreign process that shares its port they allow others; unlike those, they do not count. In: sockets
//! as they are let go. Out: whether a port is taken by anybody else. It knows nothing of containers.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use procfs::FromReadSI;
use procfs::net::UdpNetEntries;
use rustix::fs::fstat;
use rustix::io::Errno;

/// More are not remembered; a process is being started for milliseconds.
const MOST: usize = 1024;

/// By inode, of which later ones are higher.
static LET_GO: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

/// Notes one that is let go.
pub(super) fn add(socket: &OwnedFd) -> Result<(), Errno> {
    let inode = fstat(socket)?.st_ino;
    let mut all = LET_GO.lock().unwrap_or_else(PoisonError::into_inner);
    all.insert(inode);
    if all.len() > MOST {
        all.pop_first();
    }
    Ok(())
}

/// Whether nobody has the port of a socket that is bound to this address but it, and such as were let go. Those are
/// forgotten here once they are gone. Asked of the network namespace of the calling thread.
pub(super) fn is_free(own: &OwnedFd, address: SocketAddr) -> io::Result<bool> {
    let own = fstat(own)?.st_ino;
    let (mut there, mut free) = (BTreeSet::new(), true);
    // Locked before they are read: one that is noted meanwhile is not to be forgotten.
    let mut all = LET_GO.lock().unwrap_or_else(PoisonError::into_inner);
    for file in ["/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"] {
        let sockets = match UdpNetEntries::from_file(file, procfs::current_system_info()) {
            // No IPv6.
            Err(procfs::ProcError::NotFound(_)) => continue,
            sockets => sockets.map_err(io::Error::other)?,
        };
        for socket in sockets.0 {
            there.insert(socket.inode);
            let is_same = socket.local_address.port() == address.port()
                && overlap(socket.local_address.ip(), address.ip());
            free &= !is_same || socket.inode == own || all.contains(&socket.inode);
        }
    }
    all.retain(|inode| there.contains(inode));
    Ok(free)
}

/// Of the unspecified address of either family all others are part: a socket of IPv6 may be for both.
fn overlap(one: IpAddr, other: IpAddr) -> bool {
    one.is_unspecified() || other.is_unspecified() || one.to_canonical() == other.to_canonical()
}
