//! The host's ports, held by bound sockets while containers have them, so that no other process gets them.
//!
//! The sockets are of the calling thread's network namespace. They neither listen nor answer: a packet for the port
//! is translated before it gets as far. They go with the agent; the next one binds them anew.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr};
use rustix::net::{
    AddressFamily, Shutdown, SocketFlags, SocketType, bind, getsockname, ipproto, listen, shutdown,
    socket_with,
};

use super::{NetworkError, Protocol, Publish, Published, let_go};

/// Where the kernel takes ports from when nobody says which.
const ANY: u16 = 0;
/// Tries to find a port that is free in both families.
const TRIES: usize = 32;

/// A port that is taken.
#[derive(Debug)]
pub(super) struct Reservation {
    pub(super) published: Published,
    /// `None`: the kernel has no such sockets, nobody else can have the port.
    socket: Option<OwnedFd>,
}

impl Drop for Reservation {
    /// A process that is being started has a copy of the socket until it is executed: without this the port would be
    /// taken until then. One that allows others is in nobody's way, as long as it does not listen
    /// (inet_csk_bind_conflict(), net/ipv4/inet_connection_sock.c, v6.12). Of UDP nobody listens: see [`let_go`].
    fn drop(&mut self) {
        let Some(socket) = &self.socket else { return };
        let freed = match self.published.protocol {
            Protocol::Tcp => {
                // It does not listen, mostly.
                let _ = shutdown(socket, Shutdown::Both);
                set_socket_reuseaddr(socket, true)
            }
            Protocol::Udp => let_go::add(socket).and_then(|()| set_socket_reuseaddr(socket, true)),
            Protocol::Sctp => Ok(()),
        };
        if let Err(error) = freed {
            tracing::debug!(%error, "a published port may be taken for a moment");
        }
    }
}

/// Takes one of the ports asked for, in each of the families.
pub(super) fn take(
    publish: &Publish,
    addresses: &[IpAddr],
    in_use: &dyn Fn(&Published) -> bool,
) -> Result<Vec<Reservation>, NetworkError> {
    let chosen = publish.host_ports == (ANY..=ANY);
    let range = publish.host_ports.clone();
    let candidates: Vec<u16> = if chosen {
        vec![ANY; TRIES]
    } else {
        range.collect()
    };
    let mut refused = None;
    for port in candidates {
        match take_one(publish, addresses, port, in_use) {
            Err(error @ NetworkError::PortAllocated(_)) => refused = Some(error),
            done => return done,
        }
    }
    let unspecified = SocketAddr::from(([0, 0, 0, 0], *publish.host_ports.start()));
    Err(refused.unwrap_or(NetworkError::PortAllocated(unspecified)))
}

/// Takes again what an earlier agent had taken.
pub(super) fn retake(published: &Published) -> Result<Reservation, NetworkError> {
    let address = SocketAddr::new(published.host_ip, published.host_port);
    let (socket, _) = reserve(address, published.protocol).map_err(refuse(address))?;
    Ok(Reservation {
        published: published.clone(),
        socket,
    })
}

fn take_one(
    publish: &Publish,
    addresses: &[IpAddr],
    port: u16,
    in_use: &dyn Fn(&Published) -> bool,
) -> Result<Vec<Reservation>, NetworkError> {
    let mut all: Vec<Reservation> = Vec::new();
    for ip in addresses {
        // The first family's choice is the other's order.
        let port = all.first().map_or(port, |first| first.published.host_port);
        let address = SocketAddr::new(*ip, port);
        let (socket, port) = reserve(address, publish.protocol).map_err(refuse(address))?;
        let published = Published {
            host_ip: *ip,
            host_port: port,
            container_port: publish.container_port,
            protocol: publish.protocol,
        };
        if in_use(&published) || port == ANY {
            return Err(NetworkError::PortAllocated(SocketAddr::new(*ip, port)));
        }
        all.push(Reservation { published, socket });
    }
    Ok(all)
}

