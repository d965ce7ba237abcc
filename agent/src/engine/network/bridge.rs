//! A network's bridge on the host, from nothing to up and back.

use std::io;

use ipnet::IpNet;
use netlink_packet_route::link::InfoKind;

use super::links::Link;
use super::pool::{self, Pool};
use super::record::{Driver, Network};
use super::state::State;
use super::{Mac, NetworkError, Networks, sysctl};
use crate::netlink::Route;

/// Begins the alias of every interface of ours.
pub(super) const TAG: &str = "plimsoll ";

impl Networks {
    /// Makes the bridge if it is not there, and gives the default network its subnet with its first container.
    pub(super) fn ensure_bridge(
        &self,
        state: &mut State,
        network: &Network,
    ) -> Result<Network, NetworkError> {
        if network.driver != Driver::Bridge {
            let why = format!("network {} cannot be attached to", network.name);
            return Err(NetworkError::Config(why));
        }
        let mut network = network.clone();
        if network.pools.is_empty() {
            network
                .pools
                .push(Pool::whole(pool::choose(&self.taken(state)?)?));
            self.disk.keep_network(&network)?;
            state.networks.insert(network.id.clone(), network.clone());
        }
        let route = Route::open().map_err(refuse("open a netlink socket for", &network))?;
        let name = network.bridge();
        let present = route
            .link(&name)
            .map_err(refuse("look for the bridge of", &network))?;
        match &present {
            Some(link) if link.is_tagged() && state.up.get(&network.id) == Some(&link.index) => {
                return Ok(network);
            }
            Some(link) if !link.is_bridge_of(&network) => {
                return Err(NetworkError::Config(format!(
                    "interface {name} is there already, and not ours"
                )));
            }
            _ => {}
        }
        if !network.internal {
            let others = || {
                let foreign = |link: &Link| !link.is_tagged();
                Ok(route.links()?.into_iter().filter(foreign).collect())
            };
            state
                .forwarding
                .need(&self.disk, network.has_ipv6(), others)?;
        }
        let made = make(&route, &network, present.is_some());
        if made.is_err() {
            // The reason is told; the next attempt begins anew.
            let _ = route.delete(&name);
        }
        state.up.insert(network.id.clone(), made?);
        Ok(network)
    }

    /// Takes the bridge down, and forwarding with the last one that needed it.
    pub(super) fn remove_bridge(
        &self,
        state: &mut State,
        network: &Network,
    ) -> Result<(), NetworkError> {
        if state.up.remove(&network.id).is_none() {
            return Ok(());
        }
        let route = Route::open().map_err(refuse("open a netlink socket for", network))?;
        route
            .delete(&network.bridge())
            .map_err(refuse("remove the bridge of", network))?;
        let leads_out = |id: &String| {
            state
                .networks
                .get(id)
                .is_some_and(|network| !network.internal)
        };
        if !state.up.keys().any(leads_out) {
            state.forwarding.release(&self.disk)?;
        }
        Ok(())
    }
}

fn make(route: &Route, network: &Network, present: bool) -> Result<u32, NetworkError> {
    let name = network.bridge();
    let refuse = |what| refuse(what, network);
    if !present {
        let mac = network
            .pools
            .first()
            .map_or(Mac([2, 0x42, 0, 0, 0, 1]), |pool| pool.gateway.into());
        route
            .make_bridge(&name, mac, network.mtu())
            .map_err(refuse("make the bridge of"))?;
    }
    if !network.has_ipv6() {
        sysctl::write_if_there(&format!("ipv6/conf/{name}/disable_ipv6"), "1")?;
    } else {
        sysctl::settle_ipv6(&name)?;
    }
    if !network.internal {
        // The host's 127.0.0.1 reaches containers, and their answers find back; `ruleset` keeps others from it.
        sysctl::write(&format!("ipv4/conf/{name}/route_localnet"), "1")?;
    }
    let bridge = route
        .link(&name)
        .map_err(refuse("look for the bridge of"))?;
    let index = bridge
        .ok_or_else(|| refuse("find the bridge of")(io::ErrorKind::NotFound.into()))?
        .index;
    for pool in &network.pools {
        if let Ok(address) = IpNet::new(pool.gateway, pool.subnet.prefix_len()) {
            route
                .add_address(index, address)
                .map_err(refuse("give an address to the bridge of"))?;
        }
    }
    route
        .bring_up(&name)
        .map_err(refuse("bring up the bridge of"))?;
    // Last: what is tagged is whole, whenever an agent is killed.
    route
        .tag(&name, &format!("{TAG}network {}", network.id))
        .map_err(refuse("tag the bridge of"))?;
    Ok(index)
}

impl Link {
    pub(super) fn is_tagged(&self) -> bool {
        let alias = self.alias.as_deref();
        alias.is_some_and(|alias| alias.starts_with(TAG))
    }

    /// A whole one, or one that an agent was killed while making. A name that a user gave may be the host's, too.
    pub(super) fn is_bridge_of(&self, network: &Network) -> bool {
        self.kind == Some(InfoKind::Bridge)
            && self.name == network.bridge()
            && (self.is_tagged() || network.has_own_name())
    }
}

fn refuse(what: &'static str, network: &Network) -> impl FnOnce(io::Error) -> NetworkError {
    let subject = format!("network {}", network.name);
    move |source| NetworkError::Link {
        what,
        subject,
        source,
    }
}
