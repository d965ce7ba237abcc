//! What a container changed, and files in and out of it.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use bollard::models::{ChangeType, FilesystemChange};

use super::{Parts, Root};
use crate::engine::container::EngineError;
use crate::engine::container::model::{ContainerDir, Life, Settings};
use crate::engine::image::decompress;
use crate::engine::rootfs::{Inside, PathStat, UserRange, Writing, apart};

/// As the API numbers it.
const ADDED: ChangeType = ChangeType::_1;

impl Parts {
    /// What was added, modified and deleted.
    pub(in crate::engine::container) fn diff(
        &self,
        settings: &Settings,
        dir: &ContainerDir,
    ) -> Result<Vec<FilesystemChange>, EngineError> {
        match self.root(settings, dir.path())? {
            Root::Layers(overlay) => Ok(without_our_own(overlay.changes()?)),
            Root::Direct(_) => {
                let text =
                    "what is written to a root filesystem that is used directly is not kept apart";
                Err(EngineError::Invalid(text.to_owned()))
            }
        }
    }

    /// What is at a path.
    pub(in crate::engine::container) fn stat(
        &self,
        settings: &Settings,
        life: &Life,
        dir: &ContainerDir,
        path: &str,
    ) -> Result<PathStat, EngineError> {
        self.look(settings, life, dir, |inside| {
            Ok(inside.stat(&settings.name, path)?)
        })
    }

    /// Writes an archive of it.
    pub(in crate::engine::container) fn read(
        &self,
        settings: &Settings,
        life: &Life,
        dir: &ContainerDir,
        path: &str,
        out: &mut (dyn Write + Send),
    ) -> Result<(), EngineError> {
        self.look(settings, life, dir, |inside| {
            Ok(inside.read(&settings.name, path, out)?)
        })
    }

    /// Unpacks an archive there.
    pub(in crate::engine::container) fn write(
        &self,
        settings: &Settings,
        life: &Life,
        dir: &ContainerDir,
        path: &str,
        archive: impl Read + Send,
        writing: Writing,
    ) -> Result<(), EngineError> {
        self.look(settings, life, dir, |inside| {
            // Where links lead decides what may be written.
            let real = inside.real(&settings.name, path)?;
            require_writable(settings, &real)?;
            let archive = decompress(archive, "the archive")?;
            Ok(inside.write(&settings.name, path, archive, writing)?)
        })
    }

    /// Works with its files: as its processes see them while it runs, else as they would.
    fn look<T: Send>(
        &self,
        settings: &Settings,
        life: &Life,
        dir: &ContainerDir,
        work: impl FnOnce(&Inside) -> Result<T, EngineError> + Send,
    ) -> Result<T, EngineError> {
        if let Some(process) = life.process.filter(|_| life.runs()) {
            let root = format!("/proc/{}/root", process.pid);
            let root = Path::new(&root);
            let inside = Inside::open(root).map_err(EngineError::io("open", root))?;
            let users = UserRange::of(process.pid);
            // Opened and read while it lived: then it is its own.
            if process.is_alive() {
                let users = users.map_err(EngineError::io("read the users of", root))?;
                return work(&inside.of(users));
            }
        }
        if settings.mounts.is_empty() {
            return work(&self.at_rest(settings, dir)?);
        }
        apart(|| {
            let root = match self.root(settings, dir.path())? {
                Root::Direct(path) => path,
                Root::Layers(overlay) => {
                    let target = spare(dir)?;
                    overlay.mount(&target)?;
                    target
                }
            };
            let inside = Inside::open(&root).map_err(EngineError::io("open", &root))?;
            self.cover(&settings.mounts, &inside)?;
            work(&inside)
        })?
    }

    /// The root filesystem of one that does not run.
    pub(super) fn at_rest(
        &self,
        settings: &Settings,
        dir: &ContainerDir,
    ) -> Result<Inside, EngineError> {
        match self.root(settings, dir.path())? {
            Root::Direct(path) => Inside::open(&path).map_err(EngineError::io("open", &path)),
            Root::Layers(overlay) => Ok(Inside::new(overlay.detached(&spare(dir)?)?)),
        }
    }
}

/// An empty directory to mount at.
fn spare(dir: &ContainerDir) -> Result<PathBuf, EngineError> {
    let spare = dir.path().join("spare");
    std::fs::create_dir_all(&spare).map_err(EngineError::io("make", &spare))?;
    Ok(spare)
}

/// What is mounted at a path decides, or else the root filesystem.
fn require_writable(settings: &Settings, path: &Path) -> Result<(), EngineError> {
    let there = settings.mounts.iter().filter(|bound| bound.has(path));
    let host = settings.host();
    let text = match there.max_by_key(|bound| bound.depth()) {
        Some(bound) if !bound.is_writable() => "mounted volume is marked read-only",
        None if host.and_then(|host| host.readonly_rootfs) == Some(true) => {
            "container rootfs is marked read-only"
        }
        _ => return Ok(()),
    };
    Err(EngineError::Invalid(text.to_owned()))
}

/// Leaves out the files that are there for ours to be mounted over, and the directory that is changed by
/// nothing else.
fn without_our_own(mut changes: Vec<FilesystemChange>) -> Vec<FilesystemChange> {
    const OURS: [&str; 3] = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];
    let count = changes.len();
    changes.retain(|change| !(OURS.contains(&change.path.as_str()) && change.kind == ADDED));
    let is_ours = changes.len() < count && !changes.iter().any(|one| one.path.starts_with("/etc/"));
    if is_ours {
        changes.retain(|change| change.path != "/etc");
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_for_mounts_is_no_change() {
        let left = |paths: &[&str]| {
            let change = |path: &&str| FilesystemChange {
                path: (*path).to_owned(),
                kind: if *path == "/etc" {
                    ChangeType::_0
                } else {
                    ADDED
                },
            };
            let changes = without_our_own(paths.iter().map(change).collect());
            changes.into_iter().map(|one| one.path).collect::<Vec<_>>()
        };
        assert_eq!(left(&["/etc", "/etc/hosts", "/new"]), ["/new"]);
        assert_eq!(
            left(&["/etc", "/etc/hosts", "/etc/mine"]),
            ["/etc", "/etc/mine"]
        );
        assert_eq!(left(&["/etc", "/new"]), ["/etc", "/new"]);
    }
}
