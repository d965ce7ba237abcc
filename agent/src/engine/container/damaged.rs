//! A container whose `config.json` is not understood: shown and removable, and left as it is otherwise.
//!
//! Settings of it stand in for those that are lost. They are never written: whoever has a copy of the file can put it
//! back.

use std::collections::HashMap;
use std::io;
use std::time::SystemTime;

use bollard::models::{ContainerCreateBody, HostConfig};

use super::handle::Shared;
use super::model::{ContainerDir, LogOptions, Settings};
use super::name::SHORT;
use super::{EngineError, ErrorKind};
use crate::launch::Id;

/// The annotation that says why.
const DAMAGED: &str = "plimsoll.damaged";

impl Shared {
    /// What stands in for the settings of a damaged record.
    pub(super) fn stand_in(&self, dir: &ContainerDir, id: &Id, error: &io::Error) -> Settings {
        let short = id.as_str().get(..SHORT).unwrap_or(id.as_str());
        let made = dir.path().metadata();
        let made = made.and_then(|directory| directory.created().or_else(|_| directory.modified()));
        let made = made.unwrap_or(SystemTime::UNIX_EPOCH);
        let file = dir.path().join("config.json");
        let why = format!("{}: {error}", file.display());
        Settings {
            id: id.clone(),
            name: format!("damaged_{short}"),
            created: humantime::format_rfc3339_nanos(made).to_string(),
            body: ContainerCreateBody {
                host_config: Some(HostConfig {
                    // Only of such a one the state is there.
                    auto_remove: Some(dir.bundle().join("state.json").exists()),
                    annotations: Some(HashMap::from([(DAMAGED.to_owned(), why)])),
                    ..HostConfig::default()
                }),
                ..ContainerCreateBody::default()
            },
            image: None,
            cgroup: format!("{}/{id}", self.parent.path),
            mounts: Vec::new(),
            log: LogOptions::default(),
        }
    }
}

/// Nobody knows its image and volumes: it may have any.
pub(super) fn is_damaged(settings: &Settings) -> bool {
    why(settings).is_some()
}

fn why(settings: &Settings) -> Option<&String> {
    let annotations = settings.host()?.annotations.as_ref()?;
    annotations.get(DAMAGED)
}

/// Refuses what needs the settings that are lost.
pub(super) fn require_whole(settings: &Settings) -> Result<(), EngineError> {
    let Some(why) = why(settings) else {
        return Ok(());
    };
    let id = &settings.id;
    let text = format!(
        "the record of container {id} is damaged ({why}): put the file back and restart the agent, or remove the \
         container with `rm -f {id}`"
    );
    let kind = ErrorKind::Conflict;
    Err(EngineError::Part { kind, text })
}