/// The socket, and the port it got.
fn reserve(address: SocketAddr, protocol: Protocol) -> io::Result<(Option<OwnedFd>, u16)> {
    let socket = match open(address, protocol) {
        Err(Errno::PROTONOSUPPORT | Errno::SOCKTNOSUPPORT) if protocol == Protocol::Sctp => {
            return Ok((None, sctp_port(address.port())));
        }
        socket => socket?,
    };
    match bind(&socket, &address) {
        // Connections to somebody who had the port before are still being forgotten, or somebody has it: only who
        // listens can tell (inet_csk_bind_conflict(), net/ipv4/inet_connection_sock.c, v6.12).
        Err(Errno::ADDRINUSE) if protocol == Protocol::Tcp => {
            set_socket_reuseaddr(&socket, true)?;
            bind(&socket, &address)?;
            listen(&socket, 0)?;
        }
        Err(Errno::ADDRINUSE) if protocol == Protocol::Udp => {
            // With those who allow others; from then on there are no more of them (udp_lib_lport_inuse(),
            // net/ipv4/udp.c, v6.12).
            set_socket_reuseaddr(&socket, true)?;
            bind(&socket, &address)?;
            set_socket_reuseaddr(&socket, false)?;
            if !let_go::is_free(&socket, address)? {
                return Err(Errno::ADDRINUSE.into());
            }
        }
        bound => bound?,
    }
    let bound = SocketAddr::try_from(getsockname(&socket)?)?;
    Ok((Some(socket), bound.port()))
}

fn open(address: SocketAddr, protocol: Protocol) -> Result<OwnedFd, Errno> {
    let (kind, number) = match protocol {
        Protocol::Tcp => (SocketType::STREAM, ipproto::TCP),
        Protocol::Udp => (SocketType::DGRAM, ipproto::UDP),
        Protocol::Sctp => (SocketType::STREAM, ipproto::SCTP),
    };
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, Some(number))?;
    if address.is_ipv6() {
        set_ipv6_v6only(&socket, true)?;
    }
    Ok(socket)
}

/// Without sockets to ask, the first port of those that are given away: `in_use` tells whether it is free.
fn sctp_port(port: u16) -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    if port != ANY {
        return port;
    }
    let range = super::sysctl::read("ipv4/ip_local_port_range").unwrap_or_default();
    let mut ends = range
        .split_whitespace()
        .filter_map(|end| end.parse::<u16>().ok());
    let (first, last) = (ends.next().unwrap_or(32_768), ends.next().unwrap_or(60_999));
    let span = last.saturating_sub(first).max(1);
    first + NEXT.fetch_add(1, Ordering::Relaxed) % span
}

