//! What was asked, what is known, what is to be asked when. Pure: time comes in as an argument.
//!
//! Bounded by [`MAX_SUBJECTS`]; every container has at most one look-up under way and at most one
//! update waiting, so nothing else here can grow.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::details::Details;
use super::engine::Query;
use super::workload::{Identity, Kind, Runtime};

/// Containers and pods known at a time.
const MAX_SUBJECTS: usize = 16_384;
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// The book. Keys are container ids and pod uids ([`Identity::details_key`]).
#[derive(Default)]
pub(super) struct Book {
    containers: HashMap<Arc<str>, Container>,
    pods: HashMap<Arc<str>, Pod>,
    /// Look-ups to come, the next first.
    due: BTreeSet<(Instant, Arc<str>)>,
    /// Keys whose details have not been handed over yet.
    news: BTreeSet<Arc<str>>,
    refused: u64,
    /// Containers that this agent runs: nobody is asked about them.
    own: HashMap<Arc<str>, Own>,
}

struct Own {
    details: Arc<Details>,
    /// Somebody wants to know.
    asked: bool,
}

struct Container {
    query: Query,
    progress: Progress,
    failures: u32,
    details: Option<Arc<Details>>,
}

#[derive(Clone, Copy)]
enum Progress {
    /// Nothing to ask.
    Idle,
    Due(Instant),
    Asking {
        /// Something changed meanwhile: the answer may be old already.
        again: bool,
    },
}

#[derive(Default)]
struct Pod {
    details: Option<Arc<Details>>,
}

impl Book {
    /// Enters a workload. Entering it again changes nothing. `false`: there is no room.
    pub(super) fn request(&mut self, identity: &Identity, now: Instant) -> bool {
        let Some(key) = identity.details_key() else {
            return true;
        };
        if let Some(own) = self.own.get_mut(key) {
            if !std::mem::replace(&mut own.asked, true) {
                self.news.insert(key.into());
            }
            return true;
        }
        let query = Query::of(identity);
        if self.containers.contains_key(key)
            || self.pods.contains_key(key)
            || (query.is_none() && identity.kind != Kind::Pod)
        {
            return true;
        }
        if self.containers.len() + self.pods.len() >= MAX_SUBJECTS {
            self.refused += 1;
            return false;
        }
        let key: Arc<str> = key.into();
        match query {
            Some(query) => {
                self.due.insert((now, Arc::clone(&key)));
                let container = Container {
                    query,
                    progress: Progress::Due(now),
                    failures: 0,
                    details: None,
                };
                self.containers.insert(key, container);
            }
            None => self.enter_pod(&key),
        }
        true
    }

    /// Notes what is known of a container that this agent runs.
    pub(super) fn tell(&mut self, id: &str, details: Details) {
        let asked =
            self.containers.contains_key(id) || self.own.get(id).is_some_and(|own| own.asked);
        if self.containers.contains_key(id) {
            self.forget(id);
        }
        let key: Arc<str> = id.into();
        if asked {
            self.news.insert(Arc::clone(&key));
        }
        let details = Arc::new(details);
        self.own.insert(key, Own { details, asked });
    }

    /// A container that this agent ran is no more.
    pub(super) fn untell(&mut self, id: &str) {
        self.own.remove(id);
        self.news.remove(id);
    }

    /// Strikes a container or pod.
    pub(super) fn forget(&mut self, key: &str) {
        if let Some(own) = self.own.get_mut(key) {
            own.asked = false;
        }
        if let Some(Container {
            progress: Progress::Due(at),
            ..
        }) = self.containers.remove(key)
        {
            self.due.remove(&(at, key.into()));
        }
        self.pods.remove(key);
        self.news.remove(key);
    }

