//! Published ports, from everywhere one can come from.

use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use plimsoll::engine::network::{Protocol, Publish, Published, Wish};

use super::world::{Container, Netns, OUTSIDE, Server, UPLINK, ask, ask_udp, network, on_host};
use crate::support::installed;

#[test]
fn a_published_port_is_reached_from_everywhere() {
    on_host("a_published_port_is_reached_from_everywhere", |host| {
        let networks = host.networks();
        networks.create(&network("front", "10.90.0.0/24")).unwrap();
        networks.create(&network("back", "10.91.0.0/24")).unwrap();
        let (web, peer, other) = (
            Container::new("web"),
            Container::new("peer"),
            Container::new("other"),
        );
        let endpoint = web.attach(&networks, "front", &["8080:80", "8080:80/udp"]);
        peer.attach(&networks, "front", &[]);
        other.attach(&networks, "back", &[]);
        let _server = Server::start(&web.namespace, 80);
        let inside = endpoint.ipv4().unwrap().addr().to_string();

        assert_eq!(
            host.outside.ask(UPLINK, 8080).unwrap(),
            OUTSIDE,
            "with the asker's own address"
        );
        assert_eq!(host.outside.run(|| ask_udp(UPLINK, 8080)).unwrap(), OUTSIDE);
        assert_eq!(ask(UPLINK, 8080).unwrap(), UPLINK, "from the host");
        assert_eq!(
            ask("127.0.0.1", 8080).unwrap(),
            "10.90.0.1",
            "from the host's loopback"
        );
        assert_eq!(ask_udp("127.0.0.1", 8080).unwrap(), "10.90.0.1");
        assert_eq!(ask(&inside, 80).unwrap(), "10.90.0.1", "directly");
        assert_eq!(
            peer.namespace.ask(&inside, 80).unwrap(),
            "10.90.0.3",
            "from its network"
        );
        assert_eq!(peer.namespace.ask(UPLINK, 8080).unwrap(), "10.90.0.1");
        assert_eq!(
            web.namespace.ask(UPLINK, 8080).unwrap(),
            "10.90.0.1",
            "from itself"
        );
        assert!(
            other.namespace.ask(UPLINK, 8080).is_some(),
            "from another network"
        );

        networks.detach(&endpoint).unwrap();
        assert_eq!(host.outside.ask(UPLINK, 8080), None);
        assert_eq!(ask("127.0.0.1", 8080), None);
    });
}

#[test]
fn a_port_on_one_address_is_on_no_other() {
    on_host("a_port_on_one_address_is_on_no_other", |host| {
        let networks = host.networks();
        let web = Container::new("web");
        let ports = ["127.0.0.1:8081:80", "192.0.2.1:8082:80"];
        let endpoint = web.attach(&networks, "bridge", &ports);
        let _server = Server::start(&web.namespace, 80);
        assert!(ask("127.0.0.1", 8081).is_some());
        assert_eq!(ask(UPLINK, 8081), None);
        assert!(host.outside.ask(UPLINK, 8082).is_some());
        assert_eq!(ask("127.0.0.1", 8082), None);

        // A neighbour that sends what is for 127.0.0.1, and one that sends what is for the container.
        let inside = endpoint.ipv4().unwrap().addr().to_string();
        host.outside.run(|| {
            super::world::ip("address del 127.0.0.1/8 dev lo");
            std::fs::write("/proc/sys/net/ipv4/conf/all/route_localnet", "1").unwrap();
            std::fs::write("/proc/sys/net/ipv4/conf/up0/route_localnet", "1").unwrap();
            super::world::ip(&format!("route add 127.0.0.1 via {UPLINK} src {OUTSIDE}"));
            super::world::ip(&format!("route add {inside} via {UPLINK}"));
        });
        assert_eq!(host.outside.ask("127.0.0.1", 8081), None);
        assert_eq!(host.outside.ask(&inside, 80), None);
    });
}

#[test]
fn containers_do_not_reach_the_hosts_loopback() {
    on_host("containers_do_not_reach_the_hosts_loopback", |host| {
        let networks = host.networks();
        let web = Container::new("web");
        web.attach(&networks, "bridge", &[]);
        let _private = TcpListener::bind("127.0.0.1:7070").unwrap();
        let bridge = "172.17.0.1";
        web.namespace.run(|| {
            super::world::ip("address del 127.0.0.1/8 dev lo");
            std::fs::write("/proc/sys/net/ipv4/conf/all/route_localnet", "1").unwrap();
            super::world::ip(&format!("route add 127.0.0.1 via {bridge} src 172.17.0.2"));
            let connected = std::net::TcpStream::connect_timeout(
                &"127.0.0.1:7070".parse().unwrap(),
                std::time::Duration::from_millis(700),
            );
            assert!(connected.is_err());
        });
    });
}

