//! Which ports of the host's a container gets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::record::{Network, Wish};
use super::reservation::{self, Reservation};
use super::state::State;
use super::{NetworkError, Publish, Published};

/// Takes the ports. On an internal network none is reachable, and as with Docker none is published.
pub(super) fn publish(
    state: &State,
    network: &Network,
    wish: &Wish,
) -> Result<Vec<Reservation>, NetworkError> {
    if network.internal {
        return Ok(Vec::new());
    }
    let given: Vec<&Published> = state
        .endpoints
        .values()
        .flat_map(|one| &one.ports)
        .collect();
    let in_use = |port: &Published| given.iter().any(|other| clash(port, other));
    let mut all = Vec::new();
    for one in &wish.ports {
        all.extend(reservation::take(one, &host_ips(network, one)?, &in_use)?);
    }
    Ok(all)
}

fn host_ips(network: &Network, publish: &Publish) -> Result<Vec<IpAddr>, NetworkError> {
    let any4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let any6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let refuse = |why: String| Err(NetworkError::Config(why));
    match publish.host_ip.or_else(|| network.host_binding()) {
        Some(IpAddr::V6(Ipv6Addr::LOCALHOST)) => {
            refuse("a port cannot be published to ::1, the kernel does not translate it".into())
        }
        Some(ip @ IpAddr::V6(_)) if !network.has_ipv6() => refuse(format!(
            "a port cannot be published to {ip}, network {} has no IPv6",
            network.name
        )),
        Some(ip) => Ok(vec![ip]),
        None if network.has_ipv6() => Ok(vec![any4, any6]),
        None => Ok(vec![any4]),
    }
}

/// Whether two cannot be published at once.
fn clash(one: &Published, other: &Published) -> bool {
    let port = |port: &Published| (port.protocol, port.host_port, port.host_ip.is_ipv4());
    let anywhere = one.host_ip.is_unspecified() || other.host_ip.is_unspecified();
    port(one) == port(other) && (anywhere || one.host_ip == other.host_ip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::network::Protocol;

    fn published(ip: &str, port: u16, protocol: Protocol) -> Published {
        Published {
            host_ip: ip.parse().unwrap(),
            host_port: port,
            container_port: 80,
            protocol,
        }
    }

    #[test]
    fn ports_clash_where_one_packet_would_fit_both() {
        use Protocol::{Tcp, Udp};
        let web = published("0.0.0.0", 80, Tcp);
        assert!(clash(&web, &published("127.0.0.1", 80, Tcp)));
        assert!(clash(&published("10.0.0.1", 80, Tcp), &web));
        assert!(!clash(
            &published("10.0.0.1", 80, Tcp),
            &published("10.0.0.2", 80, Tcp)
        ));
        assert!(!clash(&web, &published("0.0.0.0", 80, Udp)));
        assert!(!clash(&web, &published("0.0.0.0", 81, Tcp)));
        assert!(!clash(&web, &published("::", 80, Tcp)));
    }
}
