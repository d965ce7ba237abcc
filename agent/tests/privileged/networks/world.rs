//! A host, containers on it and a neighbour, each a network namespace.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bollard::models::NetworkCreateRequest;
use nix::sched::{CloneFlags, setns, unshare};
use plimsoll::engine::network::{Endpoint, Networks, Publish, Wish};

use crate::support::{installed, skip};

/// The host towards its neighbour, and the neighbour.
pub(super) const UPLINK: &str = "192.0.2.1";
pub(super) const OUTSIDE: &str = "192.0.2.2";
/// For what is expected not to come.
const PATIENCE: Duration = Duration::from_millis(700);

/// A network namespace, alive as long as this is.
pub(super) struct Netns(File);

/// What a test sees of its host: it runs in the host's namespace itself.
pub(super) struct Host {
    pub(super) directory: tempfile::TempDir,
    /// Beyond a wire, without a route to containers.
    pub(super) outside: Netns,
}

/// Runs a test in a network namespace of its own, or skips it.
pub(super) fn on_host(test: &str, body: impl FnOnce(&Host) + Send) {
    for tool in ["ip", "nft"] {
        if !installed(test, tool) {
            return;
        }
    }
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
                return skip(test, &format!("no network namespaces: {error}"));
            }
            ip("link set lo up");
            if !succeeds("ip", "link add probe0 type bridge")
                || !succeeds("nft", "add table inet probe")
            {
                return skip(test, "the kernel has no bridges or no nftables");
            }
            ip("link del probe0");
            run("nft", "delete table inet probe");
            let outside = Netns::make();
            let other = format!("/proc/{}/fd/{}", std::process::id(), outside.0.as_raw_fd());
            ip(&format!(
                "link add up0 type veth peer name up0 netns {other}"
            ));
            ip(&format!("address add {UPLINK}/24 dev up0"));
            ip("link set up0 up");
            outside.run(|| {
                ip("link set lo up");
                ip(&format!("address add {OUTSIDE}/24 dev up0"));
                ip("link set up0 up");
            });
            let directory = tempfile::tempdir().unwrap();
            body(&Host { directory, outside });
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

impl Host {
    pub(super) fn networks(&self) -> Networks {
        Networks::open(self.directory.path()).unwrap()
    }
}

impl Netns {
    /// As a container's is before anybody attached it: with `lo` down.
    pub(super) fn make() -> Self {
        let make = || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            File::open("/proc/thread-self/ns/net").unwrap()
        };
        Self(std::thread::scope(|scope| {
            scope.spawn(make).join().unwrap()
        }))
    }

    /// Where the agent finds it.
    pub(super) fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd()).into()
    }

    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
                work()
            });
            thread.join().unwrap()
        })
    }

    /// What a server of this namespace's or another's says to somebody here; see [`Server`].
    pub(super) fn ask(&self, address: &str, port: u16) -> Option<String> {
        self.run(|| ask(address, port))
    }
}

/// A container: a namespace that is attached to networks.
pub(super) struct Container {
    pub(super) id: String,
    pub(super) namespace: Netns,
}

impl Container {
    pub(super) fn new(name: &str) -> Self {
        let id = format!("{name:-<8}0123456789abcdef");
        let namespace = Netns::make();
        // As a container is made.
        namespace.run(|| ip("link set lo up"));
        Self { id, namespace }
    }

    /// Named as its id begins, with ports as `-p` has them.
    pub(super) fn attach(&self, networks: &Networks, network: &str, ports: &[&str]) -> Endpoint {
        let wish = self.wish(ports);
        networks
            .attach(network, &self.id, &self.namespace.path(), &wish)
            .unwrap()
    }

    pub(super) fn wish(&self, ports: &[&str]) -> Wish {
        let name = self.id.split('-').next().unwrap().to_owned();
        Wish {
            hostname: format!("{name}-host"),
            name,
            ports: ports
                .iter()
                .flat_map(|port| Publish::parse(port).unwrap())
                .collect(),
            ..Wish::default()
        }
    }
}

/// Says to everybody from which address it sees them, over TCP and over UDP.
pub(super) struct Server(Arc<AtomicBool>, Vec<std::thread::JoinHandle<()>>);

impl Server {
    pub(super) fn start(namespace: &Netns, port: u16) -> Self {
        let (tcp, udp) = namespace.run(|| {
            let any: IpAddr = if std::path::Path::new("/proc/sys/net/ipv6").exists() {
                "::".parse().unwrap()
            } else {
                "0.0.0.0".parse().unwrap()
            };
            let address = SocketAddr::new(any, port);
            (
                TcpListener::bind(address).unwrap(),
                UdpSocket::bind(address).unwrap(),
            )
        });
        tcp.set_nonblocking(true).unwrap();
        udp.set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let (over_tcp, over_udp) = (Arc::clone(&ended), Arc::clone(&ended));
        let tcp = std::thread::spawn(move || {
            while !over_tcp.load(Ordering::Relaxed) {
                match tcp.accept() {
                    Ok((mut stream, peer)) => {
                        let said = peer.ip().to_canonical().to_string();
                        let length = said.len();
                        let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n");
                        stream.set_read_timeout(Some(PATIENCE)).unwrap();
                        // Who hangs up meanwhile is no loss; with a question unread, all would be.
                        let _ = write!(stream, "{head}{said}");
                        let _ = stream.shutdown(Shutdown::Write);
                        let _ = stream.read_to_end(&mut Vec::new());
                    }
                    Err(_) => std::thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        let udp = std::thread::spawn(move || {
            let mut buffer = [0; 64];
            while !over_udp.load(Ordering::Relaxed) {
                if let Ok((_, peer)) = udp.recv_from(&mut buffer) {
                    udp.send_to(peer.ip().to_canonical().to_string().as_bytes(), peer)
                        .unwrap();
                }
            }
        });
        Self(ended, vec![tcp, udp])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        for thread in self.1.drain(..) {
            thread.join().unwrap();
        }
    }
}

/// From the namespace of the calling thread; `None`: no connection.
pub(super) fn ask(address: &str, port: u16) -> Option<String> {
    let address = SocketAddr::new(address.parse().unwrap(), port);
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).ok()?;
    Some(said.rsplit_once("\r\n").unwrap().1.to_owned())
}

/// The same by UDP.
pub(super) fn ask_udp(address: &str, port: u16) -> Option<String> {
    let address = SocketAddr::new(address.parse().unwrap(), port);
    let any = if address.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = UdpSocket::bind(any).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(address).ok()?;
    socket.send(b"who am I").ok()?;
    let mut buffer = [0; 64];
    let length = socket.recv(&mut buffer).ok()?;
    Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// A request for a network with a subnet.
pub(super) fn network(name: &str, subnet: &str) -> NetworkCreateRequest {
    let request = serde_json::json!({"Name": name, "IPAM": {"Config": [{"Subnet": subnet}]}});
    serde_json::from_value(request).unwrap()
}

pub(super) fn ip(arguments: &str) -> String {
    run("ip", arguments)
}

pub(super) fn run(program: &str, arguments: &str) -> String {
    let output = Command::new(program)
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

pub(super) fn succeeds(program: &str, arguments: &str) -> bool {
    let output = Command::new(program)
        .args(arguments.split_whitespace())
        .output();
    output.unwrap().status.success()
}

/// Names of interfaces, without `@` and what follows.
pub(super) fn interfaces() -> Vec<String> {
    let links: serde_json::Value = serde_json::from_str(&ip("-j link")).unwrap();
    let links = links.as_array().unwrap().iter();
    links
        .map(|link| link["ifname"].as_str().unwrap().to_owned())
        .collect()
}
