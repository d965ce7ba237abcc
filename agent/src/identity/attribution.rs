//! Names, images and labels, late: asks the engines and hands over what they say.
//!
//! In: workloads to ask about, from whoever keeps them. Out: [`Update`]s on a bounded channel. Asking
//! is entering in a book and never waits, and an entry is lost only when it is forgotten; so the book
//! is behind a lock that is held for its own steps only, not behind a channel that could be full.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::book::Book;
use super::details::Details;
use super::engine::{Catalogue, Docker, Engine, Engines, Notice};
use super::workload::Identity;
use crate::config::AttributionConfig;

/// Look-ups under way at a time; those of a hung docker must not keep the others' out.
const PARALLEL: usize = 64;
const UPDATES: usize = 256;
const NOTICES: usize = 64;
/// How often podman's storage is looked at for renames: podman has no daemon that tells.
const STORAGE_CHECK: Duration = Duration::from_secs(15);

/// What an engine says of a container that was asked for, or says anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The key that was asked for ([`Identity::details_key`]): container id, or uid of a pod.
    pub container_id: String,
    /// For [`Identity::with`].
    pub details: Arc<Details>,
}

/// Asks the engines. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Attribution {
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

struct Shared {
    book: Mutex<Book>,
    /// The book has changed.
    entered: Notify,
    engines: Engines,
}

impl Attribution {
    /// Starts asking, until `stop`. Must be called on a tokio runtime. Without a receiver it ends.
    #[must_use]
    pub fn start(
        config: &AttributionConfig,
        stop: CancellationToken,
    ) -> (Self, mpsc::Receiver<Update>) {
        let shared = Arc::new(Shared {
            book: Mutex::default(),
            entered: Notify::new(),
            engines: Engines::default(),
        });
        let docker = Docker::new(config, &shared.engines);
        let catalogue = Catalogue::new(config, docker.clone(), &shared.engines);
        let (updates, receiver) = mpsc::channel(UPDATES);
        let (notices, noticed) = mpsc::channel(NOTICES);

        let tasks = TaskTracker::new();
        tasks.spawn(docker.watch(notices, stop.clone()));
        let clerk = Clerk {
            shared: Arc::clone(&shared),
            catalogue: Arc::new(catalogue),
            updates,
            look_ups: JoinSet::new(),
            storage_check: JoinSet::new(),
        };
        tasks.spawn(async move {
            let _: Option<()> = stop.run_until_cancelled(clerk.work(noticed)).await;
        });
        tasks.close();
        (Self { shared, tasks }, receiver)
    }

    /// Asks for the details of a container or pod; they come as an [`Update`], and again when they
    /// change. Never waits. Asking again, or for a workload that no engine knows of, does nothing.
    /// `false`: there are too many already; ask again when some are forgotten.
    pub fn request(&self, identity: &Identity) -> bool {
        let entered = self.shared.book().request(identity, Instant::now());
        self.shared.entered.notify_one();
        entered
    }

    /// Notes what is known of a container that this agent runs itself: its id in full.
    pub fn tell(&self, container_id: &str, details: Details) {
        self.shared.book().tell(container_id, details);
        self.shared.entered.notify_one();
    }

    /// A container that this agent ran is no more.
    pub fn untell(&self, container_id: &str) {
        self.shared.book().untell(container_id);
    }

    /// Stops asking for this key ([`Identity::details_key`]): container id, or uid of a pod.
    pub fn forget(&self, container_id: &str) {
        self.shared.book().forget(container_id);
    }

    /// Every engine looked for, and how it is. One that is merely not there is
    /// [`super::Presence::Absent`].
    #[must_use]
    pub fn engines(&self) -> Vec<Engine> {
        self.shared.engines.list()
    }

    /// Workloads asked for of which nothing is known yet.
    #[must_use]
    pub fn unknown(&self) -> usize {
        self.shared.book().unknown()
    }

    /// Requests turned away for want of room, since the start.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.shared.book().refused()
    }

    /// Waits for the end of all tasks, after the token was cancelled.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that works through the book.
struct Clerk {
    shared: Arc<Shared>,
    catalogue: Arc<Catalogue>,
    updates: mpsc::Sender<Update>,
    look_ups: JoinSet<(String, Option<Details>)>,
    /// Looks for podman's renames: one at a time, for a home may be slow to answer.
    storage_check: JoinSet<Vec<String>>,
}

impl Clerk {
    async fn work(mut self, mut notices: mpsc::Receiver<Notice>) {
        self.catalogue.look_around().await;
        let mut storage = interval(STORAGE_CHECK);
        storage.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.ask();
            let (next_due, has_news) = {
                let book = self.shared.book();
                (book.next_due(), book.has_news())
            };
            let full = self.look_ups.len() >= PARALLEL;
            tokio::select! {
                () = self.shared.entered.notified() => {}
                () = at(next_due), if !full => {}
                Some(answer) = self.look_ups.join_next() => match answer {
                    Ok((id, details)) => self.shared.book().answer(&id, details, Instant::now()),
                    Err(error) => warn!(%error, "a look-up broke off"),
                },
                permit = self.updates.reserve(), if has_news => {
                    let Ok(permit) = permit else { return };
                    if let Some((key, details)) = self.shared.book().take_news() {
                        permit.send(Update { container_id: key.to_string(), details });
                    }
                }
                Some(notice) = notices.recv() => {
                    let mut book = self.shared.book();
                    match notice {
                        Notice::Up(runtime) => book.wake_engine(runtime, Instant::now()),
                        Notice::Changed(id) => book.wake(&id, Instant::now()),
                    }
                }
                _ = storage.tick(), if self.storage_check.is_empty() => {
                    let catalogue = Arc::clone(&self.catalogue);
                    self.storage_check.spawn(async move { catalogue.renamed_by_podman().await });
                }
                Some(Ok(renamed)) = self.storage_check.join_next() => {
                    let mut book = self.shared.book();
                    for id in renamed {
                        book.wake(&id, Instant::now());
                    }
                }
            }
        }
    }

    /// Starts what is due, as far as there is room.
    fn ask(&mut self) {
        while self.look_ups.len() < PARALLEL {
            let Some(query) = self.shared.book().take_due(Instant::now()) else {
                return;
            };
            let catalogue = Arc::clone(&self.catalogue);
            self.look_ups.spawn(async move {
                let details = catalogue.look_up(&query).await;
                (query.id, details)
            });
        }
    }
}

/// Waits until then; for ever when there is no such time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
