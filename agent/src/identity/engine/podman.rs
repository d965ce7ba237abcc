//! Podman. Names and images come from its storage on disk, `<driver>-containers/containers.json`,
//! which needs no service; labels only from its API, when somebody listens there. A rootless user's
//! containers are in the storage of that user.

use std::collections::HashMap;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bollard::Docker as Client;
use nix::unistd::{Uid, User};
use serde::Deserialize;
use tracing::debug;

use super::api::{self, Failure, Socket};
use super::{Engines, Presence, Query, file};
use crate::config::AttributionConfig;
use crate::identity::details::Details;
use crate::identity::workload::Runtime;

const ENGINE: &str = "podman";
/// Storage drivers whose containers podman can run.
const DRIVERS: [&str; 4] = ["overlay", "vfs", "btrfs", "zfs"];
/// Below a user's home, unless they configured another.
const ROOTLESS_STORAGE: &str = ".local/share/containers/storage";
/// Some 600 bytes a container. Users' indexes are kept shorter: there may be many, and no trust.
const MAX_INDEX_BYTES: u64 = 16 << 20;
const MAX_USER_INDEX_BYTES: u64 = 1 << 20;
/// Indexes remembered at a time: root's, and users'.
const MAX_INDEXES: usize = 32;
/// After a failure the socket is left alone for so long.
const SOCKET_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Podman {
    socket: Option<Socket>,
    storage: PathBuf,
    engines: Engines,
    indexes: Arc<Mutex<HashMap<PathBuf, Index>>>,
    connection: tokio::sync::Mutex<Connection>,
}

enum Connection {
    None,
    Open(Client),
    /// Not before then.
    Broken(Instant),
}

impl Podman {
    pub(super) fn new(config: &AttributionConfig, engines: Engines) -> Self {
        Self {
            socket: Socket::new(&config.podman_socket, config.timeout),
            storage: config.containers_storage.clone(),
            engines,
            indexes: Arc::default(),
            connection: tokio::sync::Mutex::new(Connection::None),
        }
    }

    pub(super) async fn look_up(&self, query: &Query) -> Option<Details> {
        let stored = self.stored(query).await;
        if query.owner.is_none()
            && let Some(mut details) = self.asked(query).await
        {
            self.engines.set(ENGINE, Presence::Up);
            details.sandbox |= is_infra(query, details.name.as_deref());
            return Some(details);
        }
        if stored.is_some() {
            self.engines.set(ENGINE, Presence::Up);
        }
        stored
    }

    /// Has an index changed since it was read?
    pub(super) async fn changed(&self) -> bool {
        let indexes = Arc::clone(&self.indexes);
        let check = tokio::task::spawn_blocking(move || {
            let known: Vec<_> = {
                let indexes = indexes.lock().unwrap_or_else(PoisonError::into_inner);
                indexes
                    .iter()
                    .map(|(path, index)| (path.clone(), index.stamp))
                    .collect()
            };
            known.iter().any(|(path, stamp)| {
                std::fs::symlink_metadata(path).is_ok_and(|now| Stamp::of(&now) != *stamp)
            })
        });
        // The task fails only when the runtime is shutting down.
        check.await.unwrap_or(false)
    }

    /// Says whether root's podman has ever been used here.
    pub(super) async fn look_around(&self) {
        let mut presence = Presence::Absent;
        for driver in DRIVERS {
            match tokio::fs::metadata(index_path(&self.storage, driver)).await {
                Ok(_) => presence = Presence::Up,
                Err(error) if file::is_missing(&error) => {}
                Err(error) => presence = Presence::Down(error.to_string()),
            }
        }
        self.engines.set(ENGINE, presence);
    }

