//! Who is in which network, in memory: what the files say, and the sockets that hold ports.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;

use super::NetworkError;
use super::former::Former;
use super::forwarding::Forwarding;
use super::pool::Pool;
use super::record::{Driver, Endpoint, Network, Wish};
use super::reservation::Reservation;
use super::ruleset::Rules;

#[derive(Debug)]
pub(super) struct State {
    /// By id.
    pub(super) networks: BTreeMap<String, Network>,
    /// By id.
    pub(super) endpoints: BTreeMap<String, Endpoint>,
    /// Endpoints that are being taken down: without rules, but what they have is nobody else's yet.
    pub(super) leaving: BTreeSet<String>,
    /// Networks whose bridges are there, with the bridge's number.
    pub(super) up: BTreeMap<String, u32>,
    /// By endpoint.
    pub(super) ports: HashMap<String, Vec<Reservation>>,
    /// The address that was given last, by pool.
    pub(super) last: HashMap<IpNet, IpAddr>,
    pub(super) former: Former,
    pub(super) forwarding: Forwarding,
}

impl State {
    /// By name, id or the beginning of an id that no other has.
    pub(super) fn find(&self, name: &str) -> Result<&Network, NetworkError> {
        let named = self.networks.values().find(|network| network.name == name);
        if let Some(network) = named.or_else(|| self.networks.get(name)) {
            return Ok(network);
        }
        let mut matches: Vec<&Network> = Vec::new();
        if !name.is_empty() {
            matches.extend(
                self.networks
                    .values()
                    .filter(|network| network.id.starts_with(name)),
            );
        }
        match matches.as_slice() {
            [one] => Ok(one),
            [] => Err(NetworkError::NotFound(name.to_owned())),
            several => Err(NetworkError::Ambiguous {
                name: name.to_owned(),
                matches: several.len(),
            }),
        }
    }

    /// Those of a network.
    pub(super) fn endpoints_of<'a>(
        &'a self,
        network: &'a str,
    ) -> impl Iterator<Item = &'a Endpoint> {
        self.endpoints
            .values()
            .filter(move |endpoint| endpoint.network == network)
    }

    /// Those of a container, by name of network.
    pub(super) fn endpoints_of_container(
        &self,
        container: &str,
    ) -> impl Iterator<Item = &Endpoint> {
        let endpoints = self.endpoints.values();
        let mut endpoints: Vec<_> = endpoints.filter(|one| one.container == container).collect();
        endpoints.sort_by_key(|one| self.networks.get(&one.network).map(|network| &network.name));
        endpoints.into_iter()
    }

    /// Those of a container by which it may go out; it takes the first.
    pub(super) fn ways_out(&self, container: &str) -> impl Iterator<Item = &Endpoint> {
        let leads_out = |one: &&Endpoint| {
            let network = self.networks.get(&one.network);
            network.is_some_and(|network| !network.internal) && !self.leaving.contains(&one.id)
        };
        self.endpoints_of_container(container).filter(leads_out)
    }

    /// Subnets of all networks, with their names.
    pub(super) fn subnets(&self) -> impl Iterator<Item = (IpNet, &str)> {
        self.networks.values().flat_map(|network| {
            network
                .pools
                .iter()
                .map(|pool| (pool.subnet, network.name.as_str()))
        })
    }

    /// An address for each of the network's families: what is asked for, what the container had before, or the next.
    pub(super) fn addresses(
        &mut self,
        network: &Network,
        container: &str,
        wish: &Wish,
    ) -> Result<Vec<IpNet>, NetworkError> {
        let used: BTreeSet<IpAddr> = self
            .endpoints_of(&network.id)
            .flat_map(|endpoint| endpoint.addresses.iter().map(IpNet::addr))
            .collect();
        let (v4, v6) = (wish.ipv4.map(IpAddr::from), wish.ipv6.map(IpAddr::from));
        for wished in [v4, v6].into_iter().flatten() {
            if !network.pools.iter().any(|pool| pool.offers(wished)) {
                return Err(NetworkError::AddressOutside {
                    network: network.name.clone(),
                    address: wished,
                });
            }
        }
        let former = self.former.of(container, &network.id);
        let mut addresses = Vec::new();
        for pool in &network.pools {
            let wished = if pool.gateway.is_ipv4() { v4 } else { v6 };
            let address = match wished {
                Some(wished) if used.contains(&wished) || pool.gateway == wished => {
                    return Err(NetworkError::AddressTaken(wished));
                }
                Some(wished) => wished,
                None => match former.iter().find(|one| pool.gives(**one, &used)) {
                    Some(former) => *former,
                    None => self.next(network, pool, &used)?,
                },
            };
            addresses.extend(IpNet::new(address, pool.subnet.prefix_len()));
        }
        Ok(addresses)
    }

    fn next(
        &mut self,
        network: &Network,
        pool: &Pool,
        used: &BTreeSet<IpAddr>,
    ) -> Result<IpAddr, NetworkError> {
        let last = self.last.get(&pool.subnet).copied();
        let exhausted = || NetworkError::AddressesExhausted {
            network: network.name.clone(),
            pool: pool.range.unwrap_or(pool.subnet),
        };
        let address = pool.next(last, used).ok_or_else(exhausted)?;
        self.last.insert(pool.subnet, address);
        Ok(address)
    }

    /// What the table is to be.
    pub(super) fn rules(&self) -> String {
        let networks = self.up.keys().filter_map(|id| self.networks.get(id));
        let networks: Vec<&Network> = networks
            .filter(|one| one.driver == Driver::Bridge)
            .collect();
        let reachable = |endpoint: &&Endpoint| {
            let mut open = networks.iter().filter(|network| !network.internal);
            !self.leaving.contains(&endpoint.id)
                && open.any(|network| network.id == endpoint.network)
        };
        let rules = Rules {
            endpoints: self.endpoints.values().filter(reachable).collect(),
            networks,
            unrouted: [self.forwarding.unrouted(4), self.forwarding.unrouted(6)],
        };
        rules.to_text()
    }
}
