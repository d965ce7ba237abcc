//! Verbs of volumes, with what containers need of them.

use std::collections::HashMap;

use bollard::models::{EventMessageTypeEnum, Volume, VolumeCreateRequest, VolumePruneResponse};

use super::EngineError;
use super::filter::Filters;
use super::handle::Engine;
use super::part_filter::{has_labels, lets_go, refuse_unknown, truth};

impl Engine {
    /// # Errors
    /// A filter is unknown, or they cannot be read.
    pub async fn volume_list(&self, filters: Filters) -> Result<Vec<Volume>, EngineError> {
        refuse_unknown(&filters, &["name", "label", "driver", "dangling"])?;
        self.blocking(move |shared| {
            let mut volumes = shared.parts.volumes.list()?;
            let given = |name: &str| filters.get(name).filter(|values| !values.is_empty());
            volumes.retain(|volume| {
                let named = given("name")
                    .is_none_or(|names| names.iter().any(|name| volume.name.contains(name)));
                let driven = given("driver").is_none_or(|names| names.contains(&volume.driver));
                let by_use = truth(&filters, "dangling")
                    .is_none_or(|wanted| shared.users_of_volume(&volume.name).is_empty() == wanted);
                named && driven && by_use && has_labels(&volume.labels, &filters)
            });
            Ok(volumes)
        })
        .await
    }

    /// Makes one; that which is there is that which is made.
    ///
    /// # Errors
    /// Its name or driver is refused.
    pub async fn volume_create(&self, request: VolumeCreateRequest) -> Result<Volume, EngineError> {
        self.blocking(move |shared| {
            let volume = shared.parts.volumes.create(&request)?;
            shared.events.volume("create", &volume.name);
            Ok(volume)
        })
        .await
    }

    /// # Errors
    /// There is no such volume.
    pub async fn volume_inspect(&self, name: &str) -> Result<Volume, EngineError> {
        let name = name.to_owned();
        self.blocking(move |shared| Ok(shared.parts.volumes.inspect(&name)?))
            .await
    }

    /// # Errors
    /// There is no such volume, or a container uses it.
    pub async fn volume_remove(&self, name: &str, force: bool) -> Result<(), EngineError> {
        let name = name.to_owned();
        self.blocking(move |shared| {
            let users = |name: &str| shared.users_of_volume(name);
            shared.parts.volumes.remove(&name, force, &users)?;
            shared.events.volume("destroy", &name);
            Ok(())
        })
        .await
    }

    /// Removes what no container uses: anonymous ones, with the filter `all` those with names too; of them those
    /// that `label` and `label!` leave.
    ///
    /// # Errors
    /// A filter is unknown, or one cannot be removed.
    pub async fn volume_prune(&self, filters: Filters) -> Result<VolumePruneResponse, EngineError> {
        refuse_unknown(&filters, &["all", "label", "label!"])?;
        let all = truth(&filters, "all") == Some(true);
        self.blocking(move |shared| {
            let users = |name: &str| shared.users_of_volume(name);
            let is_meant = |labels: &HashMap<String, String>| lets_go(labels, &filters);
            let pruned = shared.parts.volumes.prune(all, &is_meant, &users)?;
            for name in pruned.volumes_deleted.iter().flatten() {
                shared.events.volume("destroy", name);
            }
            let events = &shared.events;
            events.pruned(EventMessageTypeEnum::VOLUME, pruned.space_reclaimed);
            Ok(pruned)
        })
        .await
    }
}
