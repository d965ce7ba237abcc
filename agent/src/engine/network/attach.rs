//! A container joins a network, and leaves it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use ipnet::IpNet;

use super::bridge::TAG;
use super::links::Pair;
use super::namespace::Namespace;
use super::netlink::Route;
use super::record::{Endpoint, Network, Wish};
use super::request::{hexadecimal, random};
use super::reservation::{self, Reservation};
use super::state::State;
use super::{Mac, NetworkError, Networks, Publish, Published, sysctl};

/// Interfaces a container can have: `eth0` and so on.
const INTERFACES: u32 = 64;
/// With it, packets inside of a bridge go through the rules for IP.
const BRIDGE_CALLS: &str = "bridge/bridge-nf-call-iptables";

impl Networks {
    /// Joins the network namespace at a path to a network: an interface with addresses, routes, published ports and
    /// names. Its default route is the first network's that leads out.
    ///
    /// When it fails, nothing is left. When the agent is killed meanwhile, `reap` finds the record.
    pub fn attach(
        &self,
        network: &str,
        container: &str,
        netns: &Path,
        wish: &Wish,
    ) -> Result<Endpoint, NetworkError> {
        let namespace = Namespace::open(netns)?;
        let (network, endpoint) = self.admit(network, container, wish)?;
        let joined = std::thread::scope(|scope| {
            let rules = std::thread::Builder::new().name("nft".into());
            // The thread inherits this one's network namespace.
            let rules = rules.spawn_scoped(scope, || self.load_rules());
            let links = connect(&network, &endpoint, &namespace);
            let panicked = |_| {
                Err(NetworkError::NftRun(io::Error::other(
                    "the thread panicked",
                )))
            };
            let rules = match rules {
                Ok(thread) => thread.join().unwrap_or_else(panicked),
                Err(error) => Err(NetworkError::NftRun(error)),
            };
            links.and(rules)
        });
        if let Err(error) = joined {
            if let Err(left) = self.detach(&endpoint) {
                tracing::warn!(container, error = %left, "a half-made attachment is left over");
            }
            return Err(error);
        }
        Ok(endpoint)
    }

    /// Takes a container out of a network: rules first, then the interface, then what it had is free again.
    /// One that is gone already is no error.
    pub fn detach(&self, endpoint: &Endpoint) -> Result<(), NetworkError> {
        let mut state = self.state();
        if !state.endpoints.contains_key(&endpoint.id) {
            return Ok(());
        }
        state.leaving.insert(endpoint.id.clone());
        self.tell_names(&state);
        drop(state);
        let rules = self.load_rules();
        let deleted = Route::open().and_then(|route| route.delete(&endpoint.host_veth));
        deleted.map_err(|source| NetworkError::Link {
            what: "remove the interface",
            subject: endpoint.host_veth.clone(),
            source,
        })?;
        // Without the veth nothing reaches the address; with the rule, the next to have it would be reached.
        rules?;
        self.disk.forget_endpoint(endpoint)?;
        let mut state = self.state();
        state.endpoints.remove(&endpoint.id);
        state.leaving.remove(&endpoint.id);
        state.ports.remove(&endpoint.id);
        Ok(())
    }

    /// What a container is attached to.
    pub fn endpoints(&self, container: &str) -> Vec<Endpoint> {
        let state = self.state();
        let of_container = state
            .endpoints
            .values()
            .filter(|one| one.container == container);
        of_container.cloned().collect()
    }

    /// A container has a new name: others find it by that.
    pub fn rename(&self, container: &str, name: &str) -> Result<(), NetworkError> {
        let mut state = self.state();
        for endpoint in state.endpoints.values_mut() {
            if endpoint.container == container {
                name.clone_into(&mut endpoint.name);
                self.disk.keep_endpoint(endpoint)?;
            }
        }
        self.tell_names(&state);
        Ok(())
    }

