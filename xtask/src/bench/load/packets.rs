//! Datagrams over loopback.

use std::net::UdpSocket;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::unistd::Pid;

use super::{Args, BATCH, pin, repeat};

/// Sends one and receives it: on loopback the packet passes egress and ingress on this CPU.
pub(super) fn datagrams(args: &Args, bytes: usize) -> Result<f64> {
    pin(Pid::this())?;
    let socket = || UdpSocket::bind("127.0.0.1:0").context("no socket");
    let (from, to) = (socket()?, socket()?);
    from.connect(to.local_addr().context("no address")?)
        .context("cannot connect")?;
    to.set_read_timeout(Some(Duration::from_secs(5)))
        .context("socket")?;
    let (sent, mut received) = (vec![0; bytes], vec![0; bytes]);
    repeat(args, BATCH, || {
        from.send(&sent).context("cannot send")?;
        to.recv(&mut received).map(drop).context("cannot receive")
    })
}