    async fn stored(&self, query: &Query) -> Option<Details> {
        let (query, storage) = (query.clone(), self.storage.clone());
        let indexes = Arc::clone(&self.indexes);
        let read = tokio::task::spawn_blocking(move || {
            let storage = match query.owner {
                None => storage,
                Some(uid) => User::from_uid(Uid::from_raw(uid))
                    .ok()??
                    .dir
                    .join(ROOTLESS_STORAGE),
            };
            find(&indexes, &storage, &query)
        });
        // The task fails only when the runtime is shutting down.
        read.await.ok()?
    }

    /// Asks the API. Podman's own socket is started on demand and its service leaves again when it
    /// is idle, so there is no lasting connection to it, and nobody listening is not a fault.
    async fn asked(&self, query: &Query) -> Option<Details> {
        let socket = self.socket.as_ref()?;
        let mut connection = self.connection.lock().await;
        let client = match &*connection {
            Connection::Open(client) => Ok(client.clone()),
            Connection::Broken(until) if Instant::now() < *until => return None,
            Connection::Broken(_) | Connection::None => socket.connect().await,
        };
        let answer = match client {
            Ok(client) => {
                let answer = socket.inspect(&client, &query.id).await;
                *connection = Connection::Open(client);
                answer
            }
            Err(failure) => Err(failure),
        };
        match answer {
            Ok(container) => Some(api::details(Runtime::Podman, container?)),
            Err(failure) => {
                if !matches!(failure, Failure::Absent) {
                    debug!(error = %failure, "podman's service does not answer");
                }
                *connection = Connection::Broken(Instant::now() + SOCKET_PAUSE);
                None
            }
        }
    }
}

/// The file as it was when it was read. Podman replaces it by renaming a new one over it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            length: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// `containers.json`, reduced to what is wanted of it.
struct Index {
    stamp: Stamp,
    containers: Arc<HashMap<String, Stored>>,
}

struct Stored {
    name: Option<String>,
    image: Option<String>,
}

fn find(
    indexes: &Mutex<HashMap<PathBuf, Index>>,
    storage: &Path,
    query: &Query,
) -> Option<Details> {
    DRIVERS.iter().find_map(|driver| {
        let path = index_path(storage, driver);
        let containers = match load(indexes, &path, query.owner) {
            Ok(containers) => containers,
            Err(error) => {
                if !file::is_missing(&error) {
                    debug!(path = %path.display(), %error, "unreadable container storage");
                }
                return None;
            }
        };
        containers
            .get(&query.id)
            .map(|stored| details(query, stored))
    })
}

fn index_path(storage: &Path, driver: &str) -> PathBuf {
    storage
        .join(format!("{driver}-containers"))
        .join("containers.json")
}

/// The index at `path`, from memory while the file is the same.
fn load(
    indexes: &Mutex<HashMap<PathBuf, Index>>,
    path: &Path,
    owner: Option<u32>,
) -> io::Result<Arc<HashMap<String, Stored>>> {
    let limit = owner.map_or(MAX_INDEX_BYTES, |_| MAX_USER_INDEX_BYTES);
    let (file, metadata) = file::open(path, limit, owner)?;
    let stamp = Stamp::of(&metadata);
    {
        let indexes = indexes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = indexes.get(path).filter(|index| index.stamp == stamp) {
            return Ok(Arc::clone(&index.containers));
        }
    }
    let containers = Arc::new(parse(BufReader::new(file.take(limit)))?);
    let index = Index {
        stamp,
        containers: Arc::clone(&containers),
    };
    let mut indexes = indexes.lock().unwrap_or_else(PoisonError::into_inner);
    if indexes.len() >= MAX_INDEXES && !indexes.contains_key(path) {
        indexes.clear();
    }
    indexes.insert(path.to_owned(), index);
    Ok(containers)
}