    /// Finds the network, gives addresses and ports, and writes it all down.
    fn admit(
        &self,
        network: &str,
        container: &str,
        wish: &Wish,
    ) -> Result<(Network, Endpoint), NetworkError> {
        let mut state = self.state();
        let network = state.find(network)?.clone();
        if state
            .endpoints_of(&network.id)
            .any(|other| other.container == container)
        {
            return Err(NetworkError::AlreadyAttached {
                container: wish.name.clone(),
                network: network.name,
            });
        }
        let network = self.ensure_bridge(&mut state, &network)?;
        let addresses = state.addresses(&network, wish)?;
        let reservations = publish(&state, &network, wish)?;
        let id = hexadecimal(&random()?);
        let first = addresses
            .first()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpNet::addr);
        let endpoint = Endpoint {
            // At most 15 bytes (`IFNAMSIZ`), of which nobody else's begin like this.
            host_veth: format!("plv{}", id.get(..12).unwrap_or(&id)),
            id,
            network: network.id.clone(),
            container: container.to_owned(),
            name: wish.name.clone(),
            hostname: wish.hostname.clone(),
            aliases: wish.aliases.clone(),
            gateways: network.pools.iter().map(|pool| pool.gateway).collect(),
            addresses,
            mac: wish.mac.unwrap_or_else(|| Mac::from(first)),
            ports: reservations
                .iter()
                .map(|one| one.published.clone())
                .collect(),
            dns: wish.dns.clone(),
        };
        self.disk.keep_endpoint(&endpoint)?;
        state.ports.insert(endpoint.id.clone(), reservations);
        state
            .endpoints
            .insert(endpoint.id.clone(), endpoint.clone());
        self.tell_names(&state);
        Ok((network, endpoint))
    }
}

/// Takes the ports. On an internal network none is reachable, and as with Docker none is published.
fn publish(
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

/// The veth pair: made and connected from the host's namespace, with its other end in the container's, where a
/// thread goes on. The outer end is up first, so that the inner one has a carrier when it is.
fn connect(
    network: &Network,
    endpoint: &Endpoint,
    namespace: &Namespace<'_>,
) -> Result<(), NetworkError> {
    let refuse = |what| {
        let subject = format!("{} for container {}", endpoint.host_veth, endpoint.name);
        move |source| NetworkError::Link {
            what,
            subject,
            source,
        }
    };
    let outside = Route::open().map_err(refuse("open a netlink socket for"))?;
    let bridge = outside
        .link(&network.bridge())
        .map_err(refuse("find the bridge of"))?;
    let bridge =
        bridge.ok_or_else(|| refuse("find the bridge of")(io::ErrorKind::NotFound.into()))?;
    let pair = Pair {
        name: &endpoint.host_veth,
        mac: endpoint.mac,
        mtu: network.mtu(),
        namespace: namespace.descriptor(),
    };
    outside.make_pair(&pair).map_err(refuse("make"))?;
    sysctl::write_if_there(
        &format!("ipv6/conf/{}/disable_ipv6", endpoint.host_veth),
        "1",
    )?;
    let tag = format!("{TAG}container {}", endpoint.container);
    outside
        .connect(&endpoint.host_veth, &tag, bridge.index)
        .map_err(refuse("connect"))?;
    if sysctl::read(BRIDGE_CALLS).as_deref() == Some("1") {
        outside
            .reflect(&endpoint.host_veth)
            .map_err(refuse("reflect"))?;
    }
    namespace.inside(|| {
        let inside = Route::open().map_err(refuse("open a netlink socket for"))?;
        let (index, name) =
            settle_in(&inside, &endpoint.host_veth).map_err(refuse("name the inner end of"))?;
        let conf = format!("ipv6/conf/{name}");
        if network.has_ipv6() {
            sysctl::write_if_there(&format!("{conf}/accept_ra"), "0")?;
        } else {
            sysctl::write_if_there(&format!("{conf}/disable_ipv6"), "1")?;
        }
        for address in &endpoint.addresses {
            inside
                .add_address(index, *address)
                .map_err(refuse("give an address to"))?;
        }
        inside
            .bring_up("lo")
            .map_err(refuse("bring up lo beside"))?;
        inside
            .bring_up(&name)
            .map_err(refuse("bring up the inner end of"))?;
        let ways_out = endpoint.gateways.iter().filter(|_| !network.internal);
        for gateway in ways_out {
            let added = inside
                .add_default_route(*gateway)
                .map_err(refuse("give a default route to"))?;
            tracing::debug!(container = endpoint.name, %gateway, added, "default route");
        }
        Ok(())
    })
}

/// Gives the inner end, which came with the outer one's name, the first that is free of `eth0` and so on.
fn settle_in(inside: &Route, arrived_as: &str) -> io::Result<(u32, String)> {
    let links = inside.links()?;
    let own = links.iter().find(|link| link.name == arrived_as);
    let index = own.ok_or(io::ErrorKind::NotFound)?.index;
    let name = (0..INTERFACES)
        .map(|number| format!("eth{number}"))
        .find(|name| links.iter().all(|link| link.name != *name))
        .ok_or_else(|| io::Error::other("the container has 64 interfaces"))?;
    inside.rename(index, &name)?;
    Ok((index, name))
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
