//! Lines of `plimsoll ps` for containers of other engines, from what the agent sees.

use std::time::SystemTime;

use regex::Regex;
use serde_json::Value;

use super::client::Engine;
use super::filters::Filter;
use super::human;
use super::listing::Row;
use crate::api::{
    ClientError, Identity, Life, Runtime, Workload, WorkloadQuery, display_name, short_id,
};

/// A container of another engine.
#[derive(Debug)]
pub(super) struct Other {
    pub(super) container_id: String,
    identity: Identity,
    life: Life,
    created: SystemTime,
    taken: SystemTime,
}

/// Those that match; none when a filter speaks of what only an engine knows of its own.
pub(super) async fn fetch(engine: &Engine, filters: &[Filter]) -> Result<Vec<Other>, ClientError> {
    let term = "kind=container".parse();
    let query = WorkloadQuery {
        // Of those that ended their engines know more than their cgroups told.
        all: false,
        filter: term.into_iter().collect(),
    };
    let list = engine.agent.workloads(&query).await?;
    let others = list.workloads.iter().filter_map(|workload| {
        let workload: &Workload = workload;
        let identity = Identity::clone(&workload.identity);
        if identity.runtime == Runtime::Plimsoll {
            return None;
        }
        Some(Other {
            container_id: identity.container_id.clone()?,
            identity,
            life: workload.life,
            created: workload.created,
            taken: list.taken,
        })
    });
    Ok(others
        .filter(|other| filters.iter().all(|filter| other.matches(filter)))
        .collect())
}

impl Other {
    fn matches(&self, filter: &Filter) -> bool {
        let value = filter.value.as_str();
        match filter.name.as_str() {
            "id" => self.container_id.starts_with(value),
            "name" => Regex::new(value).is_ok_and(|regex| {
                let name = display_name(&self.identity);
                regex.is_match(&name) || regex.is_match(&format!("/{name}"))
            }),
            "ancestor" => self.identity.image.as_deref() == Some(value),
            "status" => self.state() == value,
            "label" => {
                let (name, wanted) = value
                    .split_once('=')
                    .map_or((value, None), |(n, v)| (n, Some(v)));
                let label = self.identity.labels.get(name);
                label.is_some_and(|label| wanted.is_none_or(|wanted| label == wanted))
            }
            _ => false,
        }
    }

    fn state(&self) -> &'static str {
        match self.life {
            Life::Alive => "running",
            Life::Frozen => "paused",
            Life::Dead { .. } => "exited",
        }
    }

    fn status(&self) -> String {
        let since = |from| {
            let age = self.taken.duration_since(from).unwrap_or_default();
            human::duration(age)
        };
        match self.life {
            Life::Alive => format!("Up {}", since(self.created)),
            Life::Frozen => format!("Up {} (Paused)", since(self.created)),
            // While it was asked.
            Life::Dead { since: end } => format!("Exited {} ago", since(end)),
        }
    }

    pub(super) fn row(&self, short: bool) -> Row {
        let id = if short {
            short_id(&self.identity)
        } else {
            None
        };
        let age = self
            .created
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let created = i64::try_from(age.as_secs()).unwrap_or_default();
        let fields = [
            ("ID", id.unwrap_or(&self.container_id).to_owned()),
            ("Image", self.identity.image.clone().unwrap_or_default()),
            ("Command", String::new()),
            ("CreatedAt", human::date(created)),
            ("RunningFor", human::ago(created)),
            ("Ports", String::new()),
            ("State", self.state().to_owned()),
            ("Status", self.status()),
            ("Size", String::new()),
            ("Names", display_name(&self.identity)),
            ("Labels", human::labels(&self.identity.labels)),
            ("Mounts", String::new()),
            ("LocalVolumes", String::new()),
            ("Networks", String::new()),
            ("Engine", Runtime::name(self.identity.runtime).to_owned()),
        ];
        let pairs = fields
            .into_iter()
            .map(|(name, text)| (name.to_owned(), Value::String(text)));
        pairs.collect()
    }
}
