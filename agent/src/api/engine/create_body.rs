//! What a request to create a container says.

use bollard::models::ContainerCreateBody;
use serde::Deserialize;

/// The body, and what clients before Docker 25 (API 1.43 and older) say beside it.
#[derive(Debug, Deserialize)]
pub(super) struct CreateBody {
    /// Of the container's device in the network of its mode; younger clients say it in that network's endpoint.
    #[serde(rename = "MacAddress")]
    mac_address: Option<String>,
    #[serde(flatten)]
    body: ContainerCreateBody,
}

impl From<CreateBody> for ContainerCreateBody {
    fn from(CreateBody { mac_address, body }: CreateBody) -> Self {
        let mut body = body;
        let Some(address) = mac_address.filter(|address| !address.is_empty()) else {
            return body;
        };
        let host = body.host_config.as_ref();
        let mode = host.and_then(|host| host.network_mode.clone());
        let mode = mode.filter(|mode| !mode.is_empty());
        let config = body.networking_config.get_or_insert_default();
        let endpoints = config.endpoints_config.get_or_insert_default();
        let first = endpoints
            .entry(mode.unwrap_or_else(|| "default".to_owned()))
            .or_default();
        // What the endpoint says is more exact.
        if first.mac_address.as_deref().is_none_or(str::is_empty) {
            first.mac_address = Some(address);
        }
        body
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;

    /// The endpoints of what a client sent.
    fn endpoints(body: Value) -> Value {
        let body: CreateBody = serde_json::from_value(body).unwrap();
        let body = ContainerCreateBody::from(body);
        let networking = serde_json::to_value(body.networking_config).unwrap();
        networking["EndpointsConfig"].clone()
    }

    #[test]
    fn a_hardware_address_is_the_first_endpoints() {
        let address = "02:00:00:00:00:07";
        for (mode, key) in [("", "default"), ("default", "default"), ("back", "back")] {
            let body = json!({"MacAddress": address, "HostConfig": {"NetworkMode": mode}});
            assert_eq!(endpoints(body), json!({key: {"MacAddress": address}}));
        }
        let both = json!({
            "MacAddress": address,
            "ExposedPorts": {"80/tcp": {}},
            "HostConfig": {"NetworkMode": "back", "PortBindings": {"80/tcp": null}},
            "NetworkingConfig": {"EndpointsConfig": {"back": {"MacAddress": "02:00:00:00:00:08"}}},
        });
        let more_exact = json!({"back": {"MacAddress": "02:00:00:00:00:08"}});
        assert_eq!(endpoints(both), more_exact);
        assert_eq!(endpoints(json!({"MacAddress": ""})), Value::Null);
    }
}
