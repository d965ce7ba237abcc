//! The default routes of a container that is in several networks.

use std::net::IpAddr;
use std::path::Path;

use super::namespace::Namespace;
use super::{NetworkError, Networks};
use crate::netlink::Route;

impl Networks {
    /// Has a container go out by the first, by name, of its networks that lead out, as Docker has it. To be called
    /// when it has left one; `attach` does it itself.
    pub fn lead_out(&self, container: &str, netns: &Path) -> Result<(), NetworkError> {
        let gateways = self.ways_out(container);
        if gateways.is_empty() {
            return Ok(());
        }
        let refuse = |what| {
            let subject = format!("container {container}");
            move |source| NetworkError::Link {
                what,
                subject,
                source,
            }
        };
        Namespace::open(netns)?.inside(|| {
            let inside = Route::open().map_err(refuse("open a netlink socket for"))?;
            for gateway in gateways {
                inside
                    .replace_default_route(gateway)
                    .map_err(refuse("give a default route to"))?;
            }
            Ok(())
        })
    }

    /// One gateway of each family.
    fn ways_out(&self, container: &str) -> Vec<IpAddr> {
        let state = self.state();
        let gateways = || state.ways_out(container).flat_map(|one| &one.gateways);
        let v4 = gateways().find(|gateway| gateway.is_ipv4());
        let v6 = gateways().find(|gateway| gateway.is_ipv6());
        v4.into_iter().chain(v6).copied().collect()
    }
}
