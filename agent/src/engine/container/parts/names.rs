//! The files by which a container knows names: `hostname`, `hosts`, `resolv.conf`. They are written where they
//! are, because a container that runs has them mounted.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use super::Parts;
use super::complete::mode_of;
use crate::engine::container::EngineError;
use crate::engine::container::cell::Cell;
use crate::engine::container::handle::Shared;
use crate::engine::container::model::{ContainerDir, Settings};
use crate::engine::network::{
    DEFAULT_NETWORK, Endpoint, ExtraHost, NetworkMode, ResolvConf, Resolver, hostname, hosts,
};
use crate::engine::spec::Files;

const HOSTNAME: &str = "hostname";
const HOSTS: &str = "hosts";
const RESOLV_CONF: &str = "resolv.conf";

impl Parts {
    /// Writes them for a start; what takes an address, [`write_names`](Self::write_names) does.
    pub(super) fn write_files(
        &self,
        shared: &Shared,
        settings: &Settings,
        dir: &ContainerDir,
    ) -> Result<Files, EngineError> {
        let files = |directory: &Path| Files {
            resolv_conf: Some(directory.join(RESOLV_CONF)),
            hosts: Some(directory.join(HOSTS)),
            hostname: Some(directory.join(HOSTNAME)),
        };
        let name = settings.body.hostname.as_deref().unwrap_or_default();
        let path = dir.path();
        let put = |file: &str, text: &str| {
            let file = path.join(file);
            fs::write(&file, text).map_err(EngineError::io("write", &file))
        };
        put(HOSTNAME, &hostname(name))?;
        match mode(settings) {
            NetworkMode::Container(other) => {
                return Ok(files(owner_of_files(shared, &other)?.dir.path()));
            }
            NetworkMode::Host => {
                // A host may be without one.
                let own = |file: &str| fs::read_to_string(file).unwrap_or_default();
                let extra = extra_hosts(settings)?;
                if extra.is_empty() {
                    put(HOSTS, &own("/etc/hosts"))?;
                } else {
                    // The host is where the container is.
                    let host = Some(Ipv4Addr::LOCALHOST.into());
                    put(HOSTS, &hosts(name, "", &extra, host, &[]))?;
                }
                let (wish, own) = (resolv_wish(settings), own("/etc/resolv.conf"));
                if wish == ResolvConf::default() {
                    put(RESOLV_CONF, &own)?;
                } else {
                    let conf = ResolvConf::parse(&own).for_container(&wish, Resolver::AsHost);
                    put(RESOLV_CONF, &conf.to_text())?;
                }
            }
            NetworkMode::None | NetworkMode::Named(_) => self.write_names(settings, path, &[])?,
        }
        Ok(files(path))
    }

    /// Writes `hosts` and `resolv.conf` of a container with these endpoints, by name of network.
    pub(super) fn write_names(
        &self,
        settings: &Settings,
        directory: &Path,
        endpoints: &[Endpoint],
    ) -> Result<(), EngineError> {
        let body = &settings.body;
        let gateway = endpoints
            .iter()
            .find_map(|one| one.gateways.first().copied());
        let name = body.hostname.as_deref().unwrap_or_default();
        let domain = body.domainname.as_deref().unwrap_or_default();
        let extra = extra_hosts(settings)?;
        let text = hosts(name, domain, &extra, gateway, endpoints);
        let file = directory.join(HOSTS);
        fs::write(&file, text).map_err(EngineError::io("write", &file))?;

        let mut named = endpoints
            .iter()
            .filter(|one| self.network_name(one) != DEFAULT_NETWORK);
        let resolver = match named.find_map(|one| one.gateways.first().copied()) {
            Some(gateway) => Resolver::Ours(gateway),
            None => Resolver::Hosts {
                otherwise: gateway,
                ipv6: endpoints.iter().any(|one| one.ipv6().is_some()),
            },
        };
        let text = ResolvConf::of_host()
            .for_container(&resolv_wish(settings), resolver)
            .to_text();
        let file = directory.join(RESOLV_CONF);
        fs::write(&file, text).map_err(EngineError::io("write", &file))
    }
}

/// Whose files a container has that shares another's network, which may be a third one's.
fn owner_of_files(shared: &Shared, other: &str) -> Result<Arc<Cell>, EngineError> {
    let mut cell = shared.registry.resolve(other)?;
    let mut seen = BTreeSet::new();
    while let NetworkMode::Container(next) = mode(&cell.settings()) {
        // By names that became others', as earlier agents kept them.
        if !seen.insert(cell.id.clone()) {
            let text = format!("containers share each other's network: {}", cell.id);
            return Err(EngineError::Invalid(text));
        }
        cell = shared.registry.resolve(&next)?;
    }
    Ok(cell)
}

pub(super) fn mode(settings: &Settings) -> NetworkMode {
    mode_of(
        settings
            .host()
            .and_then(|host| host.network_mode.as_deref()),
    )
}

fn resolv_wish(settings: &Settings) -> ResolvConf {
    let host = settings.host();
    let words = |list: Option<&Vec<String>>| list.cloned().unwrap_or_default();
    ResolvConf {
        servers: servers(settings),
        search: words(host.and_then(|host| host.dns_search.as_ref())),
        options: words(host.and_then(|host| host.dns_options.as_ref())),
    }
}

/// `--dns`.
pub(super) fn servers(settings: &Settings) -> Vec<IpAddr> {
    let named = settings.host().and_then(|host| host.dns.as_ref());
    let named = named.into_iter().flatten();
    named.filter_map(|text| text.parse().ok()).collect()
}

fn extra_hosts(settings: &Settings) -> Result<Vec<ExtraHost>, EngineError> {
    let named = settings.host().and_then(|host| host.extra_hosts.as_ref());
    let named = named.into_iter().flatten();
    Ok(named.map(|text| text.parse()).collect::<Result<_, _>>()?)
}
