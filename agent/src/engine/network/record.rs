//! What is kept of a network, and of a container's place in it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::pool::Pool;
use super::{Mac, Publish, Published};

/// Docker's options of the driver `bridge` that are heeded.
const BRIDGE_NAME: &str = "com.docker.network.bridge.name";
const ICC: &str = "com.docker.network.bridge.enable_icc";
const MASQUERADE: &str = "com.docker.network.bridge.enable_ip_masquerade";
const BINDING: &str = "com.docker.network.bridge.host_binding_ipv4";
const MTU: &str = "com.docker.network.driver.mtu";

/// How a network's containers are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Driver {
    /// By a bridge of the host's.
    Bridge,
    /// They are in the host's namespace.
    Host,
    /// Not at all.
    Null,
}

/// A network, as it was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Network {
    /// 64 hexadecimal digits.
    pub(super) id: String,
    pub(super) name: String,
    /// RFC 3339.
    pub(super) created: String,
    pub(super) driver: Driver,
    /// Without a way out of it.
    pub(super) internal: bool,
    pub(super) attachable: bool,
    /// One for IPv4, and one for IPv6 if it has that.
    pub(super) pools: Vec<Pool>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) options: BTreeMap<String, String>,
}

impl Network {
    /// The bridge's name: at most 15 bytes, as all interfaces' (`IFNAMSIZ`).
    pub(super) fn bridge(&self) -> String {
        let own = || match self.name.as_str() {
            super::DEFAULT_NETWORK => "plimsoll0".to_owned(),
            _ => format!("pl-{}", self.id.get(..12).unwrap_or(&self.id)),
        };
        self.options.get(BRIDGE_NAME).cloned().unwrap_or_else(own)
    }

    /// Whether nobody but this engine makes a bridge of that name.
    pub(super) fn has_own_name(&self) -> bool {
        !self.options.contains_key(BRIDGE_NAME)
    }

    /// Whether containers know each other by name. Docker's default network is without.
    pub(super) fn has_names(&self) -> bool {
        self.driver == Driver::Bridge && self.name != super::DEFAULT_NETWORK
    }

    /// Whether its containers may talk to each other.
    pub(super) fn icc(&self) -> bool {
        self.flag(ICC)
    }

    /// Whether what leaves has the host's address.
    pub(super) fn masquerades(&self) -> bool {
        self.flag(MASQUERADE)
    }

    /// Where ports are published when nobody says.
    pub(super) fn host_binding(&self) -> Option<IpAddr> {
        let binding = self.options.get(BINDING)?.parse::<IpAddr>().ok()?;
        (!binding.is_unspecified()).then_some(binding)
    }

    /// An option whose value is not understood, and would be taken for unset.
    pub(super) fn wrong_option(&self) -> Option<(&str, &str)> {
        let is_right = |option: &str, value: &str| match option {
            ICC | MASQUERADE => truth(value).is_some(),
            BINDING => value.parse::<Ipv4Addr>().is_ok(),
            MTU => value.parse::<u32>().is_ok(),
            _ => true,
        };
        let mut options = self.options.iter();
        let wrong = options.find(|(option, value)| !is_right(option, value));
        wrong.map(|(option, value)| (option.as_str(), value.as_str()))
    }

    pub(super) fn mtu(&self) -> Option<u32> {
        self.options.get(MTU)?.parse().ok()
    }

    pub(super) fn has_ipv6(&self) -> bool {
        self.pools.iter().any(|pool| pool.gateway.is_ipv6())
    }

    fn flag(&self, option: &str) -> bool {
        let value = self.options.get(option);
        value.is_none_or(|value| truth(value) == Some(true))
    }
}

/// As Go's `strconv.ParseBool` has it.
fn truth(value: &str) -> Option<bool> {
    match value {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// What a container asks of a network.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The container's name, which others in the network find it by.
    pub name: String,
    /// What it calls itself.
    pub hostname: String,
    /// Other names in this network.
    pub aliases: Vec<String>,
    /// By which it alone finds others, to the names that all find them by.
    pub links: BTreeMap<String, String>,
    /// A certain IPv4 address; `None`: any.
    pub ipv4: Option<Ipv4Addr>,
    /// A certain IPv6 address; `None`: any, where the network has IPv6.
    pub ipv6: Option<Ipv6Addr>,
    /// A certain hardware address; `None`: one derived from the IP address.
    pub mac: Option<Mac>,
    /// Ports to be reached from outside.
    pub ports: Vec<Publish>,
    /// Whom the names that are not containers' are asked of; empty: whom the host asks.
    pub dns: Vec<IpAddr>,
}

/// A container's place in a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// 64 hexadecimal digits.
    pub id: String,
    /// The network's id.
    pub network: String,
    /// The container's id.
    pub container: String,
    /// The container's name.
    pub name: String,
    /// What the container calls itself.
    pub hostname: String,
    /// Other names in this network.
    pub aliases: Vec<String>,
    /// By which it alone finds others, to the names that all find them by.
    #[serde(default)]
    pub links: BTreeMap<String, String>,
    /// Address and prefix length, one for each family the network has; IPv4 first.
    pub addresses: Vec<ipnet::IpNet>,
    /// The bridge's addresses, in the same order.
    pub gateways: Vec<IpAddr>,
    /// Of the container's interface.
    pub mac: Mac,
    /// The host's end of the veth pair.
    pub host_veth: String,
    /// What is published.
    pub ports: Vec<Published>,
    /// Whom the names that are not containers' are asked of; empty: whom the host asks.
    pub dns: Vec<IpAddr>,
}

impl Endpoint {
    /// What others in the network find it by: name, id as `ps` shows it, host name, aliases.
    pub(super) fn names(&self) -> Vec<String> {
        let short = self
            .container
            .get(..12)
            .unwrap_or(&self.container)
            .to_owned();
        let all = [self.name.clone(), short, self.hostname.clone()];
        let mut names: Vec<String> = Vec::new();
        for name in all.into_iter().chain(self.aliases.iter().cloned()) {
            if !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Its address in IPv4.
    pub fn ipv4(&self) -> Option<ipnet::Ipv4Net> {
        self.addresses.iter().find_map(|address| match address {
            ipnet::IpNet::V4(v4) => Some(*v4),
            ipnet::IpNet::V6(_) => None,
        })
    }

    /// Its address in IPv6, where the network has that.
    pub fn ipv6(&self) -> Option<ipnet::Ipv6Net> {
        self.addresses.iter().find_map(|address| match address {
            ipnet::IpNet::V6(v6) => Some(*v6),
            ipnet::IpNet::V4(_) => None,
        })
    }
}

#[cfg(test)]
pub(super) fn sample(name: &str) -> Endpoint {
    Endpoint {
        id: format!("{name}-endpoint"),
        network: "back-id".into(),
        container: format!("{name}-0123456789abcdef"),
        name: name.into(),
        hostname: format!("{name}-host"),
        aliases: vec![format!("{name}-alias")],
        links: BTreeMap::new(),
        addresses: vec!["172.18.0.2/16".parse().unwrap()],
        gateways: vec!["172.18.0.1".parse().unwrap()],
        mac: Mac([2, 0x42, 172, 18, 0, 2]),
        host_veth: format!("plv{name}"),
        ports: Vec::new(),
        dns: Vec::new(),
    }
}
