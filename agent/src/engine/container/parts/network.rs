//! A container's places in networks.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::str::FromStr;

use bollard::models::{
    EndpointSettings, EventMessageTypeEnum, PortMap, PortSummary, PortSummaryTypeEnum,
};

use super::Parts;
use super::names::{mode, servers};
use crate::engine::container::EngineError;
use crate::engine::container::model::{ContainerDir, Settings};
use crate::engine::container::name::SHORT;
use crate::engine::network::{Endpoint, NetworkMode, Protocol, Publish, Published, Wish};

/// A network that a container is in no more, and what there is to tell of that.
pub(in crate::engine::container) struct Left(String, HashMap<String, String>);

impl Parts {
    /// Attaches a container whose first process waits.
    pub(in crate::engine::container) fn connect(
        &self,
        settings: &Settings,
        dir: &ContainerDir,
        pid: u32,
    ) -> Result<(), EngineError> {
        let NetworkMode::Named(first) = mode(settings) else {
            return Ok(());
        };
        let netns = format!("/proc/{pid}/ns/net");
        let asked = asked(settings);
        let others = asked.keys().filter(|name| **name != first);
        let all = std::iter::once(&first).chain(others);
        let way_out = self.networks.first_way_out(all.clone());
        for network in all {
            let mut wish = wish(settings, network, asked.get(network))?;
            if way_out == Some(network) {
                wish.ports = publish(settings)?;
            }
            let endpoint =
                self.networks
                    .attach(network, settings.id.as_str(), Path::new(&netns), &wish)?;
            self.tell("connect", settings, &endpoint);
        }
        let endpoints = self.networks.endpoints(settings.id.as_str());
        self.write_names(settings, dir.path(), &endpoints)
    }

    /// Takes it out of all networks.
    pub(in crate::engine::container) fn disconnect(&self, settings: &Settings) {
        self.tell_left(self.leave(settings));
    }

    /// The same untold: its end is to be told before.
    pub(in crate::engine::container) fn leave(&self, settings: &Settings) -> Vec<Left> {
        let id = settings.id.as_str();
        let leftovers = self.networks.leftovers(id);
        let mut left = Vec::new();
        for endpoint in self.networks.endpoints(id).into_iter().chain(leftovers) {
            // Its name may be gone by the time that this is told.
            let attributes = self.attributes(settings, &endpoint);
            match self.networks.detach(&endpoint) {
                Ok(()) => left.push(Left(endpoint.network, attributes)),
                Err(error) => {
                    tracing::warn!(container = %settings.id, %error, "not detached from its network");
                }
            }
        }
        left
    }

    pub(in crate::engine::container) fn tell_left(&self, left: Vec<Left>) {
        for Left(network, attributes) in left {
            let kind = EventMessageTypeEnum::NETWORK;
            self.events.tell(kind, "disconnect", &network, attributes);
        }
    }

    pub(super) fn tell(&self, action: &str, settings: &Settings, endpoint: &Endpoint) {
        let attributes = self.attributes(settings, endpoint);
        let kind = EventMessageTypeEnum::NETWORK;
        self.events
            .tell(kind, action, &endpoint.network, attributes);
    }

    fn attributes(&self, settings: &Settings, endpoint: &Endpoint) -> HashMap<String, String> {
        let attributes = [
            ("container", settings.id.to_string()),
            ("name", self.network_name(endpoint)),
            ("type", "bridge".to_owned()),
        ];
        HashMap::from(attributes.map(|(key, value)| (key.to_owned(), value)))
    }

    pub(super) fn network_name(&self, endpoint: &Endpoint) -> String {
        let network = self.networks.inspect(&endpoint.network);
        network
            .ok()
            .and_then(|network| network.name)
            .unwrap_or_default()
    }

