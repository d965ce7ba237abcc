//! The files by which a container knows names: `hostname`, `hosts`, `resolv.conf`. They are written where they
//! are, because a container that runs has them mounted.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use super::Parts;
use super::complete::mode_of;
use crate::engine::container::EngineError;
use crate::engine::container::cell::Cell;
use crate::engine::container::handle::Shared;
use crate::engine::container::model::{ContainerDir, Settings};
use crate::engine::network::{
    Endpoint, ExtraHost, NetworkMode, ResolvConf, Resolver, hostname, hosts,
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
        let path = dir.bundle();
        let put = |file: &str, text: &str| {
            let file = path.join(file);
            fs::write(&file, text).map_err(EngineError::io("write", &file))
        };
        put(HOSTNAME, &hostname(name))?;
        match mode(settings) {
            NetworkMode::Container(other) => {
                return Ok(files(owner_of_files(shared, &other)?.dir.bundle()));
            }
            NetworkMode::Host => {
                for (file, own) in [(HOSTS, "/etc/hosts"), (RESOLV_CONF, "/etc/resolv.conf")] {
                    // A host without one.
                    put(file, &fs::read_to_string(own).unwrap_or_default())?;
                }
                let extra = extra_hosts(settings)?;
                if !extra.is_empty() {
                    put(HOSTS, &hosts(name, "", &extra, None, &[]))?;
                }
            }
            NetworkMode::None | NetworkMode::Named(_) => self.write_names(settings, path, &[])?,
        }
        Ok(files(path))
    }

    /// Writes `hosts` and `resolv.conf` of a container with these endpoints.
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

        let host = settings.host();
        let words = |list: Option<&Vec<String>>| list.cloned().unwrap_or_default();
        let wish = ResolvConf {
            servers: servers(settings),
            search: words(host.and_then(|host| host.dns_search.as_ref())),
            options: words(host.and_then(|host| host.dns_options.as_ref())),
        };
        let resolver = match (mode(settings).is_user_defined(), gateway) {
            (true, Some(gateway)) => Resolver::Ours(gateway),
            (_, otherwise) => Resolver::Hosts { otherwise },
        };
        let text = ResolvConf::of_host()
            .for_container(&wish, resolver)
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
