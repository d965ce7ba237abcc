//! What a container changed, and files in and out of it.

use std::io::{Read, Write};

use bollard::models::FilesystemChange;

use super::EngineError;
use super::handle::Engine;
use crate::engine::rootfs::{PathStat, Writing};

impl Engine {
    /// What was added, modified and deleted in its root filesystem.
    ///
    /// # Errors
    /// There is no such container, or it writes to a directory of the host's.
    pub async fn diff(&self, wanted: &str) -> Result<Vec<FilesystemChange>, EngineError> {
        let cell = self.cell(wanted)?;
        self.blocking(move |shared| shared.parts.diff(&cell.settings(), &cell.dir))
            .await
    }

    /// What is at a path in it.
    ///
    /// # Errors
    /// There is nothing.
    pub async fn archive_stat(&self, wanted: &str, path: &str) -> Result<PathStat, EngineError> {
        let (cell, path) = (self.cell(wanted)?, path.to_owned());
        let (record, rests) = cell.at_rest().await?;
        self.blocking(move |shared| {
            let _rests = rests;
            shared
                .parts
                .stat(&record.settings, &record.life, &cell.dir, &path)
        })
        .await
    }

    /// Writes an archive of what is at a path in it.
    ///
    /// # Errors
    /// There is nothing, or it cannot be read or written.
    pub async fn archive_get(
        &self,
        wanted: &str,
        path: &str,
        mut out: impl Write + Send + 'static,
    ) -> Result<(), EngineError> {
        let (cell, path) = (self.cell(wanted)?, path.to_owned());
        let (record, rests) = cell.at_rest().await?;
        self.at_clients_pace(move |shared| {
            let _rests = rests;
            shared
                .parts
                .read(&record.settings, &record.life, &cell.dir, &path, &mut out)?;
            shared.events.container(&cell, "archive-path", &[]);
            Ok(())
        })
        .await
    }

    /// Unpacks an archive in a directory in it.
    ///
    /// # Errors
    /// There is none, or something in the archive is refused.
    pub async fn archive_put(
        &self,
        wanted: &str,
        path: &str,
        archive: impl Read + Send + 'static,
        writing: Writing,
    ) -> Result<(), EngineError> {
        let (cell, path) = (self.cell(wanted)?, path.to_owned());
        let (record, rests) = cell.at_rest().await?;
        self.at_clients_pace(move |shared| {
            let _rests = rests;
            let (settings, life) = (&record.settings, &record.life);
            shared
                .parts
                .write(settings, life, &cell.dir, &path, archive, writing)?;
            shared.events.container(&cell, "extract-to-dir", &[]);
            Ok(())
        })
        .await
    }
}
