//! One engine at a time has networks in a network namespace: table, bridges and interfaces have fixed names, and
//! what no record tells of is taken for a leftover.

use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;

use super::NetworkError;

/// An abstract name: it belongs to the network namespace, and goes with the process, however that ends.
const NAME: &[u8] = b"plimsoll-networks";

/// Of an agent that was just killed, a process that it was about to execute may have the name for a moment.
const PATIENCE: Duration = Duration::from_secs(2);
const WAIT: Duration = Duration::from_millis(5);

/// The right to have networks here, once it was needed.
#[derive(Debug, Default)]
pub(super) struct Claim(Mutex<Option<UnixListener>>);

impl Claim {
    /// Takes it, or finds it taken already by this engine. Called in the namespace that stands for the host.
    pub(super) fn take(&self) -> Result<(), NetworkError> {
        let mut claim = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if claim.is_some() {
            return Ok(());
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            match bind() {
                Ok(listener) => *claim = Some(listener),
                Err(error) if error.kind() != ErrorKind::AddrInUse => {
                    return Err(NetworkError::Claim(error));
                }
                Err(_) if !is_roots() => {
                    tracing::warn!("a user who is not root has the name of this agent's networks");
                }
                Err(_) if Instant::now() > deadline => return Err(NetworkError::Claimed),
                Err(_) => {
                    sleep(WAIT);
                    continue;
                }
            }
            return Ok(());
        }
    }
}

fn bind() -> io::Result<UnixListener> {
    UnixListener::bind_addr(&SocketAddr::from_abstract_name(NAME)?)
}

/// Whoever has the name: anybody may take one.
fn is_roots() -> bool {
    let holder = SocketAddr::from_abstract_name(NAME)
        .and_then(|address| UnixStream::connect_addr(&address))
        .and_then(|stream| Ok(getsockopt(&stream, PeerCredentials)?));
    // One that cannot be asked is gone by now, or about to go.
    holder.map_or(true, |holder| holder.uid() == 0)
}