    /// As `inspect` shows them, by name: of one that does not run, those it will be in.
    pub(in crate::engine::container) fn networks_of(
        &self,
        settings: &Settings,
    ) -> HashMap<String, EndpointSettings> {
        let mut all: HashMap<_, _> = match mode(settings) {
            NetworkMode::Container(_) => HashMap::new(),
            NetworkMode::None => HashMap::from([("none".to_owned(), None)]),
            NetworkMode::Host => HashMap::from([("host".to_owned(), None)]),
            NetworkMode::Named(first) => {
                let mut all = HashMap::from([(first, None)]);
                all.extend(
                    asked(settings)
                        .into_iter()
                        .map(|(name, one)| (name, Some(one))),
                );
                all
            }
        };
        let live = self.networks.endpoints(settings.id.as_str());
        let live: HashMap<_, _> = live
            .iter()
            .map(|endpoint| (self.network_name(endpoint), endpoint.settings()))
            .collect();
        let mut shown: HashMap<_, _> = all
            .drain()
            .map(|(name, asked)| {
                let id = self
                    .networks
                    .inspect(&name)
                    .ok()
                    .and_then(|network| network.id);
                let settings = EndpointSettings {
                    network_id: id,
                    ..asked.unwrap_or_default()
                };
                (name, settings)
            })
            .collect();
        for (name, mut live) in live {
            // What it was asked to be, beside what it is.
            if let Some(asked) = shown.remove(&name) {
                live.ipam_config = asked.ipam_config;
                live.links = asked.links;
                live.driver_opts = asked.driver_opts;
            }
            shown.insert(name, live);
        }
        shown
    }

    fn published(&self, settings: &Settings) -> Vec<Published> {
        let endpoints = self.networks.endpoints(settings.id.as_str()).into_iter();
        endpoints.flat_map(|endpoint| endpoint.ports).collect()
    }

    /// As `inspect` shows them; exposed ones have nothing behind them.
    pub(in crate::engine::container) fn port_map(&self, settings: &Settings) -> PortMap {
        let mut map = Published::to_map(&self.published(settings));
        if !self.networks.endpoints(settings.id.as_str()).is_empty() {
            for port in settings.body.exposed_ports.iter().flatten() {
                map.entry(port.clone()).or_insert(None);
            }
        }
        map
    }

    /// As `ps` shows them.
    pub(in crate::engine::container) fn ports(&self, settings: &Settings) -> Vec<PortSummary> {
        let published = self.published(settings);
        let mut ports: Vec<_> = published
            .iter()
            .map(|one| PortSummary {
                ip: Some(one.host_ip.to_string()),
                private_port: one.container_port,
                public_port: Some(one.host_port),
                typ: Some(match one.protocol {
                    Protocol::Tcp => PortSummaryTypeEnum::TCP,
                    Protocol::Udp => PortSummaryTypeEnum::UDP,
                    Protocol::Sctp => PortSummaryTypeEnum::SCTP,
                }),
            })
            .collect();
        let exposed = self.port_map(settings).into_iter();
        for (port, _) in exposed.filter(|(_, bindings)| bindings.is_none()) {
            let (number, protocol) = port.split_once('/').unwrap_or((&port, "tcp"));
            ports.extend(number.parse().ok().map(|private_port| PortSummary {
                ip: None,
                private_port,
                public_port: None,
                typ: protocol.parse().ok(),
            }));
        }
        ports.sort_by_key(|port| (port.private_port, port.public_port));
        ports
    }
}

/// `NetworkingConfig.EndpointsConfig`, by name: see [`normalise`](super::normalise).
pub(super) fn asked(settings: &Settings) -> HashMap<String, EndpointSettings> {
    let config = settings.body.networking_config.as_ref();
    let endpoints = config.and_then(|config| config.endpoints_config.clone());
    endpoints.unwrap_or_default()
}

