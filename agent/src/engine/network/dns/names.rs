//! Who is found by which name, as one immutable table that is replaced whole.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ipnet::IpNet;
use tokio::sync::watch;

use crate::engine::network::record::Endpoint;
use crate::engine::network::state::State;

/// The networks whose bridges are there, by id.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) zones: BTreeMap<String, Zone>,
}

/// One network.
#[derive(Debug)]
pub(super) struct Zone {
    /// The network's name, which may stand behind a container's.
    pub(super) name: String,
    /// Where the responder is.
    pub(super) address: Ipv4Addr,
    /// The bridge, and its number: one that is made anew has another.
    pub(super) bridge: (String, u32),
    pub(super) internal: bool,
    pub(super) has_names: bool,
    pub(super) hosts: Vec<Host>,
    /// In lower case, to places in `hosts`. Several may have an alias in common.
    by_name: HashMap<String, Vec<usize>>,
    by_address: HashMap<IpAddr, usize>,
}

/// A container in a network.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) container: String,
    pub(super) name: String,
    pub(super) addresses: Vec<IpAddr>,
    /// Whom it wants to be asked; empty: whom the host asks.
    pub(super) dns: Vec<IpAddr>,
    /// Names that it alone has for others, to those that all have; in lower case.
    links: BTreeMap<String, String>,
}

/// The table as it is now, for the responder.
#[derive(Clone, Debug)]
pub struct Names(pub(super) watch::Receiver<Arc<Table>>);

/// Who changes the table.
#[derive(Debug, Default)]
pub(in crate::engine::network) struct Publisher(watch::Sender<Arc<Table>>);

impl Publisher {
    pub(in crate::engine::network) fn names(&self) -> Names {
        Names(self.0.subscribe())
    }

    pub(in crate::engine::network) fn publish(&self, state: &State) {
        let mut table = Table::default();
        for (id, index) in &state.up {
            let Some(network) = state.networks.get(id) else {
                continue;
            };
            let address = network.pools.iter().find_map(|pool| match pool.gateway {
                IpAddr::V4(v4) => Some(v4),
                IpAddr::V6(_) => None,
            });
            let Some(address) = address else { continue };
            let present = |endpoint: &&Endpoint| !state.leaving.contains(&endpoint.id);
            let zone = Zone {
                name: network.name.to_ascii_lowercase(),
                address,
                bridge: (network.bridge(), *index),
                internal: network.internal,
                has_names: network.has_names(),
                hosts: Vec::new(),
                by_name: HashMap::new(),
                by_address: HashMap::new(),
            };
            let endpoints = state.endpoints_of(id).filter(present);
            table.zones.insert(id.clone(), zone.with(endpoints));
        }
        self.0.send_replace(Arc::new(table));
    }
}

impl Table {
    /// The zones that who asks from an address in a zone is in.
    pub(super) fn zones_of(&self, zone: &str, asker: IpAddr) -> Vec<&Zone> {
        let Some(here) = self.zones.get(zone) else {
            return Vec::new();
        };
        let Some(host) = here.at(asker) else {
            return vec![here];
        };
        let same = |zone: &&Zone| {
            zone.hosts
                .iter()
                .any(|other| other.container == host.container)
        };
        self.zones.values().filter(same).collect()
    }
}

impl Zone {
    fn with<'a>(mut self, endpoints: impl Iterator<Item = &'a Endpoint>) -> Self {
        for endpoint in endpoints {
            let place = self.hosts.len();
            let addresses: Vec<IpAddr> = endpoint.addresses.iter().map(IpNet::addr).collect();
            self.by_address
                .extend(addresses.iter().map(|address| (*address, place)));
            for name in endpoint.names() {
                self.by_name
                    .entry(name.to_ascii_lowercase())
                    .or_default()
                    .push(place);
            }
            self.hosts.push(Host {
                container: endpoint.container.clone(),
                name: endpoint.name.clone(),
                addresses,
                dns: endpoint.dns.clone(),
                links: lower(&endpoint.links),
            });
        }
        self
    }

    /// Who has an address.
    pub(super) fn at(&self, address: IpAddr) -> Option<&Host> {
        self.hosts.get(*self.by_address.get(&address)?)
    }

    /// The addresses behind a name in lower case, with or without the network's own name behind it.
    pub(super) fn addresses(&self, name: &str) -> Option<Vec<IpAddr>> {
        if !self.has_names {
            return None;
        }
        let qualified = || name.strip_suffix(&self.name)?.strip_suffix('.');
        let places = self
            .by_name
            .get(name)
            .or_else(|| self.by_name.get(qualified()?))?;
        let hosts = places.iter().filter_map(|place| self.hosts.get(*place));
        Some(
            hosts
                .flat_map(|host| host.addresses.iter().copied())
                .collect(),
        )
    }

    /// What a name in lower case that only who asks has for somebody means to all.
    pub(super) fn linked(&self, container: &str, name: &str) -> Option<&str> {
        let mut hosts = self.hosts.iter();
        let asker = hosts.find(|host| host.container == container)?;
        asker.links.get(name).map(String::as_str)
    }

    /// The name behind an address.
    pub(super) fn name_at(&self, address: IpAddr) -> Option<String> {
        let host = self.at(address).filter(|_| self.has_names)?;
        Some(format!("{}.{}", host.name, self.name))
    }
}

