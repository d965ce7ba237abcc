//! What happens to containers, told to whoever listens, in Docker's form.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use bollard::models::{EventActor, EventMessage, EventMessageScopeEnum, EventMessageTypeEnum};
use tokio::sync::broadcast;

use super::cell::Cell;

/// One who listens and is further behind misses some, and is told so.
const KEPT: usize = 1024;

/// The engine's events.
#[derive(Clone, Debug)]
pub struct Events(broadcast::Sender<EventMessage>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::Sender::new(KEPT))
    }
}

impl Events {
    /// All that happens from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<EventMessage> {
        self.0.subscribe()
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
        // Nobody listens.
        let _ = self.0.send(message);
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
