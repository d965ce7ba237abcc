//! From Docker's request for a network to what is kept of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;
use std::time::SystemTime;

use bollard::models::{IpamConfig, NetworkCreateRequest};
use ipnet::IpNet;

use super::NetworkError;
use super::pool::{self, Pool};
use super::record::{Driver, Network};

const RANDOM: &str = "/dev/urandom";
/// Names that no network of a user's can have.
const RESERVED: [&str; 5] = ["bridge", "host", "none", "default", "container"];

/// 32 random bytes: what ids are made of.
pub(super) fn random() -> Result<[u8; 32], NetworkError> {
    let mut bytes = [0; 32];
    let read = File::open(RANDOM).and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(|source| NetworkError::State {
        path: Path::new(RANDOM).to_owned(),
        source,
    })?;
    Ok(bytes)
}

/// As an id is written.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One of those that are always there; a bridge gets its subnet with the first container.
pub(super) fn predefined(name: &str, driver: Driver) -> Result<Network, NetworkError> {
    Ok(Network {
        id: hexadecimal(&random()?),
        name: name.to_owned(),
        created: now(),
        driver,
        internal: false,
        attachable: false,
        pools: Vec::new(),
        labels: BTreeMap::new(),
        options: BTreeMap::new(),
    })
}

/// `taken`: subnets of other networks and of the host's routes, of which none is chosen.
pub(super) fn network(
    request: &NetworkCreateRequest,
    taken: &[IpNet],
) -> Result<Network, NetworkError> {
    offered(request)?;
    let id = random()?;
    let sorted = |map: &Option<std::collections::HashMap<String, String>>| {
        map.clone().unwrap_or_default().into_iter().collect()
    };
    let network = Network {
        id: hexadecimal(&id),
        name: request.name.clone(),
        created: now(),
        driver: Driver::Bridge,
        internal: request.internal.unwrap_or_default(),
        attachable: request.attachable.unwrap_or_default(),
        pools: pools(request, &id, taken)?,
        labels: sorted(&request.labels),
        options: sorted(&request.options),
    };
    if let Some((option, value)) = network.wrong_option() {
        return refuse(format!("{value:?} is no value for the option {option}"));
    }
    let bridge = network.bridge();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    // As the kernel's dev_valid_name(), and nothing that means something to nft.
    if bridge.is_empty()
        || bridge.len() > 15
        || bridge.starts_with('.')
        || !bridge.chars().all(plain)
    {
        return refuse(format!(
            "{bridge:?} is no name for a bridge (15 letters, digits, - _ .)"
        ));
    }
    Ok(network)
}

fn offered(request: &NetworkCreateRequest) -> Result<(), NetworkError> {
    let name = request.name.as_str();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(plain) {
        return refuse(format!(
            "{name:?} is no name for a network ([a-zA-Z0-9][a-zA-Z0-9_.-]*)"
        ));
    }
    if RESERVED.contains(&name) {
        return Err(NetworkError::NameTaken(name.to_owned()));
    }
    match request.driver.as_deref() {
        None | Some("" | "bridge" | "default") => {}
        Some(other) => return refuse(format!("driver {other} is not offered, bridge is")),
    }
    match request.scope.as_deref() {
        None | Some("" | "local") => {}
        Some(other) => return refuse(format!("scope {other} is not offered, local is")),
    }
    if request.ingress == Some(true)
        || request.config_only == Some(true)
        || request.config_from.is_some()
    {
        return refuse("ingress and config-only networks are not offered".to_owned());
    }
    if request.enable_ipv4 == Some(false) {
        return refuse("a network without IPv4 is not offered".to_owned());
    }
    match request
        .ipam
        .as_ref()
        .and_then(|ipam| ipam.driver.as_deref())
    {
        None | Some("" | "default") => Ok(()),
        Some(other) => refuse(format!("IPAM driver {other} is not offered, default is")),
    }
}

fn pools(
    request: &NetworkCreateRequest,
    id: &[u8; 32],
    taken: &[IpNet],
) -> Result<Vec<Pool>, NetworkError> {
    let configs = request.ipam.as_ref().and_then(|ipam| ipam.config.as_ref());
    let configs = configs.into_iter().flatten();
    let mut pools = Vec::new();
    for config in configs.filter(|config| **config != IpamConfig::default()) {
        pools.push(requested(config)?);
    }
    let wants_ipv6 = request.enable_ipv6.unwrap_or_default();
    let (mut v4, mut v6): (Vec<Pool>, Vec<Pool>) =
        pools.into_iter().partition(|pool| pool.gateway.is_ipv4());
    if v4.len() > 1 || v6.len() > 1 {
        return refuse("one subnet for each family is offered".to_owned());
    }
    if !v6.is_empty() && !wants_ipv6 {
        return refuse("a subnet of IPv6 needs EnableIPv6 (--ipv6)".to_owned());
    }
    if v4.is_empty() {
        v4.push(Pool::whole(pool::choose(taken)?));
    }
    if wants_ipv6 && v6.is_empty() {
        v6.push(Pool::whole(pool::unique_local(id)));
    }
    v4.append(&mut v6);
    Ok(v4)
}

fn requested(config: &IpamConfig) -> Result<Pool, NetworkError> {
    let Some(subnet) = config.subnet.as_deref() else {
        return refuse("a gateway or an IP range needs a subnet".to_owned());
    };
    let mut pool = Pool::whole(net(subnet)?);
    if pool.subnet.max_prefix_len() - pool.subnet.prefix_len() < 2 {
        return refuse(format!(
            "subnet {subnet} has no room for a gateway and a container"
        ));
    }
    if let Some(range) = config.ip_range.as_deref().filter(|range| !range.is_empty()) {
        let range = net(range)?;
        if !pool.subnet.contains(&range) {
            return refuse(format!("IP range {range} is not in subnet {subnet}"));
        }
        pool.range = Some(range.trunc());
    }
    if let Some(gateway) = config
        .gateway
        .as_deref()
        .filter(|gateway| !gateway.is_empty())
    {
        pool.gateway = inside(&pool, gateway)?;
    }
    for (name, address) in config.auxiliary_addresses.iter().flatten() {
        let address = inside(&pool, address)?;
        pool.auxiliary.insert(name.clone(), address);
    }
    Ok(pool)
}

fn inside(pool: &Pool, address: &str) -> Result<IpAddr, NetworkError> {
    // Docker takes a gateway with a prefix length, too.
    let bare = address.split('/').next().unwrap_or_default();
    match bare.parse::<IpAddr>() {
        Ok(address) if pool.offers(address) => Ok(address),
        _ => refuse(format!(
            "{address:?} is no address of subnet {}",
            pool.subnet
        )),
    }
}

fn net(text: &str) -> Result<IpNet, NetworkError> {
    text.parse()
        .or_else(|_| refuse(format!("{text:?} is no subnet in CIDR form")))
}

fn refuse<T>(why: String) -> Result<T, NetworkError> {
    Err(NetworkError::Config(why))
}

fn now() -> String {
    humantime::format_rfc3339_nanos(SystemTime::now()).to_string()
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
