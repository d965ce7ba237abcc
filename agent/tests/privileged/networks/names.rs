//! Names, asked for by the C library's resolver in a container.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use plimsoll::engine::network::dns::{Upstreams, serve};
use plimsoll::engine::network::{Networks, ResolvConf, Resolver};
use tokio_util::sync::CancellationToken;

use super::world::{Container, Server, UPLINK, ask_udp, network, on_host};
use crate::support::{installed, poll};

/// An agent's responder, on a thread that is in the host's namespace.
struct Responder<'scope> {
    cancel: CancellationToken,
    thread: Option<std::thread::ScopedJoinHandle<'scope, ()>>,
}

impl<'scope> Responder<'scope> {
    fn start(
        scope: &'scope std::thread::Scope<'scope, '_>,
        networks: &Networks,
        upstreams: Upstreams,
    ) -> Self {
        let cancel = CancellationToken::new();
        let (names, token) = (networks.names(), cancel.clone());
        let thread = scope.spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime
                .enable_all()
                .build()
                .unwrap()
                .block_on(serve(names, upstreams, token));
        });
        Self {
            cancel,
            thread: Some(thread),
        }
    }

    fn stop(mut self) {
        self.cancel.cancel();
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Responder<'_> {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

fn nobody() -> Upstreams {
    Arc::new(Vec::new)
}

/// The addresses that the C library finds in the container, whose `resolv.conf` is the one we generate.
fn look_up(container: &Container, gateway: &str, name: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("resolv.conf");
    let gateway: IpAddr = gateway.parse().unwrap();
    let conf = ResolvConf::default().for_container(&ResolvConf::default(), Resolver::Ours(gateway));
    std::fs::write(&file, conf.to_text() + "options timeout:1 attempts:2\n").unwrap();
    let script = format!(
        "mount --bind {} /etc/resolv.conf && getent ahosts {name}",
        file.display()
    );
    let output = container.namespace.run(|| {
        let mut command = std::process::Command::new("unshare");
        command.args(["-m", "sh", "-c", &script]).output().unwrap()
    });
    let mut addresses: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| line.contains("STREAM"))
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect();
    addresses.sort();
    addresses
}

#[test]
fn containers_of_a_network_find_each_other_by_name() {
    let test = "containers_of_a_network_find_each_other_by_name";
    if !installed(test, "getent") {
        return;
    }
    on_host(test, |host| {
        let networks = host.networks();
        networks.create(&network("front", "10.90.0.0/24")).unwrap();
        networks.create(&network("back", "10.91.0.0/24")).unwrap();
        let (web, peer, db) = (
            Container::new("web"),
            Container::new("peer"),
            Container::new("db"),
        );
        peer.attach(&networks, "front", &[]);
        let mut wish = web.wish(&[]);
        wish.aliases = vec!["www".into()];
        let endpoint = networks
            .attach("front", &web.id, &web.namespace.path(), &wish)
            .unwrap();
        db.attach(&networks, "back", &[]);
        std::thread::scope(|scope| {
            let responder = Responder::start(scope, &networks, nobody());
            poll("an answer", || {
                (look_up(&peer, "10.90.0.1", "web") == ["10.90.0.3"]).then_some(())
            });
            for name in ["web.front", "www", "web-host", &web.id[..12]] {
                assert_eq!(look_up(&peer, "10.90.0.1", name), ["10.90.0.3"], "{name}");
            }
            assert!(
                look_up(&peer, "10.90.0.1", "db").is_empty(),
                "another network's"
            );
            // Its responder does not answer here either.
            assert!(look_up(&peer, "10.91.0.1", "db").is_empty());

            networks.rename(&web.id, "site").unwrap();
            assert_eq!(look_up(&peer, "10.90.0.1", "site"), ["10.90.0.3"]);
            let second = peer.attach(&networks, "back", &[]);
            assert_eq!(look_up(&peer, "10.90.0.1", "db"), ["10.91.0.2"]);
            networks.detach(&second).unwrap();
            assert!(look_up(&peer, "10.90.0.1", "db").is_empty());
            networks.detach(&endpoint).unwrap();
            assert!(look_up(&peer, "10.90.0.1", "site").is_empty());
            responder.stop();
        });
        // The next agent's, from what is on disk.
        drop(networks);
        let networks = host.networks();
        std::thread::scope(|scope| {
            let responder = Responder::start(scope, &networks, nobody());
            poll("an answer", || {
                (look_up(&peer, "10.90.0.1", "peer") == ["10.90.0.2"]).then_some(())
            });
            responder.stop();
        });
    });
}

