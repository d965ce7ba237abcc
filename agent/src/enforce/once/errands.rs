//! The thread that runs errands.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

use super::errand::{Ending, Errand, Finished};
use super::kill::{self, Ladder};
use super::lane::Lane;
use super::notify::{self, Notification};
use super::{reclaim, restart};
use crate::config::Config;
use crate::enforce::audit::Audit;
use crate::policy::Once;

/// Of each kind at once.
const NOTIFICATIONS: usize = 4;
const RECLAIMS: usize = 4;
/// A grace takes nothing but a place.
const KILLS: usize = 64;
const RESTARTS: usize = 4;
/// Threads for what blocks: names that are looked up, above all.
const BLOCKING: usize = 32;
/// At the end, whether all is done.
const LOOK: Duration = Duration::from_millis(5);

/// Where the others listen that errands go to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The agent's own, for what it runs itself.
    pub own_socket: PathBuf,
    /// API sockets; empty: off.
    pub docker_socket: PathBuf,
    pub podman_socket: PathBuf,
    /// D-Bus address of the bus with systemd on it; `None`: the system's.
    pub system_bus: Option<String>,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            own_socket: config.agent.socket.clone(),
            docker_socket: config.attribution.docker_socket.clone(),
            podman_socket: config.attribution.podman_socket.clone(),
            system_bus: None,
        }
    }
}

/// How the errands of one kind go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// `notifications`, `reclaims`, `kills` or `restarts`.
    pub kind: &'static str,
    /// At work or waiting for their turn.
    pub under_way: usize,
    /// Those for whom there was no room, since the start.
    pub turned_away: u64,
}

/// Runs errands. Dropping it ends what is under way.
pub struct Errands {
    handle: Handle,
    shared: Arc<Shared>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Shared {
    fn lanes(&self) -> [&Lane; 4] {
        [
            &self.notifications,
            &self.reclaims,
            &self.kills,
            &self.restarts,
        ]
    }
}

struct Shared {
    settings: Settings,
    audit: Audit,
    notifications: Lane,
    reclaims: Lane,
    kills: Lane,
    restarts: Lane,
    finished: Box<dyn Fn(Finished) + Send + Sync>,
}

impl Errands {
    /// Starts the thread. `finished` is called from it, once for every errand that [`Errands::run`]
    /// took; it must not wait. `audit` tells notifications what was done before.
    ///
    /// # Errors
    /// The thread, or what it waits with, cannot be made.
    pub fn start(
        settings: Settings,
        audit: Audit,
        finished: impl Fn(Finished) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .thread_name("once-work")
            .max_blocking_threads(BLOCKING)
            .build()?;
        let handle = runtime.handle().clone();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("once".into())
            .spawn(move || {
                runtime.block_on(stopped.cancelled());
                // Futures are dropped, and say so. What blocks ends by its own deadline.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            handle,
            shared: Arc::new(Shared {
                settings,
                audit,
                notifications: Lane::new("notifications", NOTIFICATIONS),
                reclaims: Lane::new("reclaims", RECLAIMS),
                kills: Lane::new("kills", KILLS),
                restarts: Lane::new("restarts", RESTARTS),
                finished: Box::new(finished),
            }),
            stop,
            thread: Some(thread),
        })
    }

    /// Starts one. Never waits.
    ///
    /// # Errors
    /// It was not taken, and why; `finished` is not called for it.
    pub fn run(&self, errand: Errand) -> Result<(), Finished> {
        let shared = Arc::clone(&self.shared);
        let id = errand.id;
        match &errand.once {
            Once::Notify { .. } => self.spawn(&self.shared.notifications, id, async move {
                let told = Notification::of(&errand, &shared.audit);
                notify::notify(&errand, &told).await
            }),
            Once::Reclaim { bytes } => {
                let work = reclaim::reclaim(errand.control, *bytes);
                self.spawn(&self.shared.reclaims, id, work)
            }
            Once::Kill {
                scope,
                signal,
                grace,
                escalate,
            } => {
                let ladder = Ladder {
                    signal: *signal,
                    grace: *grace,
                    escalate: *escalate,
                };
                let work = kill::kill(errand.control, *scope, ladder);
                self.spawn(&self.shared.kills, id, work)
            }
            Once::Restart => self.spawn(&self.shared.restarts, id, async move {
                restart::restart(&errand.identity, &shared.settings).await
            }),
        }
    }

    /// How it goes, kind by kind.
    #[must_use]
    pub fn status(&self) -> [Status; 4] {
        self.shared.lanes().map(Lane::status)
    }

    /// Gives what is under way some time to end, then breaks it off: that is a failure, and said.
    pub fn stop(mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let busy = |shared: &Shared| {
            shared
                .lanes()
                .iter()
                .any(|lane| lane.status().under_way > 0)
        };
        while busy(&self.shared) && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
        self.end();
    }

    fn spawn(
        &self,
        lane: &Lane,
        id: u64,
        work: impl Future<Output = Ending> + Send + 'static,
    ) -> Result<(), Finished> {
        let place = lane
            .enter()
            .map_err(|reason| Finished::now(id, Ending::failed(reason)))?;
        let mut report = Report::new(id, Arc::clone(&self.shared));
        self.handle.spawn(async move {
            let turn = place.turn().await;
            let ending = work.await;
            // There is room again before anybody hears of the end.
            drop((turn, place));
            report.send(ending);
        });
        Ok(())
    }

    fn end(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // It only waits and drops; a panic in it was reported by the panic itself.
            let _ = thread.join();
        }
    }
}

impl Drop for Errands {
    fn drop(&mut self) {
        self.end();
    }
}

/// Sees to it that every errand finishes, also one that is broken off.
struct Report {
    id: u64,
    shared: Arc<Shared>,
    sent: bool,
}

impl Report {
    fn new(id: u64, shared: Arc<Shared>) -> Self {
        Self {
            id,
            shared,
            sent: false,
        }
    }

    fn send(&mut self, ending: Ending) {
        self.sent = true;
        (self.shared.finished)(Finished::now(self.id, ending));
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if !self.sent {
            self.send(Ending::failed("broken off before its end"));
        }
    }
}
