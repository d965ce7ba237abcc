//! What `ps` shows.

use std::time::{SystemTime, UNIX_EPOCH};

use bollard::models::{
    ContainerSummary, ContainerSummaryHealth, ContainerSummaryHealthStatusEnum,
    ContainerSummaryHostConfig, ContainerSummaryNetworkSettings, Health, HealthStatusEnum,
};

use super::EngineError;
use super::cell::Cell;
use super::filter::{Filters, Surroundings, Wanted};
use super::handle::{Engine, Shared};
use super::model::Settings;
use super::name::instant;
use super::registry::Registry;
use super::status;

/// Which containers are listed.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Those too that do not run.
    pub all: bool,
    /// So many at most, the youngest; those too that do not run.
    pub limit: Option<usize>,
    /// With sizes, which takes time.
    pub size: bool,
    pub filters: Filters,
}

impl Engine {
    /// Lists containers, the youngest first.
    ///
    /// # Errors
    /// A filter is unknown, or names a container that is.
    pub async fn list(&self, query: ListQuery) -> Result<Vec<ContainerSummary>, EngineError> {
        self.blocking(move |shared| shared.list(&query)).await
    }
}

impl Shared {
    fn list(&self, query: &ListQuery) -> Result<Vec<ContainerSummary>, EngineError> {
        let everything = query.all
            || query.limit.is_some()
            || ["status", "exited", "before", "since"]
                .iter()
                .any(|name| query.filters.contains_key(*name));
        let wanted = Wanted::of(&query.filters, self)?;
        let mut found = Vec::new();
        for cell in self.registry.all() {
            let record = cell.record();
            if (everything || record.life.is_active()) && wanted.lists(&record) {
                found.push((record.settings.created.clone(), cell));
            }
        }
        found.sort_by(|(a, _), (b, _)| b.cmp(a));
        let cells = found.into_iter().map(|(_, cell)| cell);
        let cells = cells.take(query.limit.unwrap_or(usize::MAX));
        Ok(cells.map(|cell| self.summary(&cell, query.size)).collect())
    }

    fn summary(&self, cell: &Cell, size: bool) -> ContainerSummary {
        let record = cell.record();
        let (settings, life) = (&record.settings, &record.life);
        let body = &settings.body;
        let created = instant(&settings.created).unwrap_or(SystemTime::UNIX_EPOCH);
        let created = created.duration_since(UNIX_EPOCH).unwrap_or_default();
        let host = settings.host();
        ContainerSummary {
            id: Some(cell.id.to_string()),
            names: Some(vec![format!("/{}", settings.name)]),
            image: Some(settings.image_name()),
            image_id: settings.image.clone(),
            image_manifest_descriptor: None,
            command: Some(shown(&self.parts.command(body))),
            created: i64::try_from(created.as_secs()).ok(),
            ports: Some(self.parts.ports(settings)),
            size_rw: size.then(|| bytes(self.parts.written_bytes(settings, &cell.dir))),
            size_root_fs: size.then(|| bytes(self.parts.all_bytes(settings, &cell.dir))),
            labels: Some(settings.labels()),
            state: Some(status::summary(life)),
            status: Some(status::sentence(life)),
            host_config: Some(ContainerSummaryHostConfig {
                network_mode: host.and_then(|host| host.network_mode.clone()),
                annotations: host.and_then(|host| host.annotations.clone()),
            }),
            network_settings: Some(ContainerSummaryNetworkSettings {
                networks: Some(self.parts.networks_of(settings)),
            }),
            mounts: Some(self.parts.mount_points(&settings.mounts)),
            health: life.health.as_ref().map(health),
        }
    }
}

impl Surroundings for Shared {
    fn registry(&self) -> &Registry {
        &self.registry
    }

    fn networks(&self, wanted: &str) -> Vec<String> {
        let all = self.parts.networks.list().into_iter();
        let found = all.filter_map(|network| {
            let id = network.id?;
            (network.name.as_deref() == Some(wanted) || id.starts_with(wanted)).then_some(id)
        });
        found.collect()
    }

    fn networks_of(&self, settings: &Settings) -> Vec<String> {
        let networks = self.parts.networks_of(settings).into_iter();
        networks
            .flat_map(|(name, endpoint)| [Some(name), endpoint.network_id])
            .flatten()
            .collect()
    }
}

fn bytes(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn health(health: &Health) -> ContainerSummaryHealth {
    let status = health.status.map(|status| match status {
        HealthStatusEnum::EMPTY | HealthStatusEnum::NONE => ContainerSummaryHealthStatusEnum::NONE,
        HealthStatusEnum::STARTING => ContainerSummaryHealthStatusEnum::STARTING,
        HealthStatusEnum::HEALTHY => ContainerSummaryHealthStatusEnum::HEALTHY,
        HealthStatusEnum::UNHEALTHY => ContainerSummaryHealthStatusEnum::UNHEALTHY,
    });
    ContainerSummaryHealth {
        status,
        failing_streak: health.failing_streak,
    }
}

/// A command's words on one line, as Docker has them.
fn shown(words: &[String]) -> String {
    let quoted = |word: &String| match word.contains(' ') {
        true => format!("'{word}'"),
        false => word.clone(),
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}
