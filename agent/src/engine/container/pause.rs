//! Freezing a container, and letting it go on.

use std::sync::Arc;

use super::EngineError;
use super::cell::Cell;
use super::handle::Engine;
use super::model::Phase;
use crate::launch::{Container, LaunchError};

impl Engine {
    /// Freezes all its processes.
    ///
    /// # Errors
    /// It does not run, is frozen already, or cannot be frozen.
    pub async fn pause(&self, wanted: &str) -> Result<(), EngineError> {
        let cell = self.cell(wanted)?;
        let _verb = cell.verb.lock().await;
        let life = cell.record().life;
        match life.phase {
            Phase::Restarting => return Err(EngineError::Restarting(cell.id.clone())),
            Phase::Running if life.paused => {
                return Err(EngineError::AlreadyPaused(cell.id.clone()));
            }
            Phase::Running => {}
            Phase::Created | Phase::Starting | Phase::Exited | Phase::Removing => {
                return Err(EngineError::NotRunning(cell.id.clone()));
            }
        }
        let id = cell.id.clone();
        self.blocking(move |shared| Ok(Container::open(&shared.workloads(), &id)?.pause()?))
            .await?;
        cell.live(|life| life.paused = true);
        self.shared.events.container(&cell, "pause", &[]);
        Ok(())
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// It is not frozen.
    pub async fn unpause(&self, wanted: &str) -> Result<(), EngineError> {
        let cell = self.cell(wanted)?;
        let _verb = cell.verb.lock().await;
        if !cell.record().life.paused {
            return Err(EngineError::NotPaused(cell.id.clone()));
        }
        self.thaw(&cell).await
    }

    /// Lets it go on if it is frozen, whoever did that: the signal that it was sent waits for it.
    pub(super) async fn wake(&self, cell: &Arc<Cell>) -> Result<(), EngineError> {
        if cell.record().life.paused {
            return self.thaw(cell).await;
        }
        let id = cell.id.clone();
        self.blocking(move |shared| {
            let container = Container::open(&shared.workloads(), &id)?;
            let cgroups = container.cgroups();
            if cgroups.is_frozen() {
                cgroups.thaw().map_err(LaunchError::from)?;
            }
            Ok(())
        })
        .await
    }

    pub(super) async fn thaw(&self, cell: &Arc<Cell>) -> Result<(), EngineError> {
        let id = cell.id.clone();
        self.blocking(move |shared| {
            let container = Container::open(&shared.workloads(), &id)?;
            Ok(container.cgroups().thaw().map_err(LaunchError::from)?)
        })
        .await?;
        cell.live(|life| life.paused = false);
        self.shared.events.container(cell, "unpause", &[]);
        Ok(())
    }
}
