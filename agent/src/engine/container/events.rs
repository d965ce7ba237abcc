//! What happens to containers, told to whoever listens, in Docker's form.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use bollard::models::{EventActor, EventMessage, EventMessageScopeEnum, EventMessageTypeEnum};
use tokio::sync::broadcast;

use super::cell::{Cell, held};
use crate::launch::Id;

/// One who listens and is further behind misses some, and is told so.
const KEPT: usize = 1024;

/// The engine's events.
#[derive(Clone, Debug)]
pub struct Events {
    live: broadcast::Sender<EventMessage>,
    /// The last ones.
    past: Arc<Mutex<VecDeque<EventMessage>>>,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            live: broadcast::Sender::new(KEPT),
            past: Arc::default(),
        }
    }
}

impl Events {
    /// All that happens from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<EventMessage> {
        self.live.subscribe()
    }

    /// What is remembered of what happened since then.
    #[must_use]
    pub fn since(&self, since: SystemTime) -> Vec<EventMessage> {
        let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
        let past = held(&self.past);
        let later = past.iter().filter(|event| event.time_nano >= Some(since));
        later.cloned().collect()
    }

    /// Tells one; without listeners it is forgotten.
    pub fn tell(
        &self,
        kind: EventMessageTypeEnum,
        action: &str,
        id: &str,
        attributes: HashMap<String, String>,
    ) {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let message = EventMessage {
            typ: Some(kind),
            action: Some(action.to_owned()),
            actor: Some(EventActor {
                id: Some(id.to_owned()),
                attributes: Some(attributes),
            }),
            scope: Some(EventMessageScopeEnum::LOCAL),
            time: i64::try_from(since.as_secs()).ok(),
            time_nano: i64::try_from(since.as_nanos()).ok(),
        };
        let mut past = held(&self.past);
        if past.len() >= KEPT {
            past.pop_front();
        }
        past.push_back(message.clone());
        // Nobody listens. Sent under the lock: in the order that they are remembered.
        let _ = self.live.send(message);
    }

    /// How many listen.
    #[must_use]
    pub fn listeners(&self) -> usize {
        self.live.receiver_count()
    }

    /// What nobody needed was removed, so many bytes.
    pub(super) fn pruned(&self, kind: EventMessageTypeEnum, reclaimed: Option<i64>) {
        let reclaimed = reclaimed.unwrap_or(0).to_string();
        let attributes = HashMap::from([("reclaimed".to_owned(), reclaimed)]);
        self.tell(kind, "prune", "", attributes);
    }

    /// A volume was made, or is no more.
    pub(super) fn volume(&self, action: &str, name: &str) {
        let attributes = HashMap::from([("driver".to_owned(), "local".to_owned())]);
        self.tell(EventMessageTypeEnum::VOLUME, action, name, attributes);
    }

    /// A container's volumes came to be mounted, or are no more.
    pub(super) fn volumes(&self, cell: &Cell, action: &str) {
        for bound in &cell.settings().mounts {
            let Some(name) = &bound.name else { continue };
            let mut attributes = HashMap::from([
                ("driver".to_owned(), "local".to_owned()),
                ("container".to_owned(), cell.id.to_string()),
            ]);
            if action == "mount" {
                attributes.extend(bound.described());
            }
            self.tell(EventMessageTypeEnum::VOLUME, action, name, attributes);
        }
    }

    /// A command joins a container: a client's, or a check of its health.
    pub(super) fn exec(&self, cell: &Cell, action: &str, command: &[String], id: &str) {
        let action = format!("{action}: {}", command.join(" "));
        self.container(cell, &action, &[("execID", id.to_owned())]);
    }

    /// Such a command has ended.
    pub(super) fn exec_die(&self, cell: &Cell, code: i64, id: &Id) {
        let attributes = [("exitCode", code.to_string()), ("execID", id.to_string())];
        self.container(cell, "exec_die", &attributes);
    }

    /// Something happened to a container.
    pub(super) fn container(&self, cell: &Cell, action: &str, more: &[(&str, String)]) {
        let settings = cell.settings();
        let mut attributes = settings.labels();
        attributes.insert("name".to_owned(), settings.name.clone());
        attributes.insert("image".to_owned(), settings.image_name());
        for (key, value) in more {
            attributes.insert((*key).to_owned(), value.clone());
        }
        self.tell(
            EventMessageTypeEnum::CONTAINER,
            action,
            cell.id.as_str(),
            attributes,
        );
    }
}
