//! Which addresses containers had in networks, for when they come back.
//!
//! In: endpoints that are detached. Out: what a container had in a network. Kept in memory, for as long as both the
//! container and the network are there.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::record::Endpoint;

#[derive(Debug, Default)]
pub(super) struct Former {
    /// By container and network.
    addresses: BTreeMap<String, BTreeMap<String, Vec<IpAddr>>>,
}

impl Former {
    pub(super) fn note(&mut self, endpoint: &Endpoint) {
        let of_container = self.addresses.entry(endpoint.container.clone());
        let addresses = endpoint.addresses.iter().map(IpNet::addr).collect();
        let of_container = of_container.or_default();
        of_container.insert(endpoint.network.clone(), addresses);
    }

    /// At most one for each family.
    pub(super) fn of(&self, container: &str, network: &str) -> Vec<IpAddr> {
        let of_container = self.addresses.get(container);
        let addresses = of_container.and_then(|networks| networks.get(network));
        addresses.cloned().unwrap_or_default()
    }

    pub(super) fn forget_container(&mut self, container: &str) {
        self.addresses.remove(container);
    }

    pub(super) fn forget_network(&mut self, network: &str) {
        for networks in self.addresses.values_mut() {
            networks.remove(network);
        }
        self.addresses.retain(|_, networks| !networks.is_empty());
    }
}