    /// When the next look-up is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|&(at, _)| at)
    }

    /// A look-up that is due, now under way.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Query> {
        if self.next_due()? > now {
            return None;
        }
        let (_, key) = self.due.pop_first()?;
        let container = self.containers.get_mut(&key)?;
        container.progress = Progress::Asking { again: false };
        Some(container.query.clone())
    }

    /// A look-up's end. `None`: nobody knows the container, or the engine is down. Details once
    /// known stay: the engine forgets a container before the kernel does.
    pub(super) fn answer(&mut self, id: &str, answer: Option<Details>, now: Instant) {
        let Some((key, container)) = self.containers.get_key_value(id) else {
            return;
        };
        let key = Arc::clone(key);
        let again = matches!(container.progress, Progress::Asking { again: true });
        let pod_uid = container.query.pod_uid.clone();
        let partial = answer.as_ref().is_some_and(|details| details.partial);
        let news = answer
            .map(|details| with_labels_of(details, container.details.as_deref()))
            .filter(|details| container.details.as_deref() != Some(details))
            .map(Arc::new);
        let found = news.is_some() || container.details.is_some();
        if let Some(details) = &news {
            self.news.insert(Arc::clone(&key));
            if let Some(uid) = pod_uid {
                self.describe_pod(&uid, details);
            }
        }
        let Some(container) = self.containers.get_mut(&key) else {
            return;
        };
        if news.is_some() {
            container.details = news;
        }
        let next = if again {
            Some(now)
        } else if found && !partial {
            None
        } else {
            let wait = FIRST_RETRY * 2_u32.saturating_pow(container.failures.min(16));
            container.failures += 1;
            Some(now + wait.min(LAST_RETRY))
        };
        container.progress = next.map_or(Progress::Idle, Progress::Due);
        if let Some(at) = next {
            self.due.insert((at, key));
        }
    }

    /// Asks again about this container, at once.
    pub(super) fn wake(&mut self, id: &str, now: Instant) {
        let Some((key, _)) = self.containers.get_key_value(id) else {
            return;
        };
        let key = Arc::clone(key);
        let Some(container) = self.containers.get_mut(&key) else {
            return;
        };
        container.failures = 0;
        match container.progress {
            Progress::Asking { .. } => container.progress = Progress::Asking { again: true },
            Progress::Due(at) => {
                self.due.remove(&(at, Arc::clone(&key)));
                container.progress = Progress::Due(now);
                self.due.insert((now, key));
            }
            Progress::Idle => {
                container.progress = Progress::Due(now);
                self.due.insert((now, key));
            }
        }
    }

    /// Asks again about everything that is or may be this engine's.
    pub(super) fn wake_engine(&mut self, runtime: Runtime, now: Instant) {
        let concerned: Vec<_> = self
            .containers
            .iter()
            .filter(|(_, container)| match &container.details {
                Some(details) => details.runtime == runtime,
                None => {
                    container.query.runtime == runtime
                        || container.query.runtime == Runtime::Kubernetes
                }
            })
            .map(|(key, _)| Arc::clone(key))
            .collect();
        for key in concerned {
            self.wake(&key, now);
        }
    }

    /// Is there something to hand over?
    pub(super) fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// The next details to hand over: always the latest of their subject.
    pub(super) fn take_news(&mut self) -> Option<(Arc<str>, Arc<Details>)> {
        while let Some(key) = self.news.pop_first() {
            let container = self.containers.get(&key).and_then(|c| c.details.as_ref());
            let pod = || self.pods.get(&key).and_then(|pod| pod.details.as_ref());
            let own = || self.own.get(&key).map(|own| &own.details);
            if let Some(details) = container.or_else(pod).or_else(own) {
                return Some((key, Arc::clone(details)));
            }
        }
        None
    }

    /// Workloads asked for that nothing is known of yet.
    pub(super) fn unknown(&self) -> usize {
        let containers = self.containers.values().filter(|c| c.details.is_none());
        let pods = self.pods.values().filter(|pod| pod.details.is_none());
        containers.count() + pods.count()
    }

    /// Requests turned away for want of room.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    fn enter_pod(&mut self, uid: &Arc<str>) {
        self.pods.insert(Arc::clone(uid), Pod::default());
        let known = self.containers.values().find_map(|container| {
            let same = container.query.pod_uid.as_deref() == Some(&**uid);
            container.details.clone().filter(|_| same)
        });
        if let Some(details) = known {
            self.describe_pod(uid, &details);
        }
    }

    /// A pod's name is what its containers say it is: no engine is asked about pods.
    fn describe_pod(&mut self, uid: &str, of_container: &Details) {
        let Some((key, pod)) = self.pods.get_key_value(uid) else {
            return;
        };
        if of_container.pod.is_none() || pod.details.is_some() {
            return;
        }
        let key = Arc::clone(key);
        let details = Details {
            runtime: of_container.runtime,
            pod: of_container.pod.clone(),
            namespace: of_container.namespace.clone(),
            ..Details::default()
        };
        let details = Some(Arc::new(details));
        self.pods.insert(Arc::clone(&key), Pod { details });
        self.news.insert(key);
    }
}

/// What only the part of an engine knows that did not answer this time.
fn with_labels_of(mut details: Details, known: Option<&Details>) -> Details {
    if let (true, Some(known)) = (details.partial, known) {
        details.labels.clone_from(&known.labels);
    }
    details
}

#[cfg(test)]
mod tests;
