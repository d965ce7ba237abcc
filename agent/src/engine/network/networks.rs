//! All networks of this host: made, listed, shown, removed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bollard::models;

use super::claim::Claim;
use super::disk::Disk;
use super::dns::{Names, Publisher};
use super::firewall::{Firewall, hindrances};
use super::former::Former;
use super::forwarding::Forwarding;
use super::pool::overlap;
use super::record::{Driver, Network};
use super::state::State;
use super::{DEFAULT_NETWORK, NetworkError, request, reservation};
use crate::netlink::Route;

/// The networks, their bridges and the containers attached to them.
///
/// Calls may come from several threads, all in the network namespace that stands for the host.
#[derive(Debug)]
pub struct Networks {
    pub(super) disk: Disk,
    pub(super) firewall: Firewall,
    pub(super) names: Publisher,
    pub(super) claim: Claim,
    state: Mutex<State>,
}

impl Networks {
    /// Reads what is kept in a directory, makes the networks that are always there, and takes again the ports that
    /// containers have. Nothing of the host's is changed; `reap` does that.
    pub fn open(directory: &Path) -> Result<Self, NetworkError> {
        let disk = Disk::open(directory)?;
        let mut networks: BTreeMap<_, _> = disk
            .networks()?
            .into_iter()
            .map(|network| (network.id.clone(), network))
            .collect();
        for (name, driver) in [
            (DEFAULT_NETWORK, Driver::Bridge),
            ("host", Driver::Host),
            ("none", Driver::Null),
        ] {
            if !networks.values().any(|network| network.name == name) {
                let network = request::predefined(name, driver)?;
                disk.keep_network(&network)?;
                networks.insert(network.id.clone(), network);
            }
        }
        let mut state = State {
            networks,
            endpoints: disk
                .endpoints()?
                .into_iter()
                .map(|one| (one.id.clone(), one))
                .collect(),
            leaving: BTreeSet::new(),
            up: BTreeMap::new(),
            ports: HashMap::new(),
            last: HashMap::new(),
            former: Former::default(),
            forwarding: Forwarding::open(&disk)?,
        };
        state.see_bridges();
        state.retake_ports();
        let networks = Self {
            firewall: Firewall::new(disk.path("rules.nft")),
            disk,
            names: Publisher::default(),
            claim: Claim::default(),
            state: Mutex::new(state),
        };
        networks.tell_names(&networks.state());
        Ok(networks)
    }

    /// Makes a network and its bridge. Docker's answer: the id, and what is to be known besides.
    pub fn create(
        &self,
        asked: &models::NetworkCreateRequest,
    ) -> Result<models::NetworkCreateResponse, NetworkError> {
        self.claim.take()?;
        let mut state = self.state();
        if state
            .networks
            .values()
            .any(|network| network.name == asked.name)
        {
            return Err(NetworkError::NameTaken(asked.name.clone()));
        }
        let taken = self.taken(&state)?;
        let network = request::network(asked, &taken)?;
        for pool in &network.pools {
            let other = state
                .subnets()
                .find(|(subnet, _)| overlap(subnet, &pool.subnet));
            if let Some((_, other)) = other {
                return Err(NetworkError::Overlap {
                    subnet: pool.subnet,
                    network: other.to_owned(),
                });
            }
        }
        let other = state
            .networks
            .values()
            .find(|other| other.bridge() == network.bridge());
        if let Some(other) = other {
            let (bridge, name) = (network.bridge(), &other.name);
            return Err(NetworkError::Config(format!(
                "bridge {bridge} is network {name}'s"
            )));
        }
        self.disk.keep_network(&network)?;
        let id = network.id.clone();
        state.networks.insert(id.clone(), network.clone());
        if let Err(error) = self.ensure_bridge(&mut state, &network) {
            self.undo_create(&mut state, &network);
            return Err(error);
        }
        drop(state);
        if let Err(error) = self.load_rules() {
            self.undo_create(&mut self.state(), &network);
            return Err(error);
        }
        self.tell_names(&self.state());
        let warning = self.warnings(&network.name).join("; ");
        Ok(models::NetworkCreateResponse { id, warning })
    }