fn refuse(address: SocketAddr) -> impl FnOnce(io::Error) -> NetworkError {
    move |source| match source.kind() {
        io::ErrorKind::AddrInUse => NetworkError::PortAllocated(address),
        _ => NetworkError::Bind { address, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn publish(ports: std::ops::RangeInclusive<u16>, protocol: Protocol) -> Publish {
        Publish {
            host_ip: Some(LOCAL),
            host_ports: ports,
            container_port: 80,
            protocol,
        }
    }

    fn nobody(_: &Published) -> bool {
        false
    }

    #[test]
    fn a_port_that_a_process_has_is_allocated() {
        let server = std::net::TcpListener::bind((LOCAL, 0)).unwrap();
        let port = server.local_addr().unwrap().port();
        let error = take(&publish(port..=port, Protocol::Tcp), &[LOCAL], &nobody).unwrap_err();
        let expected = format!("Bind for 127.0.0.1:{port} failed: port is already allocated");
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_taken_port_is_nobody_elses_until_it_is_dropped() {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let taken = take(&publish(0..=0, protocol), &[LOCAL], &nobody).unwrap();
            let port = taken[0].published.host_port;
            let bound = |port| match protocol {
                Protocol::Udp => std::net::UdpSocket::bind((LOCAL, port)).map(drop),
                _ => std::net::TcpListener::bind((LOCAL, port)).map(drop),
            };
            assert_eq!(bound(port).unwrap_err().kind(), io::ErrorKind::AddrInUse);
            let again = take(&publish(port..=port, protocol), &[LOCAL], &nobody);
            assert!(matches!(again, Err(NetworkError::PortAllocated(_))));
            drop(taken);
            bound(port).unwrap();
        }
    }

    #[test]
    fn a_port_is_free_although_a_child_that_is_being_started_has_a_copy() {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let taken = take(&publish(0..=0, protocol), &[LOCAL], &nobody).unwrap();
            let port = taken[0].published.host_port;
            let copy = taken[0].socket.as_ref().unwrap().try_clone().unwrap();
            drop(taken);
            let again = take(&publish(port..=port, protocol), &[LOCAL], &nobody).unwrap();
            let copy_again = again[0].socket.as_ref().unwrap().try_clone().unwrap();
            drop(again);
            let last = take(&publish(port..=port, protocol), &[LOCAL], &nobody).unwrap();
            let error = take(&publish(port..=port, protocol), &[LOCAL], &nobody).unwrap_err();
            assert!(matches!(error, NetworkError::PortAllocated(_)), "{error}");
            drop((copy, copy_again, last));
        }
    }

    #[test]
    fn a_port_that_others_share_is_theirs() {
        // As who hears multicasts has it.
        let wildcard = SocketAddr::from(([0, 0, 0, 0], ANY));
        let (shared, _) = reserve(wildcard, Protocol::Udp).unwrap();
        let shared = shared.unwrap();
        set_socket_reuseaddr(&shared, true).unwrap();
        let port = SocketAddr::try_from(getsockname(&shared).unwrap())
            .unwrap()
            .port();
        for ip in [LOCAL, wildcard.ip()] {
            let error = take(&publish(port..=port, Protocol::Udp), &[ip], &nobody).unwrap_err();
            let expected = format!("Bind for {ip}:{port} failed: port is already allocated");
            assert_eq!(error.to_string(), expected);
        }
        drop(shared);
        let taken = take(&publish(port..=port, Protocol::Udp), &[LOCAL], &nobody).unwrap();
        // Nor does ours become one that others share.
        let other = open(wildcard, Protocol::Udp).unwrap();
        set_socket_reuseaddr(&other, true).unwrap();
        let address = SocketAddr::new(LOCAL, port);
        assert_eq!(bind(&other, &address), Err(Errno::ADDRINUSE));
        drop(taken);
    }

    #[test]
    fn of_a_range_the_first_free_one_is_taken() {
        // Two ports side by side, one of which is taken.
        let (first, port) = loop {
            let first = take(&publish(0..=0, Protocol::Tcp), &[LOCAL], &nobody).unwrap();
            let port = first[0].published.host_port;
            if port < u16::MAX && std::net::TcpListener::bind((LOCAL, port + 1)).is_ok() {
                break (first, port);
            }
        };
        let second = take(&publish(port..=port + 1, Protocol::Tcp), &[LOCAL], &nobody).unwrap();
        assert_eq!(second[0].published.host_port, port + 1);
        drop(first);
    }

    #[test]
    fn what_the_table_has_is_taken_too() {
        let everything = |_: &Published| true;
        let taken = take(&publish(0..=0, Protocol::Tcp), &[LOCAL], &everything);
        assert!(matches!(taken, Err(NetworkError::PortAllocated(_))));
    }

    #[test]
    fn an_address_of_another_host_is_told() {
        let elsewhere = "192.0.2.1".parse().unwrap();
        let error = take(&publish(0..=0, Protocol::Tcp), &[elsewhere], &nobody).unwrap_err();
        assert!(matches!(error, NetworkError::Bind { .. }), "{error}");
    }
}
