//! The sockets of one network's responder, and who is answered at them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt::BindToDevice};
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::answer::{Verdict, answer, failure};
use super::names::Names;
use super::serve::Upstreams;
use super::upstream::{DOMAIN, Favourite, read, write};

/// Where it listens: questions for port 53 of the gateway are led here, so that a container can publish that port and
/// a program of the host's can have it. Not one of those that the kernel gives away (`ip_local_port_range`).
pub(in crate::engine::network) const PORT: u16 = 11_053;
/// Questions that are passed on at once. More are dropped, and asked again.
const UNDER_WAY: usize = 256;
/// Connections at once, and how long one may be silent (RFC 7766, 6.2.3 wants seconds).
const CONNECTIONS: usize = 64;
const IDLE: Duration = Duration::from_secs(10);
/// The longest datagram.
const LONGEST: usize = 65_535;

/// Sockets at a bridge's address that hear nothing but this bridge.
pub(super) struct Sockets {
    datagrams: UdpSocket,
    connections: TcpListener,
}

/// Who answers at them.
pub(super) struct Responder {
    /// The network's id.
    pub(super) zone: String,
    pub(super) names: Names,
    pub(super) upstreams: Upstreams,
    pub(super) favourite: Favourite,
    pub(super) dropped: AtomicU64,
}

impl Sockets {
    pub(super) fn bind(address: Ipv4Addr, bridge: &str) -> io::Result<Self> {
        let address = SocketAddr::from((address, PORT));
        let open = |kind| -> io::Result<_> {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = socket_with(AddressFamily::INET, kind, flags, None)?;
            setsockopt(&socket, BindToDevice, &bridge.into())?;
            Ok(socket)
        };
        let datagrams = open(SocketType::DGRAM)?;
        bind(&datagrams, &address)?;
        let connections = open(SocketType::STREAM)?;
        // Over what is left of an earlier agent's connections.
        set_socket_reuseaddr(&connections, true)?;
        bind(&connections, &address)?;
        listen(&connections, 128)?;
        Ok(Self {
            datagrams: UdpSocket::from_std(datagrams.into())?,
            connections: TcpListener::from_std(connections.into())?,
        })
    }
}

impl Responder {
    /// Until it is cancelled.
    pub(super) async fn run(self: Arc<Self>, sockets: Sockets, cancel: CancellationToken) {
        let datagrams = Arc::new(sockets.datagrams);
        let under_way = Arc::new(Semaphore::new(UNDER_WAY));
        let connected = Arc::new(Semaphore::new(CONNECTIONS));
        let mut tasks = JoinSet::new();
        let mut buffer = vec![0; LONGEST];
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
                received = datagrams.recv_from(&mut buffer) => {
                    // An error is an earlier answer's, whose asker is gone (ICMP).
                    let Ok((length, asker)) = received else { continue };
                    let question = buffer.get(..length).unwrap_or_default();
                    match self.look_up(asker.ip(), question, true) {
                        Verdict::Drop => {}
                        // An asker that is gone is no loss.
                        Verdict::Reply(reply) => drop(datagrams.send_to(&reply, asker).await),
                        Verdict::Forward(servers) => {
                            let Ok(permit) = Arc::clone(&under_way).try_acquire_owned() else {
                                self.count_dropped(asker.ip());
                                continue;
                            };
                            let (this, socket) = (Arc::clone(&self), Arc::clone(&datagrams));
                            let question = question.to_vec();
                            tasks.spawn(async move {
                                if let Some(reply) = this.pass_on(&servers, &question, true).await {
                                    drop(socket.send_to(&reply, asker).await);
                                }
                                drop(permit);
                            });
                        }
                    }
                }
                accepted = sockets.connections.accept() => {
                    let Ok((stream, asker)) = accepted else { continue };
                    let Ok(permit) = Arc::clone(&connected).try_acquire_owned() else { continue };
                    let this = Arc::clone(&self);
                    tasks.spawn(async move {
                        if let Err(error) = this.converse(stream, asker.ip()).await {
                            tracing::debug!(%asker, %error, "a connection for names ended");
                        }
                        drop(permit);
                    });
                }
            }
        }
    }

    async fn converse(&self, mut stream: TcpStream, asker: IpAddr) -> io::Result<()> {
        while let Ok(question) = timeout(IDLE, read(&mut stream)).await {
            let question = question?;
            let reply = match self.look_up(asker, &question, false) {
                Verdict::Drop => return Ok(()),
                Verdict::Reply(reply) => Some(reply),
                Verdict::Forward(servers) => self.pass_on(&servers, &question, false).await,
            };
            let Some(reply) = reply else { return Ok(()) };
            timeout(IDLE, write(&mut stream, &reply)).await??;
        }
        Ok(())
    }

    /// Told ever more seldom: one who asks too much is not to fill the log.
    fn count_dropped(&self, asker: IpAddr) {
        let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
        if dropped.is_power_of_two() {
            tracing::warn!(%asker, dropped, network = self.zone, "questions for names are dropped: too many at once");
        }
    }

    fn look_up(&self, asker: IpAddr, question: &[u8], datagram: bool) -> Verdict {
        let table = Arc::clone(&self.names.0.borrow());
        answer(&table, &self.zone, asker, question, datagram)
    }

    async fn pass_on(
        &self,
        servers: &[IpAddr],
        question: &[u8],
        datagram: bool,
    ) -> Option<Vec<u8>> {
        let wished: Vec<SocketAddr> = servers
            .iter()
            .map(|ip| SocketAddr::new(*ip, DOMAIN))
            .collect();
        let servers = if wished.is_empty() {
            (self.upstreams)()
        } else {
            wished
        };
        match self.favourite.ask(&servers, question, datagram).await {
            Some(reply) => Some(reply),
            None => match failure(question) {
                Verdict::Reply(reply) => Some(reply),
                Verdict::Forward(_) | Verdict::Drop => None,
            },
        }
    }
}
