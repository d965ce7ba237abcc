//! The directory that a workload's state is in.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use libcontainer::oci_spec::runtime::Spec;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::filter::Filter;
use super::state::{Exit, Joiner, State};
use super::{Id, LaunchError};

const STATE: &str = "state.json";
const EXIT: &str = "exit.json";
/// The specification as it was carried out.
const CONFIG: &str = "config.json";
const FILTER: &str = "seccomp";
const EXECS: &str = "exec";
/// Ends the name of what cannot be read.
const DAMAGED: &str = "-damaged";

/// One workload's directory below a root. Files in it are replaced whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir {
    path: PathBuf,
}

impl StateDir {
    /// Where `id` is, or would be.
    #[must_use]
    pub fn new(root: &Path, id: &Id) -> Self {
        let path = root.join(id.as_str());
        Self { path }
    }

    /// All below `root`; none when there is no such directory.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn all(root: &Path) -> io::Result<Vec<(Id, Self)>> {
        let entries = match fs::read_dir(root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            // What is half made has a name that is no id.
            if let Some(id) = name.to_str().and_then(|name| name.parse::<Id>().ok()) {
                found.push((id.clone(), Self::new(root, &id)));
            }
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(found)
    }

    /// Puts out of the way what cannot be read, be it cut short by the host's death: a workload's whole directory
    /// where it is its state, a record of its end or of who joined it alone. Tells what.
    ///
    /// # Errors
    /// The directory cannot be read, or not be changed.
    pub fn set_damaged_aside(root: &Path) -> io::Result<Vec<PathBuf>> {
        let mut aside = Vec::new();
        for (_, dir) in Self::all(root)? {
            if dir.state().is_err() {
                aside.push(set_aside(&dir.path)?);
                continue;
            }
            if dir.exit().is_err() {
                aside.push(set_aside(&dir.file(EXIT))?);
            }
            for (_, exec) in Self::all(&dir.execs())? {
                if exec.record().is_err() || exec.exit().is_err() {
                    aside.push(set_aside(&exec.path)?);
                }
            }
        }
        Ok(aside)
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where the processes are recorded that joined the workload.
    #[must_use]
    pub fn execs(&self) -> PathBuf {
        self.path.join(EXECS)
    }

    /// Makes it with its first record in it, at once: nobody sees it without one.
    pub(super) fn make(&self, id: &Id, record: &impl Serialize) -> Result<(), LaunchError> {
        let failed = |source| LaunchError::StateDir {
            path: self.path.clone(),
            source,
        };
        let root = self.path.parent().unwrap_or(Path::new("/"));
        private_dirs(root).map_err(failed)?;
        // `~` keeps it from being an id.
        let half_made = root.join(format!("~{id}-{}", std::process::id()));
        let made = (|| {
            fs::DirBuilder::new().mode(0o700).create(&half_made)?;
            write(&half_made.join(STATE), record)?;
            fs::rename(&half_made, &self.path)
        })();
        made.map_err(|error| {
            // It says nothing that the first error does not.
            let _ = fs::remove_dir_all(&half_made);
            match error.kind() {
                ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists => {
                    LaunchError::Exists(id.clone())
                }
                _ => failed(error),
            }
        })
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// `None`: there is no such workload.
    ///
    /// # Errors
    /// The file cannot be read or understood.
    pub fn state(&self) -> io::Result<Option<State>> {
        read(&self.file(STATE))
    }

    pub(super) fn write_state(&self, state: &State) -> io::Result<()> {
        self.write_record(state)
    }

    /// What is recorded of a process that joined.
    pub(super) fn record(&self) -> io::Result<Option<Joiner>> {
        read(&self.file(STATE))
    }

    pub(super) fn write_record(&self, record: &impl Serialize) -> io::Result<()> {
        write(&self.file(STATE), record)
    }

    /// `None`: its end is not recorded.
    ///
    /// # Errors
    /// The file cannot be read or understood.
    pub fn exit(&self) -> io::Result<Option<Exit>> {
        read(&self.file(EXIT))
    }

    pub(super) fn write_exit(&self, exit: &Exit) -> io::Result<()> {
        write(&self.file(EXIT), exit)
    }

    /// What is carried out: the specification, and the filter that is not left to `libcontainer`.
    pub(super) fn write_config(&self, spec: &Spec, filter: Option<&Filter>) -> io::Result<()> {
        write(&self.file(CONFIG), spec)?;
        filter.map_or(Ok(()), |filter| filter.write(&self.file(FILTER)))
    }

    pub(super) fn filter(&self) -> io::Result<Option<Filter>> {
        Filter::read(&self.file(FILTER))
    }
}

/// Under a name that is no id; what was there from before goes.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!("~{name}{DAMAGED}"));
    let removed = match fs::remove_dir_all(&aside) {
        Err(error) if error.kind() == ErrorKind::NotADirectory => fs::remove_file(&aside),
        removed => removed,
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// Makes a directory and its parents, for root alone.
pub(super) fn private_dirs(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(path)
}

pub(super) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(io::Error::other)
}

/// Replaces the file; a reader finds the old or the new one. Not synced: what is described there does not outlive
/// the kernel either.
pub(super) fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    write_bytes(path, &serde_json::to_vec(value)?)
}

pub(super) fn write_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut half_written = path.as_os_str().to_owned();
    half_written.push("~");
    let half_written = PathBuf::from(half_written);
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&half_written)?;
    file.write_all(bytes)?;
    fs::rename(&half_written, path)
}

#[cfg(test)]
#[path = "state_dir_tests.rs"]
mod tests;
