//! What a container changed, and files in and out of it.

use std::io::{Read, Write};
use std::path::Path;

use bollard::models::FilesystemChange;

use super::{Parts, Root};
use crate::engine::container::EngineError;
use crate::engine::container::model::{ContainerDir, Life, Settings};
use crate::engine::rootfs::{Inside, PathStat, Writing};

impl Parts {
    /// What was added, modified and deleted.
    pub(in crate::engine::container) fn diff(
        &self,
        settings: &Settings,
        dir: &ContainerDir,
    ) -> Result<Vec<FilesystemChange>, EngineError> {
        match self.root(settings, dir.path())? {
            Root::Layers(overlay) => Ok(overlay.changes()?),
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
        let inside = self.inside(settings, life, dir, path)?;
        Ok(inside.stat(settings.id.as_str(), path)?)
    }

    /// Writes an archive of it.
    pub(in crate::engine::container) fn read(
        &self,
        settings: &Settings,
        life: &Life,
        dir: &ContainerDir,
        path: &str,
        out: &mut dyn Write,
    ) -> Result<(), EngineError> {
        let inside = self.inside(settings, life, dir, path)?;
        Ok(inside.read(settings.id.as_str(), path, out)?)
    }

    /// Unpacks an archive there.
    pub(in crate::engine::container) fn write(
        &self,
        settings: &Settings,
        life: &Life,
        dir: &ContainerDir,
        path: &str,
        archive: impl Read,
        writing: Writing,
    ) -> Result<(), EngineError> {
        let host = settings.host();
        if host.and_then(|host| host.readonly_rootfs) == Some(true) {
            let text = "container rootfs is marked read-only".to_owned();
            return Err(EngineError::Invalid(text));
        }
        let inside = self.inside(settings, life, dir, path)?;
        Ok(inside.write(settings.id.as_str(), path, archive, writing)?)
    }

    /// As its processes see it while it runs; what is on a mount then only.
    fn inside(
        &self,
        settings: &Settings,
        life: &Life,
        dir: &ContainerDir,
        path: &str,
    ) -> Result<Inside, EngineError> {
        if let Some(process) = life.process.filter(|_| life.runs()) {
            let root = format!("/proc/{}/root", process.pid);
            let root = Path::new(&root);
            let inside = Inside::open(root).map_err(EngineError::io("open", root))?;
            // Opened while it lived: then it is its own.
            if process.is_alive() {
                return Ok(inside);
            }
        }
        let asked = Path::new("/").join(path);
        if settings.mounts.iter().any(|bound| bound.has(&asked)) {
            let text =
                format!("{path} is on a mount, which is there while the container runs: start it");
            return Err(EngineError::Invalid(text));
        }
        match self.root(settings, dir.path())? {
            Root::Direct(path) => Inside::open(&path).map_err(EngineError::io("open", &path)),
            Root::Layers(overlay) => {
                let spare = dir.path().join("spare");
                std::fs::create_dir_all(&spare).map_err(EngineError::io("make", &spare))?;
                Ok(Inside::new(overlay.detached(&spare)?))
            }
        }
    }
}
