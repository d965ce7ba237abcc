//! A container's directory. Files in it are replaced whole.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Life, Settings};
use crate::engine::rootfs::tree;
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

/// `containers/ID`, and `bundles/ID` for what does not outlive the host's power.
#[derive(Clone, Debug)]
pub(in crate::engine::container) struct ContainerDir {
    path: PathBuf,
    log: PathBuf,
    bundle: PathBuf,
}

impl ContainerDir {
    pub(in crate::engine::container) fn new(root: &Path, bundles: &Path, id: &Id) -> Self {
        let path = root.join(id.as_str());
        let log = path.join(format!("{id}-json.log"));
        let bundle = bundles.join(id.as_str());
        Self { path, log, bundle }
    }

    /// Those below `root`; what is unfinished is removed, if it can be.
    pub(in crate::engine::container) fn all(root: &Path) -> io::Result<Vec<Id>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(root)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.starts_with(UNFINISHED) {
                // The others run on; the next start tries again.
                if let Err(error) = tree::remove_in(root, name.as_ref()) {
                    tracing::warn!(name, %error, "what is half gone of a container stays for now");
                }
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

    /// What is carried out.
    pub(in crate::engine::container) fn bundle(&self) -> &Path {
        &self.bundle
    }

    /// Makes it with its record in it, at once.
    pub(in crate::engine::container) fn make(&self, settings: &Settings) -> io::Result<()> {
        let durability = settings.durability();
        if durability == Durability::Agent {
            fs::create_dir_all(&self.bundle)?;
            self.write_life(&Life::default(), durability)?;
        }
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
        match (unfinished.parent(), unfinished.file_name()) {
            (Some(root), Some(name)) => tree::remove_in(root, name),
            _ => Ok(()),
        }
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

    /// What became of it. A power cut may have spoilt it. There is none of one that was never started; nor after
    /// a power cut of one that was to go with its exit: then it did.
    pub(in crate::engine::container) fn life(&self, durability: Durability) -> io::Result<Life> {
        let life = read(&self.state(durability))?;
        Ok(life.unwrap_or_else(|| match durability {
            Durability::Agent => Life::lost(),
            Durability::Power => Life::default(),
        }))
    }

    pub(in crate::engine::container) fn write_life(
        &self,
        life: &Life,
        durability: Durability,
    ) -> io::Result<()> {
        match (
            write(&self.state(durability), life, Durability::Agent),
            durability,
        ) {
            // Removed by now, or lost.
            (Err(error), Durability::Agent) if error.kind() == ErrorKind::NotFound => Ok(()),
            (written, _) => written,
        }
    }

    fn state(&self, durability: Durability) -> PathBuf {
        match durability {
            Durability::Agent => self.bundle.join(STATE),
            Durability::Power => self.path.join(STATE),
        }
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
    use crate::engine::rootfs::tree::tests::{DEEP, nest, on_a_small_stack};

    fn dir(root: &Path) -> (ContainerDir, Settings) {
        let id: Id = "abc".parse().unwrap();
        let settings = Settings::of(id.clone(), "name".to_owned());
        let dir = ContainerDir::new(&root.join("containers"), &root.join("bundles"), &id);
        fs::create_dir(root.join("containers")).unwrap();
        (dir, settings)
    }

    #[test]
    fn it_appears_with_its_record_and_goes_at_once() {
        let root = tempfile::tempdir().unwrap();
        let (dir, settings) = dir(root.path());
        dir.make(&settings).unwrap();
        assert_eq!(dir.settings().unwrap().name, "name");
        let containers = root.path().join("containers");
        assert_eq!(ContainerDir::all(&containers).unwrap().len(), 1);
        dir.remove().unwrap();
        dir.remove().unwrap();
        assert!(fs::read_dir(containers).unwrap().next().is_none());
    }

    #[test]
    fn however_deep_it_is_it_goes() {
        let root = tempfile::tempdir().unwrap();
        let (dir, settings) = dir(root.path());
        dir.make(&settings).unwrap();
        nest(&dir.path().join("upper"), DEEP);
        on_a_small_stack(|| dir.remove()).unwrap();
        let mut left = fs::read_dir(root.path().join("containers")).unwrap();
        assert!(left.next().is_none());
    }

    #[test]
    fn what_is_unfinished_is_removed() {
        let root = tempfile::tempdir().unwrap();
        nest(&root.path().join("~abc"), DEEP);
        let found = on_a_small_stack(|| ContainerDir::all(root.path()));
        assert!(found.unwrap().is_empty());
        assert!(!root.path().join("~abc").exists());
    }

    #[test]
    fn a_spoilt_state_is_not_taken_for_a_new_container() {
        let root = tempfile::tempdir().unwrap();
        let (dir, settings) = dir(root.path());
        dir.make(&settings).unwrap();
        assert_eq!(dir.life(Durability::Power).unwrap().exits, 0);
        fs::write(dir.path().join(STATE), "").unwrap();
        let error = dir.life(Durability::Power).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let life = Life::lost();
        assert_eq!((life.exits, life.exit_code), (1, 255));
    }

    #[test]
    fn one_that_goes_with_its_exit_went_with_the_hosts_memory() {
        let root = tempfile::tempdir().unwrap();
        let (dir, mut settings) = dir(root.path());
        settings
            .body
            .host_config
            .get_or_insert_default()
            .auto_remove = Some(true);
        dir.make(&settings).unwrap();
        let life = || dir.life(settings.durability()).unwrap();
        assert_eq!(life(), Life::default());
        let running = Life {
            exit_code: 7,
            ..Life::default()
        };
        dir.write_life(&running, settings.durability()).unwrap();
        assert_eq!(life(), running);
        fs::remove_dir_all(dir.bundle()).unwrap();
        assert_eq!(life(), Life::lost());
        dir.write_life(&running, settings.durability()).unwrap();
        assert!(!dir.bundle().exists());
    }
}
