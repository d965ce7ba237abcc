//! What is recorded of a volume, beside its files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// `volume.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    /// RFC 3339.
    pub(super) created: String,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    /// Nobody chose its name: `prune` takes it without being asked twice.
    #[serde(default)]
    pub(super) anonymous: bool,
}

impl Record {
    /// `None`: there is none.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let understood = serde_json::from_slice(&text);
        understood
            .or_else(|error| {
                tracing::warn!(path = %path.display(), %error, "record of a volume not understood");
                Self::lost(path)
            })
            .map(Some)
    }

    /// Of a volume whose record a power cut spoilt: the files are worth more than the labels.
    fn lost(path: &Path) -> io::Result<Self> {
        let made = fs::metadata(path)?.modified()?;
        Ok(Self {
            created: humantime::format_rfc3339_seconds(made).to_string(),
            labels: BTreeMap::new(),
            anonymous: false,
        })
    }

    /// On disk when it returns.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()
    }
}
