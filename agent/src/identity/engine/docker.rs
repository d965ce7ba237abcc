//! Docker: one watcher keeps the connection, look-ups use it.
//!
//! The watcher alone decides whether docker is up. While it is not, look-ups fail at once instead of
//! each waiting for a time-out of its own; when it comes back, everything about docker is asked again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::Docker as Client;
use bollard::models::EventActor;
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::api::{self, Failure, Socket};
use super::{Engines, Presence, Query};
use crate::config::AttributionConfig;
use crate::identity::details::Details;
use crate::identity::workload::Runtime;

const ENGINE: &str = "docker";
/// Inspections at a time: a burst of containers must not become a burst of connections.
const PARALLEL: usize = 4;
const FIRST_RETRY: Duration = Duration::from_millis(200);
/// Nothing but a `stat` of the socket when docker is not there.
const LAST_RETRY: Duration = Duration::from_secs(5);

/// Containers whose events are remembered, for those that are gone before they can be inspected.
const REMEMBERED: usize = 1_024;

/// What the watcher found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::identity) enum Notice {
    /// It answers (again): ask again about everything that is its.
    Up(Runtime),
    /// This container was renamed or started.
    Changed(String),
}

/// The connection. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(in crate::identity) struct Docker(Arc<Shared>);

struct Shared {
    socket: Option<Socket>,
    engines: Engines,
    /// Present while docker is up.
    client: Mutex<Option<Client>>,
    permits: Semaphore,
    /// A look-up failed: is docker still there?
    suspicion: Notify,
    /// What events said, the oldest first.
    told: Mutex<VecDeque<(String, Details)>>,
}

impl Docker {
    pub(in crate::identity) fn new(config: &AttributionConfig, engines: &Engines) -> Self {
        Self(Arc::new(Shared {
            socket: Socket::new(&config.docker_socket, config.timeout),
            engines: engines.clone(),
            client: Mutex::new(None),
            permits: Semaphore::new(PARALLEL),
            suspicion: Notify::new(),
            told: Mutex::default(),
        }))
    }

    pub(super) async fn look_up(&self, query: &Query) -> Option<Details> {
        let shared = &self.0;
        let socket = shared.socket.as_ref()?;
        // The semaphore is never closed.
        let _permit = shared.permits.acquire().await.ok()?;
        let client = self.client()?;
        match socket.inspect(&client, &query.id).await {
            Ok(Some(container)) => Some(api::details(Runtime::Docker, container)),
            Ok(None) => self.told(&query.id),
            Err(error) => {
                debug!(container = query.id, %error, "docker did not answer");
                shared.suspicion.notify_one();
                None
            }
        }
    }

    /// Keeps the connection until `stop`. Returns at once when docker is switched off.
    pub(in crate::identity) async fn watch(
        self,
        notices: mpsc::Sender<Notice>,
        stop: CancellationToken,
    ) {
        let Some(socket) = self.0.socket.clone() else {
            return;
        };
        let mut retry = FIRST_RETRY;
        let work = async {
            loop {
                // Events from here on are not missed: docker keeps the latest for late listeners.
                let since = SystemTime::now();
                let presence = match socket.connect().await {
                    Ok(client) => {
                        retry = FIRST_RETRY;
                        self.connected(&socket, client, since, &notices).await
                    }
                    Err(Failure::Absent) => Presence::Absent,
                    Err(failure) => Presence::Down(failure.to_string()),
                };
                self.0.engines.set(ENGINE, presence);
                sleep(retry).await;
                retry = (retry * 2).min(LAST_RETRY);
            }
        };
        let _: Option<()> = stop.run_until_cancelled(work).await;
    }

    /// Follows the events of a live connection until it breaks, and says how.
    async fn connected(
        &self,
        socket: &Socket,
        client: Client,
        since: SystemTime,
        notices: &mpsc::Sender<Notice>,
    ) -> Presence {
        self.0.engines.set(ENGINE, Presence::Up);
        self.set_client(Some(client.clone()));
        let ended = self.follow(socket, &client, since, notices).await;
        self.set_client(None);
        match ended {
            Failure::Absent => Presence::Absent,
            failure => Presence::Down(failure.to_string()),
        }
    }

    async fn follow(
        &self,
        socket: &Socket,
        client: &Client,
        since: SystemTime,
        notices: &mpsc::Sender<Notice>,
    ) -> Failure {
        let seconds = since.duration_since(UNIX_EPOCH).unwrap_or_default();
        let filters = HashMap::from([
            ("type".to_owned(), vec!["container".to_owned()]),
            (
                "event".to_owned(),
                ["create", "rename", "start"].map(str::to_owned).into(),
            ),
        ]);
        let options = EventsOptionsBuilder::new()
            .since(&seconds.as_secs().to_string())
            .filters(&filters)
            .build();
        let mut events = Box::pin(client.events(Some(options)));
        if notices.send(Notice::Up(Runtime::Docker)).await.is_err() {
            return Failure::Absent;
        }
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = self.0.suspicion.notified() => {
                    match timeout(socket.timeout, client.version()).await {
                        Ok(Ok(_version)) => continue,
                        Ok(Err(error)) => return api::failure(&error),
                        Err(_elapsed) => return Failure::Slow(socket.timeout),
                    }
                }
            };
            let id = match event {
                Some(Ok(event)) => event.actor.and_then(|actor| self.remember(actor)),
                Some(Err(error)) => return api::failure(&error),
                None => return Failure::Failed("connection closed".to_owned()),
            };
            if let Some(id) = id
                && notices.send(Notice::Changed(id)).await.is_err()
            {
                return Failure::Absent;
            }
        }
    }

    /// Keeps what an event says of its container, and gives its id.
    fn remember(&self, actor: EventActor) -> Option<String> {
        let id = actor.id?;
        let details = api::told(Runtime::Docker, actor.attributes.unwrap_or_default());
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|(known, _)| *known != id);
        if told.len() == REMEMBERED {
            told.pop_front();
        }
        told.push_back((id.clone(), details));
        Some(id)
    }

    fn told(&self, id: &str) -> Option<Details> {
        let told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        let known = told.iter().find(|(known, _)| known == id);
        known.map(|(_, details)| details.clone())
    }

    fn client(&self) -> Option<Client> {
        self.lock().clone()
    }

    fn set_client(&self, client: Option<Client>) {
        *self.lock() = client;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Client>> {
        self.0.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