    /// All networks.
    pub fn list(&self) -> Vec<models::Network> {
        self.state()
            .networks
            .values()
            .map(Network::summary)
            .collect()
    }

    /// One, by name, id or the beginning of its id, with the containers in it.
    pub fn inspect(&self, name: &str) -> Result<models::NetworkInspect, NetworkError> {
        let state = self.state();
        let network = state.find(name)?;
        Ok(network.inspect(state.endpoints_of(&network.id)))
    }

    /// Removes a network that nobody is attached to, with its bridge.
    pub fn remove(&self, name: &str) -> Result<(), NetworkError> {
        let mut state = self.state();
        let network = state.find(name)?.clone();
        if matches!(network.name.as_str(), DEFAULT_NETWORK | "host" | "none") {
            return Err(NetworkError::Predefined(network.name));
        }
        let endpoints: Vec<&str> = state
            .endpoints_of(&network.id)
            .map(|one| one.name.as_str())
            .collect();
        if !endpoints.is_empty() {
            return Err(NetworkError::InUse {
                network: network.name,
                endpoints: endpoints.join(", "),
            });
        }
        self.remove_bridge(&mut state, &network)?;
        self.disk.forget_network(&network.id)?;
        state.networks.remove(&network.id);
        state.former.forget_network(&network.id);
        self.tell_names(&state);
        drop(state);
        self.load_rules()
    }

    /// What of the host's own rules will keep containers in a network from being reached, or from finding each other.
    pub fn warnings(&self, network: &str) -> Vec<String> {
        let found = hindrances(network != DEFAULT_NETWORK);
        found.unwrap_or_else(|error| vec![error.to_string()])
    }

    /// The names of containers, for the responder.
    pub fn names(&self) -> Names {
        self.names.names()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the table up to date. The state must not be held: it is read when it is this call's turn.
    pub(super) fn load_rules(&self) -> Result<(), NetworkError> {
        self.firewall.load(|| self.state().rules())
    }

    pub(super) fn tell_names(&self, state: &State) {
        self.names.publish(state);
    }

    /// Subnets that no network may be given.
    pub(super) fn taken(&self, state: &State) -> Result<Vec<ipnet::IpNet>, NetworkError> {
        let routes = Route::open().and_then(|route| route.destinations());
        let mut taken = routes.map_err(|source| NetworkError::Link {
            what: "list the routes of",
            subject: "the host".into(),
            source,
        })?;
        taken.extend(state.subnets().map(|(subnet, _)| subnet));
        Ok(taken)
    }

    /// After a failure that is told already; what is left over is reaped.
    fn undo_create(&self, state: &mut State, network: &Network) {
        if let Err(error) = self.remove_bridge(state, network) {
            tracing::warn!(network = network.name, %error, "a bridge is left over");
        }
        if let Err(error) = self.disk.forget_network(&network.id) {
            tracing::warn!(network = network.name, %error, "a network's record is left over");
        }
        state.networks.remove(&network.id);
    }
}

impl State {
    /// Which bridges an earlier agent left in place.
    fn see_bridges(&mut self) {
        let links = Route::open().and_then(|route| route.links());
        // Without netlink there are no bridges; who attaches is told the reason.
        let links = links.unwrap_or_default();
        let bridges = self
            .networks
            .values()
            .filter(|network| network.driver == Driver::Bridge);
        let there = bridges.filter_map(|network| {
            let link = links.iter().find(|link| link.is_bridge_of(network))?;
            Some((network.id.clone(), link.index))
        });
        self.up = there.collect();
    }

    fn retake_ports(&mut self) {
        for endpoint in self.endpoints.values() {
            let mut taken = Vec::new();
            for port in &endpoint.ports {
                match reservation::retake(port) {
                    Ok(reservation) => taken.push(reservation),
                    // Its rule is still there and goes first.
                    Err(error) => {
                        tracing::warn!(container = endpoint.name, %error, "a published port is not held");
                    }
                }
            }
            self.ports.insert(endpoint.id.clone(), taken);
        }
    }
}
