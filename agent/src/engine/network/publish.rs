//! Which ports of the host's a container gets, and by which of its networks they lead to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::attach::forget_flows;
use super::record::Network;
use super::reservation::{self, Reservation};
use super::state::State;
use super::{NetworkError, Networks, Publish, Published};

impl Networks {
    /// Has a container's ports lead to it by the network that it goes out by, so that answers go the way that
    /// questions came. They are taken if it has none yet. To be called when it has joined a network or left one.
    pub fn publish(&self, container: &str, ports: &[Publish]) -> Result<(), NetworkError> {
        let mut state = self.state();
        let Some(mut way_out) = state.ways_out(container).next().cloned() else {
            return Ok(());
        };
        let holder = state
            .endpoints_of_container(container)
            .find(|one| !one.ports.is_empty())
            .cloned();
        let reservations = match holder {
            Some(holder) if holder.id == way_out.id => return Ok(()),
            Some(mut holder) => {
                way_out.ports = std::mem::take(&mut holder.ports);
                // First: two who have a port are worse than nobody, if the agent is killed here.
                self.disk.keep_endpoint(&holder)?;
                let reservations = state.ports.remove(&holder.id).unwrap_or_default();
                state.endpoints.insert(holder.id.clone(), holder);
                reservations
            }
            None => {
                let network = state.find(&way_out.network)?;
                let reservations = publish(&state, network, ports)?;
                way_out.ports = reservations
                    .iter()
                    .map(|one| one.published.clone())
                    .collect();
                reservations
            }
        };
        if reservations.is_empty() {
            return Ok(());
        }
        self.disk.keep_endpoint(&way_out)?;
        state.ports.insert(way_out.id.clone(), reservations);
        state.endpoints.insert(way_out.id.clone(), way_out.clone());
        drop(state);
        self.load_rules()?;
        forget_flows(&way_out);
        Ok(())
    }

    /// The first, by name, of some networks that leads out: a container in them goes out by it.
    pub fn first_way_out<'a>(&self, names: impl Iterator<Item = &'a String>) -> Option<&'a String> {
        let state = self.state();
        let leads_out = |name: &&String| state.find(name).is_ok_and(|network| !network.internal);
        names.filter(leads_out).min()
    }
}

/// Takes the ports. On an internal network none is reachable, and as with Docker none is published.
pub(super) fn publish(
    state: &State,
    network: &Network,
    ports: &[Publish],
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
    for one in ports {
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