pub(super) fn wish(
    settings: &Settings,
    network: &str,
    asked: Option<&EndpointSettings>,
) -> Result<Wish, EngineError> {
    let body = &settings.body;
    let ipam = asked.and_then(|asked| asked.ipam_config.as_ref());
    let ipv4 = address("IPv4", ipam.and_then(|ipam| ipam.ipv4_address.as_deref()))?;
    let ipv6 = address("IPv6", ipam.and_then(|ipam| ipam.ipv6_address.as_deref()))?;
    if crate::engine::network::DEFAULT_NETWORK == network && (ipv4.is_some() || ipv6.is_some()) {
        let text = "user specified IP address is supported on user defined networks only";
        return Err(EngineError::Invalid(text.to_owned()));
    }
    let mac = asked.and_then(|asked| asked.mac_address.as_deref());
    let mac = mac.filter(|text| !text.is_empty()).map(|text| {
        text.parse()
            .map_err(|_| EngineError::Invalid(format!("invalid MAC address: {text}")))
    });
    let mut aliases = asked
        .and_then(|asked| asked.aliases.clone())
        .unwrap_or_default();
    if crate::engine::network::DEFAULT_NETWORK != network {
        aliases.push(settings.id.as_str().chars().take(SHORT).collect());
    }
    Ok(Wish {
        name: settings.name.clone(),
        hostname: body.hostname.clone().unwrap_or_default(),
        aliases,
        links: links(settings, network, asked),
        ipv4,
        ipv6,
        mac: mac.transpose()?,
        ports: Vec::new(),
        dns: servers(settings),
    })
}

/// `--link`: clients say it of the endpoint, or, older ones, of the container. Whom there is none of is not found.
fn links(
    settings: &Settings,
    network: &str,
    asked: Option<&EndpointSettings>,
) -> BTreeMap<String, String> {
    let is_first = matches!(mode(settings), NetworkMode::Named(first) if first == network);
    let of_container = settings.host().and_then(|host| host.links.as_ref());
    let of_container = of_container.filter(|_| is_first);
    let of_endpoint = asked.and_then(|asked| asked.links.as_ref());
    let all = of_container.into_iter().chain(of_endpoint).flatten();
    all.map(|text| link(text)).collect()
}

/// `NAME[:ALIAS]`, or `/NAME:/CONTAINER/ALIAS`, as it was shown once: the alias, and whose.
fn link(text: &str) -> (String, String) {
    let (name, alias) = text.split_once(':').unwrap_or((text, text));
    let alias = alias.rsplit('/').next().unwrap_or(alias);
    let name = name.trim_start_matches('/');
    // An id is known by its beginning.
    let is_id = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = if is_id { &name[..SHORT] } else { name };
    (alias.to_owned(), name.to_owned())
}

fn address<T: FromStr>(family: &str, text: Option<&str>) -> Result<Option<T>, EngineError> {
    let given = text.filter(|text| !text.is_empty());
    let refused = |text| EngineError::Invalid(format!("invalid {family} address: {text}"));
    given
        .map(|text| text.parse().map_err(|_| refused(text)))
        .transpose()
}

/// `-p` and `-P`.
pub(super) fn publish(settings: &Settings) -> Result<Vec<Publish>, EngineError> {
    let Some(host) = settings.host() else {
        return Ok(Vec::new());
    };
    let mut ports = match &host.port_bindings {
        Some(bindings) => Publish::from_map(bindings)?,
        None => Vec::new(),
    };
    if host.publish_all_ports == Some(true) {
        for exposed in settings.body.exposed_ports.iter().flatten() {
            for port in Publish::parse(exposed)? {
                let is_named = |one: &Publish| {
                    (one.container_port, one.protocol) == (port.container_port, port.protocol)
                };
                if !ports.iter().any(is_named) {
                    ports.push(port);
                }
            }
        }
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_as_clients_write_them() {
        let id = "0123456789abcdef".repeat(4);
        for (text, alias, name) in [
            ("web", "web", "web"),
            ("web_1:web", "web", "web_1"),
            ("/web_1:/box/web", "web", "web_1"),
            (&format!("{id}:web"), "web", "0123456789ab"),
        ] {
            assert_eq!(link(text), (alias.to_owned(), name.to_owned()), "{text}");
        }
    }
}
