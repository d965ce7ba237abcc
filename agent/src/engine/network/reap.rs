//! What is left over is taken down: of containers that are gone, and of agents that were killed.

use std::collections::BTreeSet;
use std::io;

use netlink_packet_route::link::InfoKind;

use super::links::Link;
use super::record::Endpoint;
use super::{NetworkError, Networks};
use crate::netlink::Route;

/// What was taken down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reaped {
    /// Containers that are gone, by id.
    pub endpoints: Vec<String>,
    /// Interfaces of ours that no record tells of.
    pub interfaces: Vec<String>,
}

impl Networks {
    /// To be called before the first `attach`, with the ids of the containers that are alive. Detaches the others,
    /// removes interfaces that bear our tag and no record knows, and loads the rules anew.
    pub fn reap(&self, live: &BTreeSet<String>) -> Result<Reaped, NetworkError> {
        let mut reaped = Reaped::default();
        // A network has its addresses before there is anything of it; without one, what is here is another's.
        if self
            .state()
            .networks
            .values()
            .all(|one| one.pools.is_empty())
        {
            return Ok(reaped);
        }
        self.claim.take()?;
        let endpoints: Vec<Endpoint> = self.state().endpoints.values().cloned().collect();
        for endpoint in endpoints
            .iter()
            .filter(|one| !live.contains(&one.container))
        {
            self.detach(endpoint)?;
            reaped.endpoints.push(endpoint.container.clone());
        }
        let route = Route::open().map_err(refuse("open a netlink socket for"))?;
        for link in route.links().map_err(refuse("list the interfaces of"))? {
            if self.is_leftover(&link) {
                route
                    .delete(&link.name)
                    .map_err(refuse("remove an interface of"))?;
                reaped.interfaces.push(link.name);
            }
        }
        self.give_back_forwarding()?;
        if self.firewall.was_used() {
            self.firewall.reload(|| self.state().rules())?;
        }
        Ok(reaped)
    }

    /// Leaves the host as it was before the first container, if none is attached: no bridges, no rules, no
    /// forwarding. Networks are still known, and come back with their next container. `false`: some are attached.
    pub fn retire(&self) -> Result<bool, NetworkError> {
        let mut state = self.state();
        if !state.endpoints.is_empty() {
            return Ok(false);
        }
        let networks: Vec<_> = state.networks.values().cloned().collect();
        for network in networks {
            self.remove_bridge(&mut state, &network)?;
        }
        self.tell_names(&state);
        drop(state);
        if self.firewall.was_used() {
            self.load_rules()?;
        }
        Ok(true)
    }

    /// Loads the rules again, for when somebody has flushed the whole of nft's.
    pub fn reload_rules(&self) -> Result<(), NetworkError> {
        self.firewall.reload(|| self.state().rules())
    }

    fn is_leftover(&self, link: &Link) -> bool {
        let state = self.state();
        let tagged = link.is_tagged();
        match link.kind {
            Some(InfoKind::Veth) => {
                tagged
                    && !state
                        .endpoints
                        .values()
                        .any(|one| one.host_veth == link.name)
            }
            Some(InfoKind::Bridge) => {
                tagged && !state.networks.values().any(|one| one.bridge() == link.name)
            }
            _ => false,
        }
    }

    fn give_back_forwarding(&self) -> Result<(), NetworkError> {
        let mut state = self.state();
        let leads_out = |id: &String| {
            state
                .networks
                .get(id)
                .is_some_and(|network| !network.internal)
        };
        if state.up.keys().any(leads_out) {
            return Ok(());
        }
        state.forwarding.release(&self.disk)
    }
}

fn refuse(what: &'static str) -> impl FnOnce(io::Error) -> NetworkError {
    move |source| NetworkError::Link {
        what,
        subject: "the host".into(),
        source,
    }
}
