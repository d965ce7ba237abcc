//! Addresses: which subnet a network gets, and which address a container.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::NetworkError;

/// Where Docker takes subnets from, and the prefix of those taken.
const DEFAULT_POOLS: [(Ipv4Net, u8); 7] = [
    (v4(172, 17, 16), 16),
    (v4(172, 18, 16), 16),
    (v4(172, 19, 16), 16),
    (v4(172, 20, 14), 16),
    (v4(172, 24, 14), 16),
    (v4(172, 28, 14), 16),
    (v4(192, 168, 16), 20),
];

/// A subnet of a network's, and what of it is given to containers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pool {
    /// Every container sees this much as its neighbourhood.
    pub(super) subnet: IpNet,
    /// The bridge's own address.
    pub(super) gateway: IpAddr,
    /// The part that addresses are taken from, when nobody asks for one.
    pub(super) range: Option<IpNet>,
    /// Addresses that are somebody else's, by name.
    pub(super) auxiliary: BTreeMap<String, IpAddr>,
}

impl Pool {
    /// All of a subnet, with its first address as the gateway.
    pub(super) fn whole(subnet: IpNet) -> Self {
        let subnet = subnet.trunc();
        Self {
            subnet,
            gateway: at(subnet, 1),
            range: None,
            auxiliary: BTreeMap::new(),
        }
    }

    /// Whether an interface can have the address, be it free or not.
    pub(super) fn offers(&self, address: IpAddr) -> bool {
        // IPv6 has no broadcast; its first address is every router's (RFC 4291, 2.6.1).
        let broadcast = address.is_ipv4() && address == self.subnet.broadcast();
        self.subnet.contains(&address) && address != self.subnet.network() && !broadcast
    }

    /// Whether it is given away for good.
    pub(super) fn reserves(&self, address: IpAddr) -> bool {
        self.gateway == address || self.auxiliary.values().any(|other| *other == address)
    }

    /// Whether somebody who asks for none can get it.
    pub(super) fn gives(&self, address: IpAddr, used: &BTreeSet<IpAddr>) -> bool {
        let in_range = self.range.is_none_or(|range| range.contains(&address));
        in_range && self.offers(address) && !self.reserves(address) && !used.contains(&address)
    }

    /// The next free one after the last that was given, so that one just freed is not used at once.
    pub(super) fn next(&self, last: Option<IpAddr>, used: &BTreeSet<IpAddr>) -> Option<IpAddr> {
        let range = self.range.unwrap_or(self.subnet);
        let bits = range.max_prefix_len() - range.prefix_len();
        // More than can ever be used; a /64 has no end that a search would see.
        let size = 1_u128 << bits.min(64);
        let last = last.filter(|last| range.contains(last));
        let start = last.map_or(0, |last| number(last) - number(range.network()) + 1);
        // Of so many addresses in a row one is free, or there is none.
        let taken = used.len() + self.auxiliary.len() + 4;
        let tries = size.min(taken as u128);
        (0..tries)
            .map(|step| at(range, (start + step) % size))
            .find(|address| self.gives(*address, used))
    }
}

/// The first subnet of the default pools that neither another network nor a route of the host's touches.
pub(super) fn choose(taken: &[IpNet]) -> Result<IpNet, NetworkError> {
    DEFAULT_POOLS
        .iter()
        .filter_map(|(pool, prefix)| pool.subnets(*prefix).ok())
        .flatten()
        .map(IpNet::V4)
        .find(|subnet| !taken.iter().any(|other| overlap(subnet, other)))
        .ok_or(NetworkError::PoolsExhausted)
}

/// A /64 of the unique local addresses, RFC 4193, after a network's random id.
pub(super) fn unique_local(id: &[u8; 32]) -> IpNet {
    let [a, b, c, d, e, f, g, ..] = *id;
    let network = Ipv6Addr::from([0xfd, a, b, c, d, e, f, g, 0, 0, 0, 0, 0, 0, 0, 0]);
    IpNet::V6(Ipv6Net::new_assert(network, 64))
}

/// Whether two subnets have an address in common.
pub(super) fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(&other.network()) || other.contains(&one.network())
}

/// The subnet's address by number, 0 being its own.
fn at(subnet: IpNet, number_of: u128) -> IpAddr {
    match subnet.network() {
        IpAddr::V4(v4) => {
            let low = u32::try_from(number_of).unwrap_or(u32::MAX);
            Ipv4Addr::from(u32::from(v4).wrapping_add(low)).into()
        }
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6).wrapping_add(number_of)).into(),
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u32::from(v4).into(),
        IpAddr::V6(v6) => v6.into(),
    }
}

const fn v4(a: u8, b: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, 0, 0), prefix)
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