fn lower(links: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let pairs = links.iter();
    pairs
        .map(|(alias, name)| (alias.to_ascii_lowercase(), name.to_ascii_lowercase()))
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::engine::network::record::sample;

    /// Network `back` with web (and cache, which shares an alias), `hidden`, which is internal, with web and db.
    pub(in super::super) fn table() -> Table {
        let zone = |name: &str, network: u8, internal, has_names, hosts: &[(&str, u8)]| {
            let zone = Zone {
                name: name.into(),
                address: Ipv4Addr::new(172, network, 0, 1),
                bridge: (format!("pl-{name}"), u32::from(network)),
                internal,
                has_names,
                hosts: Vec::new(),
                by_name: HashMap::new(),
                by_address: HashMap::new(),
            };
            let endpoints: Vec<Endpoint> = hosts
                .iter()
                .map(|(host, last)| {
                    let mut endpoint = sample(host);
                    let address = Ipv4Addr::new(172, network, 0, *last).into();
                    endpoint.addresses = vec![IpNet::new(address, 16).unwrap()];
                    endpoint.aliases.push("all".into());
                    if *host == "cache" {
                        endpoint.links.insert("Site".into(), "Web".into());
                        endpoint.links.insert("all".into(), "web".into());
                    }
                    endpoint
                })
                .collect();
            (format!("{name}-id"), zone.with(endpoints.iter()))
        };
        let zones = [
            zone("back", 18, false, true, &[("web", 2), ("cache", 3)]),
            zone("hidden", 19, true, true, &[("web", 2), ("db", 3)]),
            zone("bridge", 17, false, false, &[("old", 2)]),
        ];
        Table {
            zones: BTreeMap::from(zones),
        }
    }

    #[test]
    fn a_container_is_found_by_each_of_its_names() {
        let table = table();
        let back = &table.zones["back-id"];
        for name in ["web", "web.back", "web-host", "web-alias", "web-01234567"] {
            assert_eq!(
                back.addresses(name),
                Some(vec!["172.18.0.2".parse().unwrap()]),
                "{name}"
            );
        }
        assert_eq!(back.addresses("all").unwrap().len(), 2);
        assert_eq!(back.addresses("db"), None);
        assert_eq!(back.addresses("webback"), None);
        assert_eq!(back.addresses(".back"), None);
        assert_eq!(
            back.name_at("172.18.0.3".parse().unwrap()).unwrap(),
            "cache.back"
        );
    }

    #[test]
    fn who_asks_sees_its_own_networks() {
        let table = table();
        let names = |zone: &str, asker: &str| -> Vec<&str> {
            let zones = table.zones_of(zone, asker.parse().unwrap());
            zones.into_iter().map(|zone| zone.name.as_str()).collect()
        };
        assert_eq!(names("back-id", "172.18.0.2"), ["back", "hidden"]);
        assert_eq!(names("back-id", "172.18.0.3"), ["back"]);
        assert_eq!(
            names("back-id", "172.18.0.99"),
            ["back"],
            "an address that nobody was given"
        );
        assert!(names("gone", "172.18.0.2").is_empty());
    }

    #[test]
    fn the_default_network_has_no_names() {
        let table = table();
        assert_eq!(table.zones["bridge-id"].addresses("old"), None);
        assert_eq!(
            table.zones["bridge-id"].name_at("172.17.0.2".parse().unwrap()),
            None
        );
    }
}
