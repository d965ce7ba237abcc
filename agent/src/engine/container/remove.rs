//! Removing containers.

use std::io;
use std::sync::Arc;

use bollard::models::{ContainerPruneResponse, EventMessageTypeEnum};

use super::EngineError;
use super::cell::Cell;
use super::filter::Filters;
use super::handle::{Engine, Shared};
use super::model::Phase;
use super::name::instant;
use super::part_filter::{PRUNES, is_old, lets_go, refuse_unknown, until};
use super::stop::see_killed;
use crate::launch::{Container, Id, LaunchError, Signal};

/// How a container is removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoveOptions {
    /// Kills it if it runs.
    pub force: bool,
    /// Its anonymous volumes go too.
    pub volumes: bool,
}

impl Engine {
    /// Removes a container: processes, cgroups, mounts, log, record.
    ///
    /// # Errors
    /// It runs, and `force` is not given.
    pub async fn remove(&self, wanted: &str, options: RemoveOptions) -> Result<(), EngineError> {
        let cell = self.cell(wanted)?;
        let mut killed = false;
        loop {
            let verb = cell.verb.lock().await;
            let life = match cell.require() {
                // `--rm` was faster.
                Err(_) if killed => return Ok(()),
                record => record?.life,
            };
            match life.phase {
                Phase::Created | Phase::Exited | Phase::Removing => {
                    return self.remove_held(&cell, options.volumes).await;
                }
                Phase::Starting | Phase::Running | Phase::Restarting if !options.force => {
                    return Err(refusal(&cell));
                }
                Phase::Restarting => cell.live(|life| {
                    life.stopped_by_user = true;
                    life.phase = Phase::Exited;
                }),
                Phase::Starting | Phase::Running => {
                    cell.live(|life| life.stopped_by_user = true);
                    let mut watch = cell.watch();
                    // Ended by itself: then that is about to be recorded.
                    self.signal(&cell, Signal::KILL).await?;
                    killed = true;
                    drop(verb);
                    see_killed(&cell, &mut watch, life.exits).await?;
                }
            }
        }
    }

    /// Removes all that do not run, or those of them that the filters leave.
    ///
    /// # Errors
    /// A filter is unknown or no time. What cannot be removed stays, and is logged.
    pub async fn prune(&self, filters: &Filters) -> Result<ContainerPruneResponse, EngineError> {
        refuse_unknown(filters, &PRUNES)?;
        let until = until(filters)?;
        let mut deleted = Vec::new();
        let mut space = 0;
        for cell in self.shared.registry.all() {
            let record = cell.record();
            let is_meant = lets_go(&record.settings.labels(), filters)
                && is_old(instant(&record.settings.created).ok(), until);
            if record.life.is_active() || !is_meant {
                continue;
            }
            let own = Arc::clone(&cell);
            let size = self
                .blocking(move |shared| Ok(shared.parts.written_bytes(&own.settings(), &own.dir)))
                .await
                .unwrap_or(0);
            let _verb = cell.verb.lock().await;
            if cell.record().removed
                || !matches!(cell.record().life.phase, Phase::Created | Phase::Exited)
            {
                continue;
            }
            match self.remove_held(&cell, false).await {
                Ok(()) => {
                    deleted.push(cell.id.to_string());
                    space += size;
                }
                Err(error) => {
                    tracing::warn!(container = %cell.id, error = error.with_causes(), "not removed");
                }
            }
        }
        let space_reclaimed = i64::try_from(space).ok();
        let events = &self.shared.events;
        events.pruned(EventMessageTypeEnum::CONTAINER, space_reclaimed);
        Ok(ContainerPruneResponse {
            containers_deleted: Some(deleted),
            space_reclaimed,
        })
    }

    /// Removes one that has ended and is not to stay; its verb is held.
    pub(super) async fn remove_ended(&self, cell: &Arc<Cell>) {
        if let Err(error) = self.remove_held(cell, true).await {
            tracing::error!(container = %cell.id, error = error.with_causes(), "not removed");
        }
    }

    async fn remove_held(&self, cell: &Arc<Cell>, volumes: bool) -> Result<(), EngineError> {
        let before = cell.record().life.phase;
        cell.live(|life| life.phase = Phase::Removing);
        let own = Arc::clone(cell);
        let removed = self
            .blocking(move |shared| shared.clear(&own, volumes))
            .await;
        if let Err(error) = removed {
            cell.live(|life| life.phase = before);
            return Err(error);
        }
        self.forget(cell);
        Ok(())
    }

    /// From here on there is no such container.
    pub(super) fn forget(&self, cell: &Arc<Cell>) {
        self.shared.registry.remove(cell);
        self.shared.execs.forget(&cell.id);
        self.shared.events.container(cell, "destroy", &[]);
        cell.bury();
    }
}

impl Shared {
    /// Leaves nothing of one that does not run. Blocks.
    pub(super) fn clear(&self, cell: &Cell, volumes: bool) -> Result<(), EngineError> {
        let record = cell.record();
        self.delete_workload(&cell.id)?;
        self.parts.release(&record.settings);
        self.parts.networks.forget(cell.id.as_str());
        if volumes {
            let others = self.other_users_of_volume(&cell.id);
            self.parts.discard(&record.settings.mounts, &others);
        }
        cell.dir.remove().map_err(EngineError::record(&cell.dir))
    }

    /// Leaves nothing of `launch`'s.
    pub(super) fn delete_workload(&self, id: &Id) -> Result<(), EngineError> {
        match Container::open(&self.workloads(), id) {
            Ok(container) => container.delete(true)?,
            Err(LaunchError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let bundle = self.bundle(id);
        match std::fs::remove_dir_all(&bundle) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(EngineError::io("remove", &bundle)(error))
            }
            _ => Ok(()),
        }
    }
}

fn refusal(cell: &Cell) -> EngineError {
    let record = cell.record();
    let (state, advice) = if record.life.paused {
        (
            "paused",
            "Unpause and then stop the container before attempting removal or force remove",
        )
    } else if record.life.phase == Phase::Restarting {
        (
            "restarting",
            "Stop the container before attempting removal or force remove",
        )
    } else {
        (
            "running",
            "Stop the container before attempting removal or force remove",
        )
    };
    EngineError::CannotRemove {
        name: record.settings.name.clone(),
        state,
        id: cell.id.clone(),
        advice,
    }
}
