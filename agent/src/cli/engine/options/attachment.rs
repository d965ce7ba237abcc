//! A value of `--network`: a name, or `name=NAME` with what is asked of that network.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use bollard::models::{EndpointIpamConfig, EndpointSettings};

use super::network::mac_address;

/// A network, and a container's place in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attachment {
    pub(super) network: String,
    pub(super) endpoint: EndpointSettings,
}

impl Attachment {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut network = None;
        let mut endpoint = EndpointSettings::default();
        if !text.contains('=') {
            network = Some(text.to_owned());
        } else {
            for field in text.split(',') {
                let (key, value) = field
                    .split_once('=')
                    .ok_or_else(|| format!("invalid field {field}"))?;
                match key.trim().to_ascii_lowercase().as_str() {
                    "name" => network = Some(value.to_owned()),
                    "alias" => endpoint
                        .aliases
                        .get_or_insert_default()
                        .push(value.to_owned()),
                    "ip" => {
                        ipam(&mut endpoint).ipv4_address =
                            Some(address::<Ipv4Addr>("IPv4", value)?);
                    }
                    "ip6" => {
                        ipam(&mut endpoint).ipv6_address =
                            Some(address::<Ipv6Addr>("IPv6", value)?);
                    }
                    "mac-address" => endpoint.mac_address = Some(mac_address(value)?),
                    other => return Err(format!("invalid field key {other}")),
                }
            }
        }
        let network = network.filter(|name| !name.is_empty());
        Ok(Self {
            network: network.ok_or("network name/id is not specified")?,
            endpoint,
        })
    }
}

fn ipam(endpoint: &mut EndpointSettings) -> &mut EndpointIpamConfig {
    endpoint.ipam_config.get_or_insert_default()
}

fn address<T: FromStr + ToString>(family: &str, text: &str) -> Result<String, String> {
    match text.parse::<T>() {
        Ok(address) => Ok(address.to_string()),
        Err(_) => Err(format!("invalid {family} address: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Attachment::parse(text).unwrap_err()
    }

    #[test]
    fn a_network_is_a_name_or_has_its_own_options() {
        let plain = Attachment::parse("container:web").unwrap();
        assert_eq!(plain.network, "container:web");
        assert_eq!(plain.endpoint, EndpointSettings::default());
        let long =
            "name=back,alias=a,alias=b,ip=10.1.2.3,ip6=fd00::3,mac-address=02:00:00:00:00:03";
        let long = Attachment::parse(long).unwrap();
        assert_eq!(long.network, "back");
        let expected = EndpointSettings {
            aliases: Some(vec!["a".to_owned(), "b".to_owned()]),
            mac_address: Some("02:00:00:00:00:03".to_owned()),
            ipam_config: Some(EndpointIpamConfig {
                ipv4_address: Some("10.1.2.3".to_owned()),
                ipv6_address: Some("fd00::3".to_owned()),
                ..EndpointIpamConfig::default()
            }),
            ..EndpointSettings::default()
        };
        assert_eq!(long.endpoint, expected);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(refused("alias=a").contains("not specified"));
        assert!(refused("name=back,color=red").contains("invalid field key color"));
        assert!(refused("name=back,ip=fd00::3").contains("invalid IPv4"));
        assert!(refused("name=back,alias").contains("invalid field alias"));
    }
}
