//! Who knows names: one file per engine, and which of them are there.
//!
//! In: a [`Query`]. Out: [`Details`], or nothing yet. An engine that is down is a named state, seen
//! by [`Engines::list`]; it costs the name only.

mod api;
mod bundle;
mod containerd;
mod crio;
mod docker;
mod file;
mod podman;
mod storage;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::{info, warn};

pub(super) use docker::{Docker, Notice};

use super::details::Details;
use super::workload::{Identity, Kind, Runtime};
use crate::config::AttributionConfig;

/// An engine and how it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// `docker`, `podman`, `containerd` or `cri-o`.
    pub name: &'static str,
    pub presence: Presence,
}

impl Engine {
    /// It answers.
    #[must_use]
    pub fn up(&self) -> bool {
        self.presence == Presence::Up
    }

    /// Why not, in one line; `None` when it is up.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match &self.presence {
            Presence::Up => None,
            Presence::Absent => Some("not present"),
            Presence::Down(reason) => Some(reason),
        }
    }
}

/// Is it there?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// No socket, no state on disk, or switched off: nothing to worry about.
    Absent,
    Up,
    /// It should answer and does not.
    Down(String),
}

/// The state of every engine. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub(super) struct Engines(Arc<Mutex<BTreeMap<&'static str, Presence>>>);

impl Engines {
    /// Notes how `name` is, and logs when that is news.
    pub(super) fn set(&self, name: &'static str, presence: Presence) {
        let before = {
            let mut engines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            engines.insert(name, presence.clone())
        };
        if before.as_ref() == Some(&presence) {
            return;
        }
        match (presence, before) {
            (Presence::Up, _) => info!(engine = name, "engine answers"),
            (Presence::Down(reason), _) => {
                warn!(
                    engine = name,
                    reason, "engine does not answer; names come later"
                );
            }
            (Presence::Absent, Some(_)) => info!(engine = name, "engine is gone"),
            (Presence::Absent, None) => {}
        }
    }

    /// Every engine looked for so far, by name.
    pub(super) fn list(&self) -> Vec<Engine> {
        let engines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        engines
            .iter()
            .map(|(&name, presence)| Engine {
                name,
                presence: presence.clone(),
            })
            .collect()
    }
}

/// One container to be asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) id: String,
    pub(super) runtime: Runtime,
    /// Of the pod it is in.
    pub(super) pod_uid: Option<String>,
    /// Uid of the rootless engine's user.
    pub(super) owner: Option<u32>,
    /// The segment above the container's: containerd's namespace in `/default/ID`.
    pub(super) parent: Option<String>,
}

impl Query {
    /// `None` when no engine knows such a workload.
    pub(super) fn of(identity: &Identity) -> Option<Self> {
        let known = match identity.runtime {
            // Waits to be told of.
            Runtime::Plimsoll
            | Runtime::Docker
            | Runtime::Containerd
            | Runtime::Podman
            | Runtime::CriO
            | Runtime::Kubernetes => true,
            Runtime::Systemd
            | Runtime::Lxc
            | Runtime::Nspawn
            | Runtime::Libvirt
            | Runtime::Cgroup => false,
        };
        let container = matches!(identity.kind, Kind::Container | Kind::Sandbox);
        let id = identity.container_id.as_ref()?;
        (known && container).then(|| Self {
            id: id.clone(),
            runtime: identity.runtime,
            pod_uid: identity.pod_uid.clone(),
            owner: owner(&identity.id),
            parent: identity.id.rsplit('/').nth(1).map(str::to_owned),
        })
    }
}

/// The user in `…/user@1000.service/…`; root's own are nobody's.
fn owner(path: &str) -> Option<u32> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix("user@")?.strip_suffix(".service"))
        .find_map(|uid| uid.parse().ok())
        .filter(|&uid| uid != 0)
}

/// All engines.
pub(super) struct Catalogue {
    docker: Docker,
    podman: podman::Podman,
    containerd: containerd::Containerd,
    crio: crio::CriO,
}

impl Catalogue {
    pub(super) fn new(config: &AttributionConfig, docker: Docker, engines: &Engines) -> Self {
        Self {
            docker,
            podman: podman::Podman::new(config, engines.clone()),
            containerd: containerd::Containerd::new(config, engines.clone()),
            crio: crio::CriO::new(config, engines.clone()),
        }
    }

    /// Asks the engines that may have made the container, the likeliest first.
    pub(super) async fn look_up(&self, query: &Query) -> Option<Details> {
        match query.runtime {
            // The path of a custom cgroup parent is a guess, so containerd is asked too.
            Runtime::Docker => match self.docker.look_up(query).await {
                Some(details) => Some(details),
                None => self.containerd.look_up(query).await,
            },
            Runtime::Podman => self.podman.look_up(query).await,
            Runtime::Containerd => self.containerd.look_up(query).await,
            Runtime::CriO => self.crio.look_up(query).await,
            Runtime::Kubernetes => {
                if let Some(details) = self.containerd.look_up(query).await {
                    return Some(details);
                }
                if let Some(details) = self.crio.look_up(query).await {
                    return Some(details);
                }
                self.docker.look_up(query).await
            }
            Runtime::Plimsoll
            | Runtime::Systemd
            | Runtime::Lxc
            | Runtime::Nspawn
            | Runtime::Libvirt
            | Runtime::Cgroup => None,
        }
    }

    /// Ids of podman's containers that were renamed since they were looked up.
    pub(super) async fn renamed_by_podman(&self) -> Vec<String> {
        self.podman.renamed().await
    }

    /// Looks which engines without a watcher are there, for [`Engines::list`].
    pub(super) async fn look_around(&self) {
        self.podman.look_around().await;
        self.containerd.look_around().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::classify;

    const ID: &str = "2353c701b8486f5c197310118403c348055ac36405c1ce8b678eae84fa4b5585";

    #[test]
    fn a_query_has_the_user_of_a_rootless_engine() {
        let of = |path: &str| Query::of(&classify(path));
        let rootless =
            format!("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope");
        assert_eq!(of(&rootless).and_then(|query| query.owner), Some(1000));
        let root = format!("/user.slice/user-0.slice/user@0.service/user.slice/libpod-{ID}.scope");
        assert_eq!(of(&root).map(|query| query.owner), Some(None));
        let plain = of("/default/plain1").map(|query| query.parent);
        assert_eq!(plain, Some(Some("default".to_owned())));
        assert_eq!(of("/lxc/web"), None);
        assert_eq!(of(&format!("/docker/{ID}/init.scope")), None);
    }

    #[test]
    fn absent_is_not_down() {
        let engines = Engines::default();
        engines.set("docker", Presence::Absent);
        engines.set("podman", Presence::Down("connection refused".into()));
        let list = engines.list();
        assert_eq!(list[0].reason(), Some("not present"));
        assert_eq!(list[1].reason(), Some("connection refused"));
        engines.set("podman", Presence::Up);
        assert!(engines.list()[1].up());
    }
}
