//! A responder for each network, as networks come and go.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::listener::{Responder, Sockets};
use super::names::Names;
use super::upstream::{DOMAIN, Favourite};
use crate::engine::network::ResolvConf;

/// After somebody else was found to have the port.
const AGAIN: Duration = Duration::from_secs(2);

/// Whom to ask what is no container's name, looked up for each question.
pub type Upstreams = Arc<dyn Fn() -> Vec<SocketAddr> + Send + Sync>;

/// A network's responder: its bridge by number, and its address.
type Place = (String, u32, Ipv4Addr);

/// The resolvers of the host's `resolv.conf`, as it is at that moment.
pub fn host_resolvers() -> Upstreams {
    Arc::new(|| {
        let servers = ResolvConf::of_host().servers.into_iter();
        servers
            .map(|server| SocketAddr::new(server, DOMAIN))
            .collect()
    })
}

/// Answers at every network's bridge until it is cancelled, or the networks are dropped. Where somebody else has the
/// port, that is said once and tried again.
pub async fn serve(mut names: Names, upstreams: Upstreams, cancel: CancellationToken) {
    let mut running: HashMap<Place, CancellationToken> = HashMap::new();
    let mut failed: HashMap<Place, String> = HashMap::new();
    let mut tasks = JoinSet::new();
    loop {
        let table = Arc::clone(&names.0.borrow_and_update());
        let place =
            |(id, zone): (&String, &super::names::Zone)| (id.clone(), zone.bridge.1, zone.address);
        let wanted: HashMap<Place, String> = table
            .zones
            .iter()
            .map(|each| (place(each), each.1.bridge.0.clone()))
            .collect();
        running.retain(|place, token| {
            let stays = wanted.contains_key(place);
            if !stays {
                token.cancel();
            }
            stays
        });
        failed.retain(|place, _| wanted.contains_key(place));
        for (place, bridge) in wanted {
            if running.contains_key(&place) {
                continue;
            }
            match Sockets::bind(place.2, &bridge) {
                Ok(sockets) => {
                    let responder = Arc::new(Responder {
                        zone: place.0.clone(),
                        names: names.clone(),
                        upstreams: Arc::clone(&upstreams),
                        favourite: Favourite::default(),
                        dropped: AtomicU64::new(0),
                    });
                    let token = cancel.child_token();
                    tasks.spawn(responder.run(sockets, token.clone()));
                    failed.remove(&place);
                    running.insert(place, token);
                }
                Err(error) => {
                    let error = error.to_string();
                    if failed.get(&place) != Some(&error) {
                        tracing::warn!(address = %place.2, bridge, error, "containers' names are not answered");
                    }
                    failed.insert(place, error);
                }
            }
        }
        tokio::select! {
            () = cancel.cancelled() => break,
            changed = names.0.changed() => if changed.is_err() { break },
            () = sleep(AGAIN), if !failed.is_empty() => {}
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
        }
    }
    running.values().for_each(CancellationToken::cancel);
    while tasks.join_next().await.is_some() {}
}
