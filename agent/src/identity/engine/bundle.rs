//! The annotations in an OCI bundle's `config.json`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Deserialize;
use tracing::debug;

use super::file;

/// Seccomp profiles make some 10 KiB; Kubernetes allows 256 KiB of annotations.
const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// What others wrote down about a container when they made its bundle.
pub(super) struct Annotations(BTreeMap<String, String>);

impl Annotations {
    /// Reads `config.json` at `path`. `None`: there is no such file, or (a matter of this one
    /// container, not of its engine) it cannot be read.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let read = file::read(path, MAX_CONFIG_BYTES, None).and_then(|bytes| Self::parse(&bytes));
        match read {
            Ok(annotations) => Some(annotations),
            Err(error) if file::is_missing(&error) => None,
            Err(error) => {
                debug!(path = %path.display(), %error, "unreadable bundle");
                None
            }
        }
    }

    fn parse(bytes: &[u8]) -> io::Result<Self> {
        /// The rest of the specification is no business of ours.
        #[derive(Deserialize)]
        struct Config {
            #[serde(default)]
            annotations: Option<BTreeMap<String, String>>,
        }
        let config: Config = serde_json::from_slice(bytes)?;
        Ok(Self(config.annotations.unwrap_or_default()))
    }

    /// The annotation, unless empty.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let value = self.0.get(key)?.as_str();
        (!value.is_empty()).then_some(value)
    }

    /// All whose key begins with `prefix`, keys in full.
    pub(super) fn with_prefix<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0
            .iter()
            .filter(move |(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    #[cfg(test)]
    pub(super) fn from_pairs(pairs: &[(&str, &str)]) -> Self {
        let owned = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
        Self(pairs.iter().map(owned).collect())
    }
}

/// Is `id`, which came from a cgroup's path, safe as a file name?
pub(super) fn is_file_name(id: &str) -> bool {
    !matches!(id, "" | "." | "..") && !id.contains(['/', '\0'])
}
