use bollard::models::Ipam;

use super::*;

fn asked(name: &str, configs: &[(&str, &str, &str)]) -> NetworkCreateRequest {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let config = configs.iter().map(|(subnet, range, gateway)| IpamConfig {
        subnet: some(subnet),
        ip_range: some(range),
        gateway: some(gateway),
        auxiliary_addresses: None,
    });
    NetworkCreateRequest {
        name: name.to_owned(),
        ipam: Some(Ipam {
            config: Some(config.collect()),
            ..Ipam::default()
        }),
        ..NetworkCreateRequest::default()
    }
}

fn refused(request: &NetworkCreateRequest) -> String {
    network(request, &[]).unwrap_err().to_string()
}

#[test]
fn a_network_without_wishes_has_the_next_default_subnet() {
    let taken = ["172.17.0.0/16".parse().unwrap()];
    let made = network(&asked("back", &[]), &taken).unwrap();
    assert_eq!(made.pools, [Pool::whole("172.18.0.0/16".parse().unwrap())]);
    assert_eq!(made.id.len(), 64);
    assert_eq!(made.bridge(), format!("pl-{}", &made.id[..12]));
}

#[test]
fn what_is_asked_for_is_kept() {
    let mut request = asked("back", &[("10.9.0.7/24", "10.9.0.128/25", "10.9.0.254")]);
    request.enable_ipv6 = Some(true);
    request.options = Some(
        [(
            "com.docker.network.bridge.name".to_owned(),
            "br9".to_owned(),
        )]
        .into(),
    );
    let made = network(&request, &[]).unwrap();
    assert_eq!(made.pools[0].subnet, "10.9.0.0/24".parse().unwrap());
    assert_eq!(
        made.pools[0].gateway,
        "10.9.0.254".parse::<IpAddr>().unwrap()
    );
    assert!(made.has_ipv6());
    assert_eq!(made.bridge(), "br9");
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    assert!(refused(&asked("back", &[("10.9.0.0/31", "", "")])).contains("no room"));
    assert!(refused(&asked("back", &[("10.9.0.0", "", "")])).contains("CIDR"));
    assert!(refused(&asked("back", &[("", "", "10.9.0.1")])).contains("needs a subnet"));
    assert!(refused(&asked("back", &[("10.9.0.0/24", "10.8.0.0/25", "")])).contains("IP range"));
    assert!(refused(&asked("back", &[("10.9.0.0/24", "", "10.9.0.255")])).contains("10.9.0.255"));
    assert!(
        refused(&asked(
            "back",
            &[("10.9.0.0/24", "", ""), ("10.8.0.0/24", "", "")]
        ))
        .contains("one subnet")
    );
    assert!(refused(&asked("back", &[("fd00::/64", "", "")])).contains("EnableIPv6"));
    assert!(refused(&asked("a b", &[])).contains("no name"));
    assert!(refused(&asked("", &[])).contains("no name"));
    assert!(refused(&asked("host", &[])).contains("already exists"));
    for (option, value) in [
        ("com.docker.network.bridge.host_binding_ipv4", "127.0.0.l"),
        ("com.docker.network.bridge.enable_icc", "no"),
        ("com.docker.network.bridge.enable_ip_masquerade", ""),
        ("com.docker.network.driver.mtu", "14OO"),
    ] {
        let mut request = asked("back", &[]);
        request.options = Some([(option.to_owned(), value.to_owned())].into());
        assert!(refused(&request).contains(option));
    }
    let mut overlay = asked("back", &[]);
    overlay.driver = Some("overlay".into());
    assert!(refused(&overlay).contains("driver overlay"));
    for name in ["a\"b", "", ".", "sixteen-letters-"] {
        let mut bridge = asked("back", &[]);
        bridge.options =
            Some([("com.docker.network.bridge.name".to_owned(), name.to_owned())].into());
        assert!(refused(&bridge).contains("no name for a bridge"), "{name}");
    }
}
