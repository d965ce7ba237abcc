//! A container's veth pair.

use std::io;

use super::bridge::TAG;
use super::links::Pair;
use super::namespace::Namespace;
use super::record::{Endpoint, Network};
use super::{NetworkError, sysctl};
use crate::netlink::Route;

/// Interfaces a container can have: `eth0` and so on.
const INTERFACES: u32 = 64;
/// With it, packets inside of a bridge go through the rules for IP.
const BRIDGE_CALLS: [&str; 2] = [
    "bridge/bridge-nf-call-iptables",
    "bridge/bridge-nf-call-ip6tables",
];

/// The veth pair: made and connected from the host's namespace, with its other end in the container's, where a
/// thread goes on. The outer end is up first, so that the inner one has a carrier when it is.
pub(super) fn connect(
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
    let [v4, v6] = BRIDGE_CALLS.map(|name| sysctl::read(name).as_deref() == Some("1"));
    if v4 || v6 {
        outside
            .reflect(&endpoint.host_veth)
            .map_err(refuse("reflect"))?;
    }
    let is_seen = v4 && (v6 || !network.has_ipv6());
    if !network.icc() && !is_seen {
        // No rule sees what stays inside of the bridge.
        outside
            .isolate(&endpoint.host_veth)
            .map_err(refuse("isolate"))?;
    }
    namespace.inside(|| {
        let inside = Route::open().map_err(refuse("open a netlink socket for"))?;
        let (index, name) =
            settle_in(&inside, &endpoint.host_veth).map_err(refuse("name the inner end of"))?;
        if network.has_ipv6() {
            sysctl::settle_ipv6(&name)?;
        } else {
            sysctl::write_if_there(&format!("ipv6/conf/{name}/disable_ipv6"), "1")?;
        }
        for address in &endpoint.addresses {
            inside
                .add_address(index, *address)
                .map_err(refuse("give an address to"))?;
        }
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