fn parse(json: impl Read) -> io::Result<HashMap<String, Stored>> {
    #[derive(Deserialize)]
    struct Entry {
        id: String,
        #[serde(default)]
        names: Option<Vec<String>>,
        /// JSON in JSON.
        #[serde(default)]
        metadata: Option<String>,
    }
    #[derive(Default, Deserialize)]
    struct Metadata {
        #[serde(default, rename = "image-name")]
        image_name: Option<String>,
    }
    let entries: Vec<Entry> = serde_json::from_reader(json)?;
    Ok(entries
        .into_iter()
        .map(|entry| {
            let metadata: Metadata = entry
                .metadata
                .and_then(|metadata| serde_json::from_str(&metadata).ok())
                .unwrap_or_default();
            let stored = Stored {
                // Not the metadata's name: a rename leaves that as it was.
                name: entry.names.and_then(|names| names.into_iter().next()),
                image: metadata.image_name.filter(|image| !image.is_empty()),
            };
            (entry.id, stored)
        })
        .collect())
}

fn details(query: &Query, stored: &Stored) -> Details {
    Details {
        runtime: Runtime::Podman,
        name: stored.name.clone(),
        image: stored.image.clone(),
        sandbox: is_infra(query, stored.name.as_deref()),
        ..Details::default()
    }
}

/// Podman calls a pod's sandbox after the pod: `<first 12 digits of its id>-infra`.
fn is_infra(query: &Query, name: Option<&str>) -> bool {
    let pod = query.pod_uid.as_deref().and_then(|pod| pod.get(..12));
    pod.zip(name)
        .is_some_and(|(pod, name)| name.strip_suffix("-infra") == Some(pod))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::identity::classify;

    const POD: &str =
        "/libpod_parent/68d179b7ced37ec93171b9cfa6f650141dc1777f6ffb2ffa1c7bc5eb8e08242b";

    /// Captured from podman 4.3.1: a container renamed from `pod-web` to `web-renamed`, and a pod.
    fn captured(path: &str) -> Option<Details> {
        let storage = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/identity/storage");
        find(
            &Mutex::default(),
            &storage,
            &Query::of(&classify(path)).unwrap(),
        )
    }

    #[test]
    fn name_and_image_from_storage() {
        let details = captured(
            "/machine.slice/libpod-0221db5c6b391a4bee394aa02c5fdb549c544c6f06202cb5405f0a9fad071efd.scope",
        )
        .unwrap();
        assert_eq!(details.runtime, Runtime::Podman);
        assert_eq!(details.name.as_deref(), Some("web-renamed"));
        assert_eq!(
            details.image.as_deref(),
            Some("localhost/plimsoll-busybox:1")
        );
        assert!(!details.sandbox);
    }

    #[test]
    fn infra_container_is_the_pods_sandbox() {
        let infra = captured(&format!(
            "{POD}/libpod-7f17e4d163cfc1920acc3e3a88864525102e3b85af843c7ec76adae81fd95b13"
        ));
        assert!(infra.unwrap().sandbox);
        let other = captured(&format!(
            "{POD}/libpod-3f3011bc159232182ef03f0d09105f6e043aa2f77ce896f83851b7f47a57421c"
        ));
        assert!(!other.unwrap().sandbox);
    }

    #[test]
    fn an_index_is_read_again_only_when_it_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = index_path(dir.path(), "overlay");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        std::fs::write(&path, r#"[{"id":"a","names":["one"]}]"#).unwrap();
        let indexes = Mutex::default();
        let first = load(&indexes, &path, None).unwrap();
        assert!(Arc::ptr_eq(&first, &load(&indexes, &path, None).unwrap()));
        let next = dir.path().join("next");
        std::fs::write(&next, r#"[{"id":"a","names":["two"]}]"#).unwrap();
        std::fs::rename(&next, &path).unwrap();
        let second = load(&indexes, &path, None).unwrap();
        assert_eq!(second["a"].name.as_deref(), Some("two"));
    }

    #[test]
    fn odd_entries() {
        let index = parse(&br#"[{"id":"a"},{"id":"b","names":null,"metadata":"{"}]"#[..]).unwrap();
        assert_eq!(index.len(), 2);
        assert!(parse(&b"{}"[..]).is_err());
    }
}
