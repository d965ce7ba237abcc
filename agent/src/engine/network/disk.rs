//! State on disk: a file for each network and for each endpoint, replaced whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::NetworkError;
use super::record::{Endpoint, Network};

/// Whether the host's sudden death may cost the file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Durable {
    /// Networks outlive the host's restart.
    Yes,
    /// What it tells of the kernel goes with the kernel: to survive the agent, the page cache is enough.
    No,
}

/// The directory.
#[derive(Debug)]
pub(super) struct Disk {
    root: PathBuf,
}

impl Disk {
    pub(super) fn open(root: &Path) -> Result<Self, NetworkError> {
        let disk = Self {
            root: root.to_owned(),
        };
        for kind in ["networks", "endpoints"] {
            let directory = root.join(kind);
            fs::create_dir_all(&directory).map_err(keep(&directory))?;
        }
        Ok(disk)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// All networks, in the order of their ids.
    pub(super) fn networks(&self) -> Result<Vec<Network>, NetworkError> {
        self.all("networks")
    }

    /// All endpoints.
    pub(super) fn endpoints(&self) -> Result<Vec<Endpoint>, NetworkError> {
        self.all("endpoints")
    }

    pub(super) fn keep_network(&self, network: &Network) -> Result<(), NetworkError> {
        self.write(&network_file(&network.id), network, Durable::Yes)
    }

    pub(super) fn forget_network(&self, id: &str) -> Result<(), NetworkError> {
        self.forget(&network_file(id))
    }

    pub(super) fn keep_endpoint(&self, endpoint: &Endpoint) -> Result<(), NetworkError> {
        self.write(&endpoint_file(endpoint), endpoint, Durable::No)
    }

    pub(super) fn forget_endpoint(&self, endpoint: &Endpoint) -> Result<(), NetworkError> {
        self.forget(&endpoint_file(endpoint))
    }

    /// A file of its own; `None`: it was never written, or cut short by the host's death.
    pub(super) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, NetworkError> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(bytes) => {
                let parsed = serde_json::from_slice(&bytes);
                Ok(parsed.inspect_err(|error| set_aside(&path, error)).ok())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(NetworkError::State { path, source }),
        }
    }

    /// A file of its own, which survives the host's death.
    pub(super) fn keep(&self, name: &str, value: &impl Serialize) -> Result<(), NetworkError> {
        self.write(name, value, Durable::Yes)
    }

    pub(super) fn forget(&self, name: &str) -> Result<(), NetworkError> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(keep(&path)(error)),
            _ => Ok(()),
        }
    }

    fn write(
        &self,
        name: &str,
        value: &impl Serialize,
        durable: Durable,
    ) -> Result<(), NetworkError> {
        let path = self.path(name);
        let next = path.with_extension("next");
        let written = || -> io::Result<()> {
            let mut file = File::create(&next)?;
            file.write_all(&serde_json::to_vec_pretty(value)?)?;
            if durable == Durable::Yes {
                file.sync_all()?;
            }
            fs::rename(&next, &path)?;
            match path.parent() {
                Some(parent) if durable == Durable::Yes => File::open(parent)?.sync_all(),
                _ => Ok(()),
            }
        };
        written().map_err(keep(&path))
    }

    /// One that cannot be understood is named in the log, set aside and left out.
    fn all<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>, NetworkError> {
        let directory = self.path(kind);
        let mut paths = Vec::new();
        for entry in fs::read_dir(&directory).map_err(keep(&directory))? {
            paths.push(entry.map_err(keep(&directory))?.path());
        }
        paths.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        });
        paths.sort();
        let mut all = Vec::new();
        for path in paths {
            match serde_json::from_slice(&fs::read(&path).map_err(keep(&path))?) {
                Ok(value) => all.push(value),
                Err(error) => set_aside(&path, &error),
            }
        }
        Ok(all)
    }
}

/// One that cannot be read goes out of the way, for whoever can.
fn set_aside(path: &Path, error: &serde_json::Error) {
    tracing::error!(path = %path.display(), %error, "record not understood; set aside");
    if let Err(error) = fs::rename(path, path.with_extension("damaged")) {
        tracing::warn!(path = %path.display(), %error, "it stays where it is");
    }
}

fn network_file(id: &str) -> String {
    format!("networks/{id}.json")
}

fn endpoint_file(endpoint: &Endpoint) -> String {
    format!("endpoints/{}.json", endpoint.id)
}

fn keep(path: &Path) -> impl FnOnce(io::Error) -> NetworkError {
    let path = path.to_owned();
    |source| NetworkError::State { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_cut_short_is_none() {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::open(root.path()).unwrap();
        assert_eq!(disk.read::<u32>("host.json").unwrap(), None);
        disk.keep("host.json", &7_u32).unwrap();
        assert_eq!(disk.read::<u32>("host.json").unwrap(), Some(7));
        fs::write(disk.path("host.json"), "").unwrap();
        assert_eq!(disk.read::<u32>("host.json").unwrap(), None);
        fs::write(disk.path("endpoints/x.json"), "{\"id\":").unwrap();
        fs::write(disk.path("endpoints/y.next"), "").unwrap();
        assert_eq!(disk.endpoints().unwrap(), []);
    }
}
