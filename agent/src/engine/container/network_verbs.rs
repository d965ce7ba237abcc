//! Verbs of networks.

use bollard::models::{
    EventMessageTypeEnum, Network, NetworkConnectRequest, NetworkCreateRequest,
    NetworkCreateResponse, NetworkDisconnectRequest, NetworkInspect, NetworkPruneResponse,
};

use super::EngineError;
use super::filter::Filters;
use super::handle::{Engine, Shared};
use super::name::instant;
use super::part_filter::{PRUNES, has_labels, is_old, lets_go, refuse_unknown, truth, until};

/// Networks that are there always.
const BUILT_IN: [&str; 3] = ["bridge", "host", "none"];

impl Engine {
    /// # Errors
    /// A filter is unknown.
    pub async fn network_list(&self, filters: Filters) -> Result<Vec<Network>, EngineError> {
        let known = ["name", "id", "driver", "scope", "type", "label", "dangling"];
        refuse_unknown(&filters, &known)?;
        self.blocking(move |shared| {
            let mut networks = shared.parts.networks.list();
            let is_empty = |name: &str| {
                let network = shared.parts.networks.inspect(name).ok();
                let containers = network.and_then(|network| network.containers);
                containers.is_none_or(|containers| containers.is_empty())
            };
            networks.retain(|network| is_wanted(network, &filters, &is_empty));
            Ok(networks)
        })
        .await
    }

    /// # Errors
    /// The name is taken, or an option is refused.
    pub async fn network_create(
        &self,
        request: NetworkCreateRequest,
    ) -> Result<NetworkCreateResponse, EngineError> {
        self.blocking(move |shared| {
            let created = shared.parts.networks.create(&request)?;
            shared.tell_network("create", &created.id, &request.name);
            Ok(created)
        })
        .await
    }

    /// # Errors
    /// There is no such network.
    pub async fn network_inspect(&self, name: &str) -> Result<NetworkInspect, EngineError> {
        let name = name.to_owned();
        self.blocking(move |shared| Ok(shared.parts.networks.inspect(&name)?))
            .await
    }

    /// # Errors
    /// There is no such network, or a container is in it.
    pub async fn network_remove(&self, name: &str) -> Result<(), EngineError> {
        let name = name.to_owned();
        self.blocking(move |shared| {
            let networks = &shared.parts.networks;
            let network = networks.inspect(&name)?;
            networks.remove(&name)?;
            let id = network.id.unwrap_or_default();
            shared.tell_network("destroy", &id, &network.name.unwrap_or(name));
            Ok(())
        })
        .await
    }

    /// Removes those that no container is in.
    ///
    /// # Errors
    /// A filter is unknown or no time.
    pub async fn network_prune(
        &self,
        filters: Filters,
    ) -> Result<NetworkPruneResponse, EngineError> {
        refuse_unknown(&filters, &PRUNES)?;
        let until = until(&filters)?;
        self.blocking(move |shared| {
            let networks = &shared.parts.networks;
            let mut pruned = Vec::new();
            for network in networks.list() {
                let name = network.name.clone().unwrap_or_default();
                let created = network.created.as_deref().map(instant);
                let created = created.and_then(Result::ok);
                let is_meant = !BUILT_IN.contains(&name.as_str())
                    && lets_go(&network.labels.unwrap_or_default(), &filters)
                    && is_old(created, until)
                    && !shared.is_wished_for(&name);
                // One that a container is in stays.
                if is_meant && networks.remove(&name).is_ok() {
                    shared.tell_network("destroy", &network.id.unwrap_or_default(), &name);
                    pruned.push(name);
                }
            }
            let events = &shared.events;
            events.pruned(EventMessageTypeEnum::NETWORK, None);
            Ok(NetworkPruneResponse {
                networks_deleted: Some(pruned),
            })
        })
        .await
    }

    /// Connects a container to one more network.
    ///
    /// # Errors
    /// There is no such container or network, or it is connected already.
    pub async fn network_connect(
        &self,
        network: &str,
        request: NetworkConnectRequest,
    ) -> Result<(), EngineError> {
        let cell = self.cell(&request.container)?;
        let _verb = cell.verb.lock().await;
        cell.require()?;
        let network = network.to_owned();
        let changed = std::sync::Arc::clone(&cell);
        self.blocking(move |shared| {
            let endpoint = request.endpoint_config.unwrap_or_default();
            shared.parts.connect_one(&changed, &network, endpoint)
        })
        .await
    }

    /// Disconnects a container from a network.
    ///
    /// # Errors
    /// There is no such container or network, or it is not connected.
    pub async fn network_disconnect(
        &self,
        network: &str,
        request: NetworkDisconnectRequest,
    ) -> Result<(), EngineError> {
        let cell = self.cell(&request.container)?;
        let _verb = cell.verb.lock().await;
        cell.require()?;
        let network = network.to_owned();
        let changed = std::sync::Arc::clone(&cell);
        self.blocking(move |shared| shared.parts.disconnect_one(&changed, &network))
            .await
    }
}

impl Shared {
    /// A container that does not run will want it again.
    fn is_wished_for(&self, network: &str) -> bool {
        let cells = self.registry.all();
        cells.iter().any(|cell| {
            self.parts
                .wishes(&cell.settings())
                .contains(&network.to_owned())
        })
    }

    fn tell_network(&self, action: &str, id: &str, name: &str) {
        let attributes = [
            ("name".to_owned(), name.to_owned()),
            ("type".to_owned(), "bridge".to_owned()),
        ];
        let kind = EventMessageTypeEnum::NETWORK;
        self.events.tell(kind, action, id, attributes.into());
    }
}

fn is_wanted(network: &Network, filters: &Filters, is_empty: &dyn Fn(&str) -> bool) -> bool {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let (name, id) = (text(&network.name), text(&network.id));
    let is_built_in = BUILT_IN.contains(&name.as_str());
    filters.iter().all(|(key, values)| {
        let any = |test: &dyn Fn(&str) -> bool| {
            values.is_empty() || values.iter().any(|value| test(value))
        };
        match key.as_str() {
            "name" => any(&|value| name.contains(value)),
            "id" => any(&|value| id.starts_with(value)),
            "driver" => any(&|value| text(&network.driver) == value),
            "scope" => any(&|value| text(&network.scope) == value),
            "type" => any(&|value| (value == "builtin") == is_built_in),
            "label" => has_labels(&network.labels.clone().unwrap_or_default(), filters),
            // What is there always is never left over.
            _ => truth(filters, "dangling")
                .is_none_or(|wanted| wanted == (!is_built_in && is_empty(&id))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_is_in_dangles_but_for_what_is_there_always() {
        let network = |name: &str| Network {
            id: Some(format!("{name}-id")),
            name: Some(name.to_owned()),
            ..Network::default()
        };
        let is_empty = |id: &str| id != "used-id";
        let dangling = |name: &str, value: &str| {
            let filters = Filters::from([("dangling".to_owned(), vec![value.to_owned()])]);
            is_wanted(&network(name), &filters, &is_empty)
        };
        assert!(dangling("left", "true") && !dangling("left", "false"));
        assert!(dangling("used", "false") && !dangling("used", "true"));
        assert!(dangling("bridge", "false") && !dangling("bridge", "true"));
        assert!(is_wanted(&network("left"), &Filters::new(), &is_empty));
    }
}
