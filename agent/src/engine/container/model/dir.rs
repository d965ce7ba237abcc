//! A container's directory. Files in it are replaced whole.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Life, Settings};
use crate::launch::Id;

const CONFIG: &str = "config.json";
const STATE: &str = "state.json";
/// Names that are no id: half made, or half removed.
const UNFINISHED: char = '~';

/// What a record has to outlive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::container) enum Durability {
    /// The agent: the kernel keeps it.
    Agent,
    /// The host's power.
    Power,
}

/// `containers/ID`.
#[derive(Clone, Debug)]
pub(in crate::engine::container) struct ContainerDir {
    path: PathBuf,
    log: PathBuf,
}

impl ContainerDir {
    pub(in crate::engine::container) fn new(root: &Path, id: &Id) -> Self {
        let path = root.join(id.as_str());
        let log = path.join(format!("{id}-json.log"));
        Self { path, log }
    }

    /// Those below `root`; what is unfinished is removed.
    pub(in crate::engine::container) fn all(root: &Path) -> io::Result<Vec<Id>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(root)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.starts_with(UNFINISHED) {
                fs::remove_dir_all(entry.path())?;
            } else if let Ok(id) = name.parse() {
                found.push(id);
            }
        }
        Ok(found)
    }

    pub(in crate::engine::container) fn path(&self) -> &Path {
        &self.path
    }

    pub(in crate::engine::container) fn log(&self) -> &Path {
        &self.log
    }

    /// Makes it with its record in it, at once.
    pub(in crate::engine::container) fn make(
        &self,
        settings: &Settings,
        durability: Durability,
    ) -> io::Result<()> {
        let half_made = self.unfinished();
        DirBuilder::new().mode(0o710).create(&half_made)?;
        let made = write(&half_made.join(CONFIG), settings, durability)
            .and_then(|()| fs::rename(&half_made, &self.path));
        if let Err(error) = made {
            // It goes at the next start otherwise.
            let _ = fs::remove_dir_all(&half_made);
            return Err(error);
        }
        match (durability, self.path.parent()) {
            (Durability::Power, Some(parent)) => File::open(parent)?.sync_all(),
            _ => Ok(()),
        }
    }

    /// Removes it: it is gone at once, whatever happens meanwhile.
    pub(in crate::engine::container) fn remove(&self) -> io::Result<()> {
        let unfinished = self.unfinished();
        match fs::rename(&self.path, &unfinished) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            renamed => renamed?,
        }
        fs::remove_dir_all(unfinished)
    }

    fn unfinished(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path.with_file_name(format!("{UNFINISHED}{name}"))
    }

    pub(in crate::engine::container) fn settings(&self) -> io::Result<Settings> {
        read(&self.path.join(CONFIG))?.ok_or_else(|| ErrorKind::NotFound.into())
    }

    pub(in crate::engine::container) fn write_settings(
        &self,
        settings: &Settings,
    ) -> io::Result<()> {
        write(&self.path.join(CONFIG), settings, settings.durability())
    }

    /// What became of it; nothing yet, when there is no such file. A power cut may have spoilt it.
    pub(in crate::engine::container) fn life(&self) -> io::Result<Life> {
        Ok(read(&self.path.join(STATE))?.unwrap_or_default())
    }

    pub(in crate::engine::container) fn write_life(&self, life: &Life) -> io::Result<()> {
        write(&self.path.join(STATE), life, Durability::Agent)
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

/// Replaces a file; a reader finds the old or the new one.
pub(in crate::engine::container) fn write(
    path: &Path,
    value: &impl Serialize,
    durability: Durability,
) -> io::Result<()> {
    let text = serde_json::to_vec(value)?;
    let mut half_written = path.as_os_str().to_owned();
    half_written.push("~");
    let half_written = PathBuf::from(half_written);
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&half_written)?;
    file.write_all(&text)?;
    if durability == Durability::Power {
        file.sync_all()?;
    }
    fs::rename(&half_written, path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn dir(root: &Path) -> (ContainerDir, Settings) {
        let id: Id = "abc".parse().unwrap();
        let settings = Settings::of(id.clone(), "name".to_owned());
        (ContainerDir::new(root, &id), settings)
    }

    #[test]
    fn it_appears_with_its_record_and_goes_at_once() {
        let root = tempfile::tempdir().unwrap();
        let (dir, settings) = dir(root.path());
        dir.make(&settings, Durability::Power).unwrap();
        assert_eq!(dir.settings().unwrap().name, "name");
        assert_eq!(ContainerDir::all(root.path()).unwrap().len(), 1);
        dir.remove().unwrap();
        dir.remove().unwrap();
        assert!(fs::read_dir(root.path()).unwrap().next().is_none());
    }

    #[test]
    fn what_is_unfinished_is_removed() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("~abc")).unwrap();
        assert!(ContainerDir::all(root.path()).unwrap().is_empty());
        assert!(!root.path().join("~abc").exists());
    }

    #[test]
    fn a_spoilt_state_is_not_taken_for_a_new_container() {
        let root = tempfile::tempdir().unwrap();
        let (dir, settings) = dir(root.path());
        dir.make(&settings, Durability::Agent).unwrap();
        assert_eq!(dir.life().unwrap().exits, 0);
        fs::write(dir.path().join(STATE), "").unwrap();
        let error = dir.life().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let life = Life::lost();
        assert_eq!((life.exits, life.exit_code), (1, 255));
    }
}
