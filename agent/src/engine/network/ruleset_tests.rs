use super::*;
use crate::engine::network::pool::Pool;
use crate::engine::network::record::{Driver, sample};
use crate::engine::network::{Protocol, Published};

fn network(name: &str, subnets: &[&str]) -> Network {
    Network {
        id: format!("{name}-id"),
        name: name.into(),
        created: String::new(),
        driver: Driver::Bridge,
        internal: false,
        attachable: false,
        pools: subnets
            .iter()
            .map(|subnet| Pool::whole(subnet.parse().unwrap()))
            .collect(),
        labels: std::collections::BTreeMap::new(),
        options: std::collections::BTreeMap::new(),
    }
}

fn published(ip: &str, host: u16, protocol: Protocol) -> Published {
    Published {
        host_ip: ip.parse().unwrap(),
        host_port: host,
        container_port: 80,
        protocol,
    }
}

fn text(networks: &[Network], endpoints: &[Endpoint]) -> String {
    let rules = Rules {
        networks: networks.iter().collect(),
        endpoints: endpoints.iter().collect(),
        unrouted: [&["eth0".to_owned()], &[]],
    };
    rules.to_text()
}

#[test]
fn without_a_bridge_there_is_no_table() {
    assert_eq!(text(&[], &[]), REPLACE);
}

#[test]
fn ports_are_elements_with_their_containers_id() {
    let mut web = sample("web");
    web.addresses.push("fd00::2/64".parse().unwrap());
    web.ports = vec![
        published("0.0.0.0", 8080, Protocol::Tcp),
        published("127.0.0.1", 8081, Protocol::Udp),
        published("::", 8080, Protocol::Tcp),
    ];
    let text = text(&[network("back", &["172.18.0.0/16", "fd00::/64"])], &[web]);
    for element in [
        "tcp . 8080 comment \"web-0123456789abcdef\" : 172.18.0.2 . 80",
        "127.0.0.1 . udp . 8081 comment \"web-0123456789abcdef\" : 172.18.0.2 . 80",
        "tcp . 8080 comment \"web-0123456789abcdef\" : fd00::2 . 80",
    ] {
        assert_eq!(text.matches(element).count(), 1, "{element} in\n{text}");
    }
    assert!(text.contains("ip6 saddr fd00::/64 masquerade"));
    assert!(text.contains("set unrouted4 { type ifname; elements = { \"eth0\" }; }"));
}

#[test]
fn questions_for_names_come_before_a_containers_own_port_53() {
    let text = text(&[network("back", &["172.18.0.0/16", "fd00::/64"])], &[]);
    assert!(text.contains("\"pl-back-id\" . 172.18.0.1 : 172.18.0.1 . 11053"));
    let prerouting = text.split("chain prerouting").nth(1).unwrap();
    let first = prerouting.find("@responders").unwrap();
    assert!(first < prerouting.find("jump publish").unwrap());
}

#[test]
fn an_internal_network_has_no_way_out_and_no_translation() {
    let mut hidden = network("hidden", &["172.19.0.0/16"]);
    hidden.internal = true;
    let text = text(&[hidden], &[]);
    assert!(text.contains("iifname \"pl-hidden-id\" oifname != \"pl-hidden-id\" drop"));
    assert!(text.contains("iifname != \"pl-hidden-id\" oifname \"pl-hidden-id\" drop"));
    assert!(!text.contains("saddr 172.19.0.0/16"));
}

#[test]
fn dockers_options_are_heeded() {
    let mut back = network("back", &["172.18.0.0/16"]);
    for option in ["enable_icc", "enable_ip_masquerade"] {
        let option = format!("com.docker.network.bridge.{option}");
        back.options.insert(option, "false".into());
    }
    let text = text(&[back], &[]);
    assert!(text.contains("iifname \"pl-back-id\" oifname \"pl-back-id\" drop"));
    assert!(!text.contains("oifname != \"pl-back-id\" ip saddr"));
}

#[test]
fn an_id_cannot_end_its_comment() {
    assert_eq!(tag("a\" : 1 } ; drop"), "a1drop");
    assert_eq!(tag(&"f".repeat(200)).len(), 64);
}
