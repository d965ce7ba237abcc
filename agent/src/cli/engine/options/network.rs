//! How a container is connected.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, NetworkingConfig,
};
use clap::Args;

use super::super::super::failure::{Exit, Failure};
use super::attachment::Attachment;
use super::ports::{self, Exposed, Ports, Published};

/// Networks that have no names in them.
const NOT_ONES_OWN: [&str; 4] = ["default", "bridge", "host", "none"];

/// Of the network.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Network")]
pub(in super::super) struct NetworkArgs {
    /// none, host, bridge, container:NAME, or the name of a network; name=NETWORK,alias=…,ip=…,ip6=…,mac-address=…
    #[arg(long, visible_alias = "net", value_name = "NETWORK", value_parser = Attachment::parse)]
    network: Vec<Attachment>,
    /// Further name in its network
    #[arg(long, alias = "net-alias", value_name = "NAME")]
    network_alias: Vec<String>,
    /// Address in its network
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<Ipv4Addr>,
    /// IPv6 address in its network
    #[arg(long, value_name = "ADDRESS")]
    ip6: Option<Ipv6Addr>,
    /// Address of its device
    #[arg(long, value_name = "ADDRESS", value_parser = mac_address)]
    mac_address: Option<String>,
    /// Make a port reachable from outside
    #[arg(short, long, value_name = "[[IP:]HOST:]PORT[/PROTOCOL]", value_parser = ports::published)]
    publish: Vec<Published>,
    /// Make all exposed ports reachable from outside
    #[arg(short = 'P', long)]
    publish_all: bool,
    /// Expose a port
    #[arg(long, value_name = "PORT[/PROTOCOL]", value_parser = ports::exposed)]
    expose: Vec<Exposed>,
    /// Name server
    #[arg(long, value_name = "ADDRESS")]
    dns: Vec<IpAddr>,
    /// Domain in which names are looked up
    #[arg(long, value_name = "DOMAIN")]
    dns_search: Vec<String>,
    /// Option of the resolver
    #[arg(long, alias = "dns-opt", value_name = "OPTION")]
    dns_option: Vec<String>,
    /// Line of /etc/hosts
    #[arg(long, value_name = "NAME:ADDRESS", value_parser = host)]
    add_host: Vec<String>,
}

impl NetworkArgs {
    pub(super) fn apply(
        self,
        body: &mut ContainerCreateBody,
        host: &mut HostConfig,
    ) -> Result<(), Failure> {
        let Ports { exposed, bindings } = Ports::of(&self.publish, &self.expose);
        body.exposed_ports = (!exposed.is_empty()).then_some(exposed);
        host.port_bindings = (!bindings.is_empty()).then_some(bindings);
        host.publish_all_ports = self.publish_all.then_some(true);
        host.dns = texts(self.dns.iter().map(ToString::to_string));
        host.dns_search = texts(self.dns_search.into_iter());
        host.dns_options = texts(self.dns_option.into_iter());
        host.extra_hosts = texts(self.add_host.into_iter());
        let mut attachments = self.network.into_iter();
        let Attachment { network, endpoint } = attachments.next().unwrap_or_else(|| Attachment {
            network: "default".to_owned(),
            endpoint: EndpointSettings::default(),
        });
        let mode = network.as_str();
        let has_names = !NOT_ONES_OWN.contains(&mode) && !mode.starts_with("container:");
        let has_aliases = !self.network_alias.is_empty() || endpoint.aliases.is_some();
        if has_aliases && !has_names {
            let refusal = "network-scoped aliases are only supported for user-defined networks";
            return Err(Failure::new(Exit::NotRun, refusal));
        }
        let addressed = self.ip.is_some() || self.ip6.is_some();
        let flags = EndpointSettings {
            aliases: texts(self.network_alias.into_iter()),
            mac_address: self.mac_address,
            ipam_config: addressed.then(|| EndpointIpamConfig {
                ipv4_address: self.ip.map(|ip| ip.to_string()),
                ipv6_address: self.ip6.map(|ip| ip.to_string()),
                ..EndpointIpamConfig::default()
            }),
            ..EndpointSettings::default()
        };
        let unset = EndpointSettings::default();
        if flags != unset && endpoint != unset {
            let refusal = "conflicting options: an address or alias of a network, both by itself and with --network name=";
            return Err(Failure::new(Exit::NotRun, refusal));
        }
        host.network_mode = Some(mode.to_owned());
        let first = if endpoint == unset { flags } else { endpoint };
        let mut endpoints = HashMap::from([(mode.to_owned(), first)]);
        for Attachment { network, endpoint } in attachments {
            endpoints.entry(network).or_insert(endpoint);
        }
        body.networking_config = Some(NetworkingConfig {
            endpoints_config: Some(endpoints),
        });
        Ok(())
    }
}

fn texts(texts: impl Iterator<Item = String>) -> Option<Vec<String>> {
    let texts: Vec<_> = texts.collect();
    (!texts.is_empty()).then_some(texts)
}

pub(super) fn mac_address(text: &str) -> Result<String, String> {
    let bytes = text.split(':');
    let valid = bytes.clone().count() == 6
        && bytes
            .into_iter()
            .all(|byte| byte.len() == 2 && u8::from_str_radix(byte, 16).is_ok());
    valid
        .then(|| text.to_owned())
        .ok_or_else(|| format!("{text} is not a valid mac address"))
}

/// `NAME:ADDRESS` or `NAME=ADDRESS`, the address also `host-gateway`.
fn host(text: &str) -> Result<String, String> {
    let wrong = || format!("bad format for add-host: \"{text}\"");
    let (name, address) = text.split_once(['=', ':']).ok_or_else(wrong)?;
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    if name.is_empty() || (bare != "host-gateway" && bare.parse::<IpAddr>().is_err()) {
        return Err(wrong());
    }
    Ok(format!("{name}:{bare}"))
}
