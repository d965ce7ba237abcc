//! The containers' storage on disk: `<storage>/<driver>-containers/containers.json`, which podman keeps.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use tracing::debug;

use super::file;

/// Storage drivers whose containers podman can run.
const DRIVERS: [&str; 4] = ["overlay", "vfs", "btrfs", "zfs"];
/// Some 600 bytes a container. Users' indexes are kept shorter: there may be many, and no trust.
const MAX_INDEX_BYTES: u64 = 16 << 20;
const MAX_USER_INDEX_BYTES: u64 = 1 << 20;
/// Indexes remembered at a time: root's, and users'.
const MAX_INDEXES: usize = 32;

/// What the storage says of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) name: Option<String>,
    pub(super) image: Option<String>,
}

type Containers = HashMap<String, Stored>;

/// The indexes read so far, each read again only when its file has changed.
#[derive(Default)]
pub(super) struct Storage(Mutex<HashMap<PathBuf, Index>>);

/// `containers.json`, reduced to what is wanted of it.
#[derive(Clone)]
struct Index {
    stamp: Stamp,
    owner: Option<u32>,
    containers: Arc<Containers>,
}

/// The file as it was when it was read. Podman replaces it by renaming a new one over it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            length: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Storage {
    /// The container `id` in the storage at `root`, whose files must belong to `owner` if given.
    pub(super) fn find(&self, root: &Path, owner: Option<u32>, id: &str) -> Option<Stored> {
        index_paths(root).find_map(|path| match self.load(&path, owner) {
            Ok(containers) => containers.get(id).cloned(),
            Err(error) => {
                if !file::is_missing(&error) {
                    debug!(path = %path.display(), %error, "unreadable container storage");
                }
                None
            }
        })
    }

    /// Ids of the containers that were renamed since their index was read. It is read now.
    pub(super) fn renamed(&self) -> Vec<String> {
        let known = self.lock().clone();
        let mut renamed = Vec::new();
        for (path, index) in known {
            let before = index.containers;
            match self.load(&path, index.owner) {
                Ok(now) if !Arc::ptr_eq(&before, &now) => {
                    let others = now.iter().filter(|(id, stored)| {
                        before
                            .get(*id)
                            .is_some_and(|before| before.name != stored.name)
                    });
                    renamed.extend(others.map(|(id, _)| id.clone()));
                }
                Ok(_same) => {}
                // Gone with its user, or being written: no names are lost.
                Err(error) => debug!(path = %path.display(), %error, "container storage"),
            }
        }
        renamed
    }

    /// The index at `path`, from memory while the file is the same.
    fn load(&self, path: &Path, owner: Option<u32>) -> io::Result<Arc<Containers>> {
        let limit = owner.map_or(MAX_INDEX_BYTES, |_| MAX_USER_INDEX_BYTES);
        let (file, metadata) = file::open(path, limit, owner)?;
        let stamp = Stamp::of(&metadata);
        if let Some(index) = self.lock().get(path).filter(|index| index.stamp == stamp) {
            return Ok(Arc::clone(&index.containers));
        }
        let containers = Arc::new(parse(BufReader::new(file.take(limit)))?);
        let index = Index {
            stamp,
            owner,
            containers: Arc::clone(&containers),
        };
        let mut indexes = self.lock();
        if indexes.len() >= MAX_INDEXES && !indexes.contains_key(path) {
            indexes.clear();
        }
        indexes.insert(path.to_owned(), index);
        Ok(containers)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Index>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the indexes of a storage may be.
pub(super) fn index_paths(root: &Path) -> impl Iterator<Item = PathBuf> {
    DRIVERS.iter().map(move |driver| {
        root.join(format!("{driver}-containers"))
            .join("containers.json")
    })
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_index_is_read_again_only_when_it_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = index_paths(dir.path()).next().unwrap();
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        let write = |json: &str| {
            let next = dir.path().join("next");
            std::fs::write(&next, json).unwrap();
            std::fs::rename(&next, &path).unwrap();
        };
        write(r#"[{"id":"a","names":["one"]},{"id":"b","names":["other"]}]"#);
        let storage = Storage::default();
        let first = storage.load(&path, None).unwrap();
        assert!(Arc::ptr_eq(&first, &storage.load(&path, None).unwrap()));
        assert_eq!(storage.renamed(), [""; 0]);
        write(r#"[{"id":"a","names":["two"]},{"id":"b","names":["other"]},{"id":"c"}]"#);
        assert_eq!(storage.renamed(), ["a"]);
        assert_eq!(storage.renamed(), [""; 0]);
        let found = storage.find(dir.path(), None, "a").unwrap();
        assert_eq!(found.name.as_deref(), Some("two"));
    }

    #[test]
    fn odd_entries() {
        let index = parse(&br#"[{"id":"a"},{"id":"b","names":null,"metadata":"{"}]"#[..]).unwrap();
        assert_eq!(index.len(), 2);
        assert!(parse(&b"{}"[..]).is_err());
    }
}
