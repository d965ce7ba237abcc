use proptest::prelude::*;

use super::*;

fn one(
    host_ip: Option<&str>,
    host: RangeInclusive<u16>,
    container: u16,
    protocol: Protocol,
) -> Publish {
    Publish {
        host_ip: host_ip.map(|ip| ip.parse().unwrap()),
        host_ports: host,
        container_port: container,
        protocol,
    }
}

#[test]
fn every_form_of_publishing() {
    use Protocol::{Sctp, Tcp, Udp};
    for (text, expected) in [
        ("80", vec![one(None, 0..=0, 80, Tcp)]),
        ("8080:80", vec![one(None, 8080..=8080, 80, Tcp)]),
        (":80", vec![one(None, 0..=0, 80, Tcp)]),
        ("0:80", vec![one(None, 0..=0, 80, Tcp)]),
        ("53:53/udp", vec![one(None, 53..=53, 53, Udp)]),
        ("9:9/SCTP", vec![one(None, 9..=9, 9, Sctp)]),
        (
            "127.0.0.1:8080:80",
            vec![one(Some("127.0.0.1"), 8080..=8080, 80, Tcp)],
        ),
        (
            "127.0.0.1::80",
            vec![one(Some("127.0.0.1"), 0..=0, 80, Tcp)],
        ),
        (
            "[::1]:8080:80",
            vec![one(Some("::1"), 8080..=8080, 80, Tcp)],
        ),
        ("8000-8009:80", vec![one(None, 8000..=8009, 80, Tcp)]),
        (
            "8000-8001:80-81",
            vec![
                one(None, 8000..=8000, 80, Tcp),
                one(None, 8001..=8001, 81, Tcp),
            ],
        ),
        (
            "80-81",
            vec![one(None, 0..=0, 80, Tcp), one(None, 0..=0, 81, Tcp)],
        ),
    ] {
        assert_eq!(Publish::parse(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn what_is_no_port_is_refused_by_name() {
    for text in [
        "",
        "0",
        "x",
        "80/quic",
        "65536",
        "1:65536",
        "81-80",
        "8000-8002:80-81",
        "::1:80:80",
        "host:80:80",
        "1:2:3:4",
        "0-5:80",
        "80/tcp/udp",
        "-1:80",
    ] {
        let error = Publish::parse(text).unwrap_err().to_string();
        assert!(error.contains(&format!("{text:?}")), "{error}");
    }
}

#[test]
fn bindings_of_the_api_go_through() {
    let bound = |ip: &str, port: &str| PortBinding {
        host_ip: Some(ip.into()),
        host_port: Some(port.into()),
    };
    let map = PortMap::from([
        (
            "80/tcp".into(),
            Some(vec![bound("", "8080"), bound("::1", "8081")]),
        ),
        ("53/udp".into(), Some(vec![bound("127.0.0.1", "")])),
        ("9/tcp".into(), None),
    ]);
    let expected = [
        one(Some("127.0.0.1"), 0..=0, 53, Protocol::Udp),
        one(None, 8080..=8080, 80, Protocol::Tcp),
        one(Some("::1"), 8081..=8081, 80, Protocol::Tcp),
    ];
    assert_eq!(Publish::from_map(&map).unwrap(), expected);
}

#[test]
fn what_was_published_is_shown_as_docker_does() {
    let published = |ip: &str| Published {
        host_ip: ip.parse().unwrap(),
        host_port: 8080,
        container_port: 80,
        protocol: Protocol::Tcp,
    };
    let map = Published::to_map(&[published("0.0.0.0"), published("::")]);
    let json = serde_json::to_value(map).unwrap();
    let expected = serde_json::json!({"80/tcp": [
        {"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}
    ]});
    assert_eq!(json, expected);
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in "[0-9:./\\[\\]a-z-]{0,24}") {
        for publish in Publish::parse(&text).unwrap_or_default() {
            prop_assert!(publish.container_port > 0);
            prop_assert!(publish.host_ports.start() <= publish.host_ports.end());
        }
    }
}
