//! What a container changed, and files in and out of it.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use bollard::models::{ChangeType, FilesystemChange};

use super::{Bound, Parts, Root};
use crate::engine::container::EngineError;
use crate::engine::container::model::{ContainerDir, Life, Settings};
use crate::engine::rootfs::{Inside, PathStat, Writing, apart, lexical};
use crate::engine::spec;

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
            Ok(inside.stat(settings.name.as_str(), path)?)
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
            Ok(inside.read(settings.name.as_str(), path, out)?)
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
        let host = settings.host();
        if host.and_then(|host| host.readonly_rootfs) == Some(true) {
            let text = "container rootfs is marked read-only".to_owned();
            return Err(EngineError::Invalid(text));
        }
        let bound = bound_at(settings, path);
        if bound.is_some_and(|bound| !bound.is_writable()) {
            let text = "mounted volume is marked read-only".to_owned();
            return Err(EngineError::Invalid(text));
        }
        self.look(settings, life, dir, |inside| {
            Ok(inside.write(settings.name.as_str(), path, archive, writing)?)
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
            // Opened while it lived: then it is its own.
            if process.is_alive() {
                return work(&inside.of(spec::user_range(&settings.body)?));
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
    fn at_rest(&self, settings: &Settings, dir: &ContainerDir) -> Result<Inside, EngineError> {
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

/// What is mounted where a path leads.
fn bound_at<'a>(settings: &'a Settings, path: &str) -> Option<&'a Bound> {
    let asked = Path::new("/").join(lexical(Path::new(path)));
    let there = settings.mounts.iter().filter(|bound| bound.has(&asked));
    there.max_by_key(|bound| bound.depth())
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