#[test]
fn other_names_are_asked_of_who_answers() {
    let test = "other_names_are_asked_of_who_answers";
    if !installed(test, "getent") {
        return;
    }
    on_host(test, |host| {
        let networks = host.networks();
        let mut internal = network("hidden", "10.92.0.0/24");
        internal.internal = Some(true);
        networks.create(&internal).unwrap();
        let (web, hidden) = (Container::new("web"), Container::new("hidden"));
        let endpoint = web.attach(&networks, "bridge", &[]);
        hidden.attach(&networks, "hidden", &[]);
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let lively = UdpSocket::bind("127.0.0.1:0").unwrap();
        let servers: Vec<SocketAddr> = [&silent, &lively]
            .map(|one| one.local_addr().unwrap())
            .into();
        // Says 192.0.2.77 to every question for an IPv4 address: the question, with one record behind it.
        std::thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((length, asker)) = lively.recv_from(&mut buffer) {
                let mut reply = buffer[..length].to_vec();
                let is_a = reply[length - 4..] == [0, 1, 0, 1];
                reply[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
                if is_a {
                    reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 77]);
                }
                lively.send_to(&reply, asker).unwrap();
            }
        });
        std::thread::scope(|scope| {
            let upstreams: Upstreams = Arc::new(move || servers.clone());
            let responder = Responder::start(scope, &networks, upstreams);
            let gateway = endpoint.gateways[0].to_string();
            poll("an answer", || {
                (look_up(&web, &gateway, "example.org") == ["192.0.2.77"]).then_some(())
            });
            // Where containers have no names, they are asked of the others, too.
            assert_eq!(look_up(&web, &gateway, "web"), ["192.0.2.77"]);
            assert!(look_up(&hidden, "10.92.0.1", "example.org").is_empty());
            assert_eq!(look_up(&hidden, "10.92.0.1", "hidden"), ["10.92.0.2"]);
            responder.stop();
        });
    });
}

/// A container may be a name server for others, and the host have one: containers' questions to the gateway are the
/// responder's all the same.
#[test]
fn port_53_is_for_containers_and_the_host() {
    let test = "port_53_is_for_containers_and_the_host";
    if !installed(test, "getent") {
        return;
    }
    on_host(test, |host| {
        let networks = host.networks();
        networks.create(&network("front", "10.90.0.0/24")).unwrap();
        let (server, peer) = (Container::new("server"), Container::new("peer"));
        std::thread::scope(|scope| {
            let responder = Responder::start(scope, &networks, nobody());
            peer.attach(&networks, "front", &[]);
            poll("an answer", || {
                (look_up(&peer, "10.90.0.1", "peer") == ["10.90.0.2"]).then_some(())
            });
            let endpoint = server.attach(&networks, "front", &["53:53/udp", "53:53"]);
            let answering = Server::start(&server.namespace, 53);
            assert!(host.outside.ask(UPLINK, 53).is_some());
            assert!(host.outside.run(|| ask_udp(UPLINK, 53)).is_some());
            assert_eq!(look_up(&peer, "10.90.0.1", "server"), ["10.90.0.3"]);
            drop(answering);
            networks.detach(&endpoint).unwrap();
            let hosts_own = UdpSocket::bind("0.0.0.0:53").unwrap();
            peer.attach(&networks, "bridge", &[]);
            assert_eq!(look_up(&peer, "10.90.0.1", "peer").len(), 1);
            drop(hosts_own);
            responder.stop();
        });
    });
}
