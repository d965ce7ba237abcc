//! What a configuration calls networks and other containers, in one form that is kept: networks by name, containers
//! by id. A client may give a network's id, the beginning of one, or `default`, and a container's name may be
//! another's by the next start.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, EndpointSettings, HostConfig};

use super::Parts;
use super::complete::mode_of;
use super::joined::container_of;
use crate::engine::container::EngineError;
use crate::engine::container::handle::Shared;
use crate::engine::network::NetworkMode;

/// The client's other name of the network that the mode names.
const DEFAULT: &str = "default";

impl Parts {
    /// Has the network mode and the endpoints' keys be names of networks. Those that nobody knows stay as they are.
    pub(in crate::engine::container) fn name_networks(&self, body: &mut ContainerCreateBody) {
        let known = |name: &str| self.networks.inspect(name).ok()?.name;
        name_networks(body, &known);
    }

    /// The same for what an earlier agent kept, where the beginning of an id may be the name of a network that is gone.
    pub(in crate::engine::container) fn name_kept_networks(&self, body: &mut ContainerCreateBody) {
        let known = |name: &str| {
            let found = self.networks.inspect(name).ok()?;
            let is_whole = [&found.id, &found.name].contains(&&Some(name.to_owned()));
            found.name.filter(|_| is_whole)
        };
        name_networks(body, &known);
    }
}

/// There is nothing to have it, where a mode is no network.
pub(super) fn refuse_address_without_network(
    body: &ContainerCreateBody,
) -> Result<(), EngineError> {
    let mode = body
        .host_config
        .as_ref()
        .and_then(|host| host.network_mode.as_deref());
    let endpoints = body
        .networking_config
        .as_ref()
        .and_then(|config| config.endpoints_config.as_ref());
    let mut endpoints = endpoints.into_iter().flat_map(HashMap::values);
    let has_address = endpoints.any(|one| {
        one.mac_address
            .as_deref()
            .is_some_and(|address| !address.is_empty())
    });
    if has_address && !matches!(mode_of(mode), NetworkMode::Named(_)) {
        let text = "conflicting options: mac-address and the network mode";
        return Err(EngineError::Invalid(text.to_owned()));
    }
    Ok(())
}

fn name_networks(body: &mut ContainerCreateBody, known: &dyn Fn(&str) -> Option<String>) {
    let name = |asked: String| known(&asked).unwrap_or(asked);
    let asked = &mut body.host_config.get_or_insert_default().network_mode;
    let mode = match mode_of(asked.as_deref()) {
        NetworkMode::Named(network) => name(network),
        other => other.to_string(),
    };
    // As Docker shows it when nobody says.
    if !matches!(asked.as_deref(), None | Some("" | DEFAULT)) {
        *asked = Some(mode.clone());
    }
    let config = body.networking_config.as_mut();
    let Some(endpoints) = config.and_then(|config| config.endpoints_config.as_mut()) else {
        return;
    };
    let mut named: HashMap<String, EndpointSettings> = HashMap::new();
    for (key, endpoint) in endpoints.drain() {
        let network = match key.as_str() {
            DEFAULT => mode.clone(),
            _ => name(key),
        };
        if !matches!(mode_of(Some(&network)), NetworkMode::Named(_)) {
            // Clients send the mode's key, whatever the mode: there is no endpoint in it.
            continue;
        }
        // Under two names: the one with something to say counts.
        let kept = named.entry(network).or_default();
        if endpoint != EndpointSettings::default() {
            *kept = endpoint;
        }
    }
    *endpoints = named;
}

impl Shared {
    /// Has the modes that join another container's namespaces name it by its id.
    pub(super) fn identify_joined(&self, host: &mut HostConfig) -> Result<(), EngineError> {
        for mode in [
            &mut host.network_mode,
            &mut host.ipc_mode,
            &mut host.pid_mode,
            &mut host.uts_mode,
        ] {
            if let Some(name) = mode.as_deref().and_then(container_of) {
                let other = self.registry.resolve(name);
                let id = other.map_err(EngineError::of_a_wish)?.id.clone();
                *mode = Some(format!("container:{id}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;

    /// The mode, and the endpoints with their aliases.
    fn named(mode: &str, endpoints: &Value) -> (String, Value) {
        let body = json!({
            "HostConfig": {"NetworkMode": mode},
            "NetworkingConfig": {"EndpointsConfig": endpoints},
        });
        let mut body = serde_json::from_value(body).unwrap();
        let known = |name: &str| match name {
            "back" | "0123abcd" | "0123" => Some("back".to_owned()),
            _ => None,
        };
        name_networks(&mut body, &known);
        let kept = body.networking_config.unwrap().endpoints_config.unwrap();
        let kept = kept.into_iter().map(|(name, one)| (name, one.aliases));
        let kept: HashMap<_, _> = kept.collect();
        let mode = body.host_config.unwrap().network_mode.unwrap();
        (mode, serde_json::to_value(kept).unwrap())
    }

    #[test]
    fn the_default_networks_endpoint_has_one_name() {
        for mode in ["", "default", "bridge"] {
            let (kept, endpoints) = named(mode, &json!({"default": {"Aliases": ["a"]}}));
            assert_eq!((kept.as_str(), endpoints), (mode, json!({"bridge": ["a"]})));
        }
    }

    #[test]
    fn ids_are_names_of_networks() {
        for id in ["0123", "0123abcd"] {
            let (mode, endpoints) = named(id, &json!({id: {"Aliases": ["a"]}, "back": {}}));
            assert_eq!(mode, "back");
            assert_eq!(endpoints, json!({"back": ["a"]}));
        }
        let (mode, endpoints) = named("gone", &json!({"gone": {}}));
        assert_eq!((mode.as_str(), endpoints), ("gone", json!({"gone": null})));
    }

    #[test]
    fn modes_without_a_network_have_no_hardware_address() {
        let refused = |mode: &str, endpoints: &Value| {
            let body = json!({
                "HostConfig": {"NetworkMode": mode},
                "NetworkingConfig": {"EndpointsConfig": endpoints},
            });
            refuse_address_without_network(&serde_json::from_value(body).unwrap()).is_err()
        };
        let mac = json!({"MacAddress": "02:00:00:00:00:05"});
        for mode in ["none", "host", "container:web"] {
            assert!(refused(mode, &json!({mode: mac})));
            assert!(refused(mode, &json!({"default": mac})));
            assert!(!refused(mode, &json!({mode: {"MacAddress": ""}})));
        }
        assert!(!refused("bridge", &json!({"default": mac})));
        assert!(!refused("", &json!({"default": mac})));
    }

    #[test]
    fn modes_without_a_network_have_no_endpoint() {
        for mode in ["none", "host", "container:web"] {
            let (kept, endpoints) = named(mode, &json!({mode: {}, "default": {}}));
            assert_eq!((kept.as_str(), endpoints), (mode, json!({})));
        }
        let (mode, endpoints) = named("back", &json!({"none": {}, "back": {}}));
        assert_eq!((mode.as_str(), endpoints), ("back", json!({"back": null})));
    }
}
