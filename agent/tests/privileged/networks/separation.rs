//! Who reaches whom, and who does not.

use std::collections::HashMap;

use super::world::{
    Container, Netns, OUTSIDE, Server, UPLINK, ask, interfaces, ip, network, on_host, run,
};
use crate::support::poll;

#[test]
fn networks_are_apart_and_lead_out() {
    on_host("networks_are_apart_and_lead_out", |host| {
        let networks = host.networks();
        networks.create(&network("front", "10.90.0.0/24")).unwrap();
        networks.create(&network("back", "10.91.0.0/24")).unwrap();
        let (web, peer, db) = (
            Container::new("web"),
            Container::new("peer"),
            Container::new("db"),
        );
        web.attach(&networks, "front", &[]);
        peer.attach(&networks, "front", &[]);
        db.attach(&networks, "back", &[]);
        let _db = Server::start(&db.namespace, 80);
        let _peer = Server::start(&peer.namespace, 80);
        let _outside = Server::start(&host.outside, 80);
        assert!(web.namespace.ask("10.90.0.3", 80).is_some());
        assert_eq!(web.namespace.ask("10.91.0.2", 80), None, "another network");
        assert_eq!(
            web.namespace.ask(OUTSIDE, 80).unwrap(),
            UPLINK,
            "behind the host's address"
        );
        assert!(ask("10.91.0.2", 80).is_some(), "the host reaches all");

        // In both networks it reaches both.
        web.attach(&networks, "back", &[]);
        // The bridge lets its new port forward a moment later: a first packet may be lost.
        poll("the other network", || web.namespace.ask("10.91.0.2", 80));
        let routes = web.namespace.run(|| ip("-j route show default"));
        let routes: serde_json::Value = serde_json::from_str(&routes).unwrap();
        assert_eq!(routes.as_array().unwrap().len(), 1);
        assert_eq!(routes[0]["gateway"], "10.91.0.1", "the first by name");
        let endpoint = networks.endpoints(&web.id).into_iter();
        let back = endpoint.filter(|one| one.gateways.contains(&"10.91.0.1".parse().unwrap()));
        back.for_each(|one| networks.detach(&one).unwrap());
        networks.lead_out(&web.id, &web.namespace.path()).unwrap();
        let routes = web.namespace.run(|| ip("-j route show default"));
        let routes: serde_json::Value = serde_json::from_str(&routes).unwrap();
        assert_eq!(routes[0]["gateway"], "10.90.0.1", "the one that is left");
        assert_eq!(web.namespace.ask(OUTSIDE, 80).unwrap(), UPLINK);
    });
}

#[test]
fn an_internal_network_has_no_way_out() {
    on_host("an_internal_network_has_no_way_out", |host| {
        let networks = host.networks();
        let mut request = network("hidden", "10.90.0.0/24");
        request.internal = Some(true);
        networks.create(&request).unwrap();
        networks.create(&network("front", "10.91.0.0/24")).unwrap();
        let (db, app, web) = (
            Container::new("db"),
            Container::new("app"),
            Container::new("web"),
        );
        let endpoint = db.attach(&networks, "hidden", &["8080:80"]);
        app.attach(&networks, "hidden", &[]);
        web.attach(&networks, "front", &["8081:80"]);
        let _db = Server::start(&db.namespace, 80);
        let _web = Server::start(&web.namespace, 80);
        let _outside = Server::start(&host.outside, 80);
        assert!(app.namespace.ask("10.90.0.2", 80).is_some());
        assert!(endpoint.ports.is_empty());
        // Even with a route of its own making.
        app.namespace.run(|| ip("route add default via 10.90.0.1"));
        assert_eq!(app.namespace.ask(OUTSIDE, 80), None);
        assert_eq!(app.namespace.ask(UPLINK, 8081), None);
        assert_eq!(app.namespace.ask("10.91.0.2", 80), None);
        assert_eq!(host.outside.ask(UPLINK, 8080), None);
        assert!(host.outside.ask(UPLINK, 8081).is_some());
    });
}

#[test]
fn without_icc_containers_do_not_talk() {
    on_host("without_icc_containers_do_not_talk", |host| {
        // Inside of a bridge, packets go through the rules for IP only where this is on, and there.
        let calls = "/proc/sys/net/bridge/bridge-nf-call-iptables";
        let has_calls = std::path::Path::new(calls).exists();
        let networks = host.networks();
        for (name, subnet, value) in [("on", "10.90.0", "1"), ("off", "10.91.0", "0")] {
            if has_calls {
                std::fs::write(calls, value).unwrap();
            }
            let mut request = network(name, &format!("{subnet}.0/24"));
            let option = "com.docker.network.bridge.enable_icc".to_owned();
            request.options = Some(HashMap::from([(option, "false".to_owned())]));
            networks.create(&request).unwrap();
            let (web, peer) = (Container::new("web"), Container::new("peer"));
            let endpoint = web.attach(&networks, name, &["8080:80"]);
            peer.attach(&networks, name, &[]);
            let _server = Server::start(&web.namespace, 80);
            assert_eq!(
                peer.namespace.ask(&format!("{subnet}.2"), 80),
                None,
                "{name}"
            );
            let published = |namespace: &Netns| namespace.ask(UPLINK, 8080).is_some();
            assert!(published(&peer.namespace), "{name}: what is published is");
            assert!(published(&web.namespace), "{name}: also to itself");
            networks.detach(&endpoint).unwrap();
        }
    });
}

#[test]
fn the_host_does_not_become_a_router() {
    on_host("the_host_does_not_become_a_router", |host| {
        let forward = "/proc/sys/net/ipv4/ip_forward";
        std::fs::write(forward, "0").unwrap();
        let far = Netns::make();
        let path = far.path();
        ip(&format!(
            "link add up1 type veth peer name up1 netns {}",
            path.display()
        ));
        ip("address add 198.51.100.1/24 dev up1");
        ip("link set up1 up");
        far.run(|| {
            ip("link set lo up");
            ip("address add 198.51.100.2/24 dev up1");
            ip("link set up1 up");
            ip("route add default via 198.51.100.1");
        });
        host.outside
            .run(|| ip(&format!("route add 198.51.100.0/24 via {UPLINK}")));
        let _server = Server::start(&far, 80);
        assert_eq!(host.outside.ask("198.51.100.2", 80), None);

        let networks = host.networks();
        let web = Container::new("web");
        let endpoint = web.attach(&networks, "bridge", &[]);
        assert_eq!(std::fs::read_to_string(forward).unwrap().trim(), "1");
        assert_eq!(host.outside.ask("198.51.100.2", 80), None, "as before");
        assert!(web.namespace.ask("198.51.100.2", 80).is_some());

        networks.detach(&endpoint).unwrap();
        drop(networks);
        // The next agent knows whose doing it was.
        let networks = host.networks();
        assert!(networks.retire().unwrap());
        assert_eq!(std::fs::read_to_string(forward).unwrap().trim(), "0");
        assert!(!interfaces().contains(&"plimsoll0".to_owned()));
        assert_eq!(run("nft", "list ruleset"), "");

        // A host that forwarded before goes on to.
        std::fs::write(forward, "1").unwrap();
        let endpoint = web.attach(&networks, "bridge", &[]);
        assert!(host.outside.ask("198.51.100.2", 80).is_some());
        networks.detach(&endpoint).unwrap();
        networks.retire().unwrap();
        assert_eq!(std::fs::read_to_string(forward).unwrap().trim(), "1");
    });
}