#[test]
fn a_port_is_given_once() {
    on_host("a_port_is_given_once", |host| {
        let networks = host.networks();
        let (web, other) = (Container::new("web"), Container::new("other"));
        let endpoint = web.attach(&networks, "bridge", &["8080:80"]);
        let attach = |ports: &[&str]| {
            networks.attach(
                "bridge",
                &other.id,
                &other.namespace.path(),
                &other.wish(ports),
            )
        };
        let words = "Bind for 0.0.0.0:8080 failed: port is already allocated";
        assert_eq!(attach(&["8080:80"]).unwrap_err().to_string(), words);
        assert!(attach(&["127.0.0.1:8080:80"]).is_err());
        assert!(
            TcpListener::bind("0.0.0.0:8080").is_err(),
            "no process gets it either"
        );
        let taken = TcpListener::bind("0.0.0.0:9090").unwrap();
        let words = "Bind for 0.0.0.0:9090 failed: port is already allocated";
        assert_eq!(attach(&["9090:80"]).unwrap_err().to_string(), words);
        drop(taken);

        // An agent that comes after holds it again, and does not give it away.
        drop(networks);
        assert!(TcpListener::bind("0.0.0.0:8080").is_ok());
        let networks = host.networks();
        assert!(TcpListener::bind("0.0.0.0:8080").is_err());
        networks.detach(&endpoint).unwrap();
        other.attach(&networks, "bridge", &["8080:80", "9090:80"]);
        // What failed before has left nothing that is in the way now.
        assert_eq!(networks.endpoints(&other.id).len(), 1);
    });
}

#[test]
fn a_random_port_is_one_the_kernel_gives() {
    on_host("a_random_port_is_one_the_kernel_gives", |host| {
        let networks = host.networks();
        let web = Container::new("web");
        std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40099").unwrap();
        let endpoint = web.attach(&networks, "bridge", &["80-82", "80/sctp"]);
        assert_eq!(endpoint.ports.len(), 4);
        let _server = Server::start(&web.namespace, 80);
        for port in &endpoint.ports {
            assert!((40_000..40_100).contains(&port.host_port), "{port:?}");
        }
        let web80 = endpoint
            .ports
            .iter()
            .find(|port| port.container_port == 80 && port.protocol == Protocol::Tcp);
        assert!(host.outside.ask(UPLINK, web80.unwrap().host_port).is_some());
        let map = Published::to_map(&endpoint.ports);
        assert_eq!(Publish::from_map(&map).unwrap().len(), 4);
    });
}

#[test]
fn curl_gets_a_page_through_a_published_port() {
    let test = "curl_gets_a_page_through_a_published_port";
    if !installed(test, "curl") {
        return;
    }
    on_host(test, |host| {
        let networks = host.networks();
        let web = Container::new("web");
        web.attach(&networks, "bridge", &["8080:80"]);
        let _server = Server::start(&web.namespace, 80);
        let url = format!("-sS --max-time 5 http://{UPLINK}:8080/");
        assert_eq!(
            host.outside.run(|| super::world::run("curl", &url)),
            OUTSIDE
        );
    });
}

#[test]
fn who_keeps_its_port_reaches_the_next_container() {
    on_host("who_keeps_its_port_reaches_the_next_container", |host| {
        let networks = host.networks();
        let asker = host
            .outside
            .run(|| UdpSocket::bind((OUTSIDE, 5_555)).unwrap());
        asker
            .set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        let ask = || {
            asker.send_to(b"who am I", (UPLINK, 8080)).unwrap();
            let mut buffer = [0; 64];
            asker.recv(&mut buffer).ok()
        };
        networks
            .attach("bridge", "first", &Netns::make().path(), &Wish::default())
            .unwrap();
        assert_eq!(ask(), None, "nobody is there yet");
        for name in ["web", "again"] {
            let container = Container::new(name);
            let endpoint = container.attach(&networks, "bridge", &["8080:80/udp"]);
            let _server = Server::start(&container.namespace, 80);
            assert!(poll_some(ask), "{name}");
            networks.detach(&endpoint).unwrap();
            assert_eq!(ask(), None);
        }
    });
}

/// The way to a new neighbour takes a moment to find.
fn poll_some<T>(mut ask: impl FnMut() -> Option<T>) -> bool {
    (0..3).any(|_| ask().is_some())
}
