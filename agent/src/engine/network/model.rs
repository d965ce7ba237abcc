//! Networks and endpoints as the Docker Engine API shows them.

use std::collections::HashMap;

use bollard::models;
use ipnet::IpNet;

use super::record::{Driver, Endpoint, Network};

impl Network {
    fn ipam(&self) -> models::Ipam {
        let configs = self.pools.iter().map(|pool| models::IpamConfig {
            subnet: Some(pool.subnet.to_string()),
            ip_range: pool.range.map(|range| range.to_string()),
            gateway: Some(pool.gateway.to_string()),
            auxiliary_addresses: (!pool.auxiliary.is_empty()).then(|| {
                let auxiliary = pool.auxiliary.iter();
                auxiliary
                    .map(|(name, address)| (name.clone(), address.to_string()))
                    .collect()
            }),
        });
        models::Ipam {
            driver: Some("default".into()),
            config: Some(configs.collect()),
            options: None,
        }
    }

    fn driver_name(&self) -> String {
        let name = match self.driver {
            Driver::Bridge => "bridge",
            Driver::Host => "host",
            Driver::Null => "null",
        };
        name.to_owned()
    }

    /// As `network ls` lists it.
    pub(super) fn summary(&self) -> models::Network {
        models::Network {
            name: Some(self.name.clone()),
            id: Some(self.id.clone()),
            created: Some(self.created.clone()),
            scope: Some("local".into()),
            driver: Some(self.driver_name()),
            enable_ipv4: Some(true),
            enable_ipv6: Some(self.has_ipv6()),
            ipam: Some(self.ipam()),
            internal: Some(self.internal),
            attachable: Some(self.attachable),
            ingress: Some(false),
            config_from: Some(models::ConfigReference {
                network: Some(String::new()),
            }),
            config_only: Some(false),
            options: Some(self.options.clone().into_iter().collect()),
            labels: Some(self.labels.clone().into_iter().collect()),
            peers: None,
        }
    }

    /// As `network inspect` shows it.
    pub(super) fn inspect<'a>(
        &self,
        endpoints: impl Iterator<Item = &'a Endpoint>,
    ) -> models::NetworkInspect {
        let summary = self.summary();
        let containers =
            endpoints.map(|endpoint| (endpoint.container.clone(), endpoint.resource()));
        models::NetworkInspect {
            name: summary.name,
            id: summary.id,
            created: summary.created,
            scope: summary.scope,
            driver: summary.driver,
            enable_ipv4: summary.enable_ipv4,
            enable_ipv6: summary.enable_ipv6,
            ipam: summary.ipam,
            internal: summary.internal,
            attachable: summary.attachable,
            ingress: summary.ingress,
            config_from: summary.config_from,
            config_only: summary.config_only,
            options: summary.options,
            labels: summary.labels,
            peers: None,
            containers: Some(containers.collect::<HashMap<_, _>>()),
            services: None,
            status: None,
        }
    }
}

impl Endpoint {
    fn resource(&self) -> models::EndpointResource {
        let text =
            |address: Option<IpNet>| Some(address.map(|net| net.to_string()).unwrap_or_default());
        models::EndpointResource {
            name: Some(self.name.clone()),
            endpoint_id: Some(self.id.clone()),
            mac_address: Some(self.mac.to_string()),
            ipv4_address: text(self.ipv4().map(IpNet::V4)),
            ipv6_address: text(self.ipv6().map(IpNet::V6)),
        }
    }

    /// As `inspect` shows it among a container's `NetworkSettings.Networks`.
    pub fn settings(&self) -> models::EndpointSettings {
        let gateway = |v4: bool| {
            let of_family = self.gateways.iter().find(|gateway| gateway.is_ipv4() == v4);
            Some(of_family.map(ToString::to_string).unwrap_or_default())
        };
        let (v4, v6) = (self.ipv4(), self.ipv6());
        models::EndpointSettings {
            aliases: (!self.aliases.is_empty()).then(|| self.aliases.clone()),
            mac_address: Some(self.mac.to_string()),
            network_id: Some(self.network.clone()),
            endpoint_id: Some(self.id.clone()),
            gateway: gateway(true),
            ip_address: Some(v4.map(|net| net.addr().to_string()).unwrap_or_default()),
            ip_prefix_len: Some(v4.map_or(0, |net| net.prefix_len().into())),
            ipv6_gateway: gateway(false),
            global_ipv6_address: Some(v6.map(|net| net.addr().to_string()).unwrap_or_default()),
            global_ipv6_prefix_len: Some(v6.map_or(0, |net| net.prefix_len().into())),
            dns_names: Some(self.names()),
            ..models::EndpointSettings::default()
        }
    }
}
