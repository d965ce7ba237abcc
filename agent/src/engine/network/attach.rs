//! A container joins a network, and leaves it.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use ipnet::IpNet;

use super::namespace::Namespace;
use super::publish::publish;
use super::record::{Endpoint, Network, Wish};
use super::request::{hexadecimal, random};
use super::veth::connect;
use super::{Mac, NetworkError, Networks, Protocol, conntrack};
use crate::netlink::Route;

impl Networks {
    /// Joins the network namespace at a path to a network: an interface with addresses, routes, published ports and
    /// names.
    ///
    /// When it fails, nothing is left. When the agent is killed meanwhile, `reap` finds the record.
    pub fn attach(
        &self,
        network: &str,
        container: &str,
        netns: &Path,
        wish: &Wish,
    ) -> Result<Endpoint, NetworkError> {
        self.claim.take()?;
        for left in self.leftovers(container) {
            self.detach(&left)?;
        }
        let namespace = Namespace::open(netns)?;
        let (network, endpoint) = self.admit(network, container, wish)?;
        let (rules, links) = self.beside_rules(|| connect(&network, &endpoint, &namespace));
        let joined = links.and(rules).and_then(|()| {
            if self.endpoints(container).len() > 1 {
                self.lead_out(container, netns)?;
            }
            Ok(())
        });
        if let Err(error) = joined {
            if let Err(left) = self.detach(&endpoint) {
                tracing::warn!(container, error = %left, "a half-made attachment is left over");
            }
            return Err(error);
        }
        forget_flows(&endpoint);
        Ok(endpoint)
    }

    /// Takes a container out of a network: its rules and its interface, after which what it had is free again.
    /// One that is gone already is no error.
    pub fn detach(&self, endpoint: &Endpoint) -> Result<(), NetworkError> {
        let mut state = self.state();
        if !state.endpoints.contains_key(&endpoint.id) {
            return Ok(());
        }
        state.leaving.insert(endpoint.id.clone());
        self.tell_names(&state);
        drop(state);
        let delete = || Route::open().and_then(|route| route.delete(&endpoint.host_veth));
        let (rules, deleted) = self.beside_rules(delete);
        deleted.map_err(|source| NetworkError::Link {
            what: "remove the interface",
            subject: endpoint.host_veth.clone(),
            source,
        })?;
        if let Err(error) = rules {
            // With the rule there, the next to have the address would be reached.
            if self.firewall.may_have(&endpoint.container) {
                return Err(error);
            }
            tracing::warn!(container = endpoint.name, %error, "rules were not loaded");
        }
        let addresses = endpoint.addresses.iter().map(IpNet::addr);
        addresses.for_each(|address| tell(conntrack::forget_address(address)));
        self.disk.forget_endpoint(endpoint)?;
        let mut state = self.state();
        state.endpoints.remove(&endpoint.id);
        state.leaving.remove(&endpoint.id);
        state.former.note(endpoint);
        state.ports.remove(&endpoint.id);
        Ok(())
    }

    /// A container is no more: the addresses that it had are not kept for it.
    pub fn forget(&self, container: &str) {
        self.state().former.forget_container(container);
    }

    /// What a container is attached to, by name of network.
    pub fn endpoints(&self, container: &str) -> Vec<Endpoint> {
        self.endpoints_where(container, false)
    }

    /// What it was to be detached from, and could not.
    pub fn leftovers(&self, container: &str) -> Vec<Endpoint> {
        self.endpoints_where(container, true)
    }

    fn endpoints_where(&self, container: &str, is_leaving: bool) -> Vec<Endpoint> {
        let state = self.state();
        let all = state.endpoints_of_container(container);
        all.filter(|one| state.leaving.contains(&one.id) == is_leaving)
            .cloned()
            .collect()
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

    /// Does something while `nft` runs.
    fn beside_rules<T>(&self, work: impl FnOnce() -> T) -> (Result<(), NetworkError>, T) {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("nft".into());
            // It is in this thread's network namespace, as its child.
            let thread = thread.spawn_scoped(scope, || self.load_rules());
            let done = work();
            let panicked = |_| {
                Err(NetworkError::NftRun(io::Error::other(
                    "the thread panicked",
                )))
            };
            let rules = match thread {
                Ok(thread) => thread.join().unwrap_or_else(panicked),
                Err(error) => Err(NetworkError::NftRun(error)),
            };
            (rules, done)
        })
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
        let addresses = state.addresses(&network, container, wish)?;
        let reservations = publish(&state, &network, &wish.ports)?;
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
            links: wish.links.clone(),
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

/// Who asked an endpoint's ports before it had them, and keeps a port of its own, is to reach it.
pub(super) fn forget_flows(endpoint: &Endpoint) {
    let ports = endpoint.ports.iter();
    for port in ports.filter(|port| port.protocol != Protocol::Tcp) {
        tell(conntrack::forget_port(
            port.protocol,
            port.host_port,
            port.host_ip.is_ipv6(),
        ));
    }
}

/// Without it a few flows go astray until they are given up.
fn tell(forgotten: io::Result<()>) {
    if let Err(error) = forgotten {
        tracing::warn!(%error, "flows of before a change of ports are not forgotten");
    }
}
