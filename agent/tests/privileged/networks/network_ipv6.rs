//! Networks that have IPv6 besides.

use super::world::{Container, Netns, Server, ask, ip, network, on_host};
use crate::support::{poll, skip};

const TEST: &str = "a_network_with_ipv6_is_reached_in_both_families";

#[test]
fn a_network_with_ipv6_is_reached_in_both_families() {
    if !std::path::Path::new("/proc/sys/net/ipv6").exists() {
        return skip(TEST, "the kernel has no IPv6");
    }
    on_host(TEST, |host| {
        let forwarding = "/proc/sys/net/ipv6/conf/all/forwarding";
        let uplink = |namespace: Option<&Netns>, address: &str| {
            let add = format!("address add {address}/64 dev up0 nodad");
            namespace.map_or_else(|| ip(&add), |namespace| namespace.run(|| ip(&add)))
        };
        uplink(None, "2001:db8::1");
        uplink(Some(&host.outside), "2001:db8::2");
        std::fs::write("/proc/sys/net/ipv6/conf/up0/accept_ra", "1").unwrap();
        let networks = host.networks();
        let mut request = network("front", "10.90.0.0/24");
        request.enable_ipv6 = Some(true);
        networks.create(&request).unwrap();
        assert_eq!(std::fs::read_to_string(forwarding).unwrap().trim(), "1");
        let accept = || std::fs::read_to_string("/proc/sys/net/ipv6/conf/up0/accept_ra").unwrap();
        assert_eq!(
            accept().trim(),
            "2",
            "the host goes on listening to routers"
        );

        let (web, peer) = (Container::new("web"), Container::new("peer"));
        let endpoint = web.attach(&networks, "front", &["8080:80"]);
        peer.attach(&networks, "front", &[]);
        let _server = Server::start(&web.namespace, 80);
        let _outside = Server::start(&host.outside, 81);
        let inside = endpoint.ipv6().unwrap().addr().to_string();
        // Who asks for a neighbour in vain asks again after a second (RFC 4861, 10), which is longer than one try.
        poll("the neighbour", || peer.namespace.ask(&inside, 80));
        assert_eq!(endpoint.ports.len(), 2);
        // The uplinks' own link-local addresses take a second to be sure that nobody else has them.
        poll("the way in", || host.outside.ask("2001:db8::1", 8080));
        assert_eq!(
            host.outside.ask("2001:db8::1", 8080).unwrap(),
            "2001:db8::2"
        );
        assert!(host.outside.ask("192.0.2.1", 8080).is_some());
        assert!(ask("2001:db8::1", 8080).is_some());
        assert!(web.namespace.ask("2001:db8::1", 8080).is_some(), "itself");
        assert_eq!(web.namespace.ask("2001:db8::2", 81).unwrap(), "2001:db8::1");

        networks.detach(&endpoint).unwrap();
        networks.detach(&networks.endpoints(&peer.id)[0]).unwrap();
        networks.remove("front").unwrap();
        assert_eq!(std::fs::read_to_string(forwarding).unwrap().trim(), "0");
        assert_eq!(accept().trim(), "1");
    });
}

#[test]
fn without_ipv6_a_container_has_none() {
    on_host("without_ipv6_a_container_has_none", |host| {
        let networks = host.networks();
        let web = Container::new("web");
        web.attach(&networks, "bridge", &[]);
        assert_eq!(web.namespace.run(|| ip("-6 address show dev eth0")), "");
        let wish = web.wish(&["[::]:8080:80"]);
        let other = Container::new("other");
        let refused = networks.attach("bridge", &other.id, &other.namespace.path(), &wish);
        assert!(refused.unwrap_err().to_string().contains("has no IPv6"));
    });
}
