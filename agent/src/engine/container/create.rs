//! Creating a container: everything is checked now, so that a start fails only for what happens then.

use std::sync::Arc;

use bollard::models::{ContainerCreateBody, ContainerCreateResponse, HostConfig};

use super::EngineError;
use super::cell::Cell;
use super::handle::{Engine, Shared};
use super::model::{Life, LogOptions, Settings};
use super::name::{self, new_id};
use crate::launch::Id;

/// What carries containers out is part of the agent; `info` and `inspect` call it so.
const RUNTIME: &str = "plimsoll";

impl Engine {
    /// Records a container that can be started.
    ///
    /// # Errors
    /// Its name is taken, its image is not here, or what is asked for cannot be had.
    pub async fn create(
        &self,
        wanted: Option<String>,
        body: ContainerCreateBody,
    ) -> Result<ContainerCreateResponse, EngineError> {
        let (cell, warnings) = self
            .blocking(move |shared| shared.create(wanted.as_deref(), body))
            .await?;
        self.shared.events.container(&cell, "create", &[]);
        Ok(ContainerCreateResponse {
            id: cell.id.to_string(),
            warnings,
        })
    }
}

impl Shared {
    fn create(
        &self,
        wanted: Option<&str>,
        mut body: ContainerCreateBody,
    ) -> Result<(Arc<Cell>, Vec<String>), EngineError> {
        one_runtime(body.host_config.as_ref())?;
        let id = new_id()?;
        let log = LogOptions::of(body.host_config.as_ref(), &self.config)?;
        let name = self.registry.reserve(wanted, &id)?;
        let claim = self.claims.begin(&id);
        let completed = self.parts.complete(self, &claim, &mut body);
        let completed = completed.inspect_err(|_| self.registry.release(&name))?;
        let cgroup = self.cgroup_of(&id, body.host_config.as_ref());
        let settings = Settings {
            id,
            name,
            created: name::now(),
            body,
            image: completed.image,
            cgroup,
            mounts: completed.mounts,
            log,
        };
        let added = self.record(settings.clone());
        if added.is_err() {
            self.registry.release(&settings.name);
            let others = self.other_users_of_volume(&settings.id);
            self.parts.discard(&settings.mounts, &others);
        }
        added.map(|cell| (cell, completed.warnings))
    }

    fn record(&self, settings: Settings) -> Result<Arc<Cell>, EngineError> {
        let dir = self.dir(&settings.id);
        dir.make(&settings).map_err(EngineError::record(&dir))?;
        let filled = self.parts.fill(&settings, &dir);
        filled.inspect_err(|_| {
            let undone = self.delete_workload(&settings.id);
            let undone = undone.and_then(|()| dir.remove().map_err(EngineError::record(&dir)));
            if let Err(error) = undone {
                let error = error.with_causes();
                tracing::warn!(container = %settings.id, error, "left over until the next start");
            }
        })?;
        let cell = Arc::new(Cell::new(dir, settings, Life::default()));
        self.registry.add(Arc::clone(&cell));
        Ok(cell)
    }

    fn cgroup_of(&self, id: &Id, host: Option<&HostConfig>) -> String {
        let asked = host.and_then(|host| host.cgroup_parent.as_deref());
        let parent = asked.filter(|path| !path.is_empty());
        let parent = parent.unwrap_or(&self.parent.path);
        format!("/{}/{id}", parent.trim_matches('/'))
    }
}

fn one_runtime(host: Option<&HostConfig>) -> Result<(), EngineError> {
    let asked = host.and_then(|host| host.runtime.as_deref());
    match asked.filter(|name| !["", RUNTIME].contains(name)) {
        Some(name) => Err(EngineError::Invalid(format!(
            "unknown or invalid runtime name: {name}; there is only {RUNTIME}"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_runtime_is_refused_by_name() {
        let host = |runtime: &str| HostConfig {
            runtime: Some(runtime.to_owned()),
            ..HostConfig::default()
        };
        one_runtime(None).unwrap();
        one_runtime(Some(&host(""))).unwrap();
        one_runtime(Some(&host(RUNTIME))).unwrap();
        let refused = one_runtime(Some(&host("crun"))).unwrap_err().to_string();
        assert!(refused.contains("runtime name: crun"), "{refused}");
    }
}
