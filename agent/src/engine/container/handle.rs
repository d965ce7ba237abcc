//! The engine's handle, and what its verbs share.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::EngineError;
use super::cell::Cell;
use super::claims::Claims;
use super::events::Events;
use super::exec::Execs;
use super::model::ContainerDir;
use super::parent::Parent;
use super::parts::Parts;
use super::registry::Registry;
use super::spares::Spares;
use super::tally::Counters;
use crate::cgroup::Layout;
use crate::config::EngineConfig;
use crate::engine::image::{ImageId, Store, User};
use crate::engine::network::Networks;
use crate::engine::volume::Volumes;
use crate::launch::shim::Made;
use crate::launch::{Id, Sealed};

const CONTAINERS: &str = "containers";
const WORKLOADS: &str = "workloads";
const BUNDLES: &str = "bundles";
const LOCK: &str = "lock";
/// How long the lock is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
const WAIT: Duration = Duration::from_millis(5);

/// What an engine is made of.
pub struct EngineParts {
    pub config: EngineConfig,
    /// The host's hierarchies.
    pub layout: Layout,
    /// What shims are executed from.
    pub sealed: Sealed,
    /// Parent of the cgroups of containers that have no `--cgroup-parent`, and of the shims'.
    pub cgroup_parent: String,
    pub token: CancellationToken,
    pub events: Events,
    /// Called when a container is made and has not begun to run: what the kernel is to know of it.
    pub on_made: OnMade,
}

/// See [`EngineParts::on_made`]. Blocks the start while it runs; an error, in words for the user, is the start's.
pub type OnMade = Arc<dyn Fn(&Workload, &Made) -> Result<(), String> + Send + Sync>;

/// A container as attribution knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    pub id: Id,
    pub name: String,
    pub image: String,
    pub labels: std::collections::HashMap<String, String>,
    /// Its cgroup, the same in every hierarchy.
    pub cgroup: String,
    /// `HostConfig.Annotations`.
    pub annotations: std::collections::HashMap<String, String>,
}

/// The engine. Clones are the same one.
#[derive(Clone)]
pub struct Engine {
    pub(super) shared: Arc<Shared>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Engine").field(&self.data_dir()).finish()
    }
}

/// What all verbs use.
pub(super) struct Shared {
    pub(super) config: EngineConfig,
    pub(super) parts: Parts,
    pub(super) registry: Registry,
    pub(super) claims: Claims,
    pub(super) execs: Execs,
    pub(super) spares: Spares,
    pub(super) events: Events,
    pub(super) counters: Counters,
    pub(super) parent: Parent,
    pub(super) on_made: OnMade,
    pub(super) token: CancellationToken,
    pub(super) tasks: TaskTracker,
    /// The root is moved instead of exchanged: the host runs from its initial ramdisk.
    pub(super) no_pivot: bool,
    /// Of one engine alone.
    _lock: File,
}

impl Shared {
    pub(super) fn new(parts: EngineParts) -> Result<Self, EngineError> {
        let EngineParts {
            config,
            layout,
            sealed,
            cgroup_parent,
            token,
            events,
            on_made,
        } = parts;
        private_dir(&config.data_dir)?;
        private_dir(&config.data_dir.join(CONTAINERS))?;
        private_dir(&config.run_dir.join(WORKLOADS))?;
        private_dir(&config.run_dir.join(BUNDLES))?;
        let lock = lock(&config.data_dir.join(LOCK))?;
        let data = config.data_dir.canonicalize();
        let data = data.map_err(EngineError::io("resolve", &config.data_dir))?;
        let parent = Parent::new(&cgroup_parent, data);
        Ok(Self {
            parts: Parts::open(&config, layout, events.clone())?,
            registry: Registry::default(),
            claims: Claims::default(),
            execs: Execs::default(),
            spares: Spares::new(sealed, parent.clone()),
            events,
            counters: Counters::default(),
            parent,
            on_made,
            token,
            tasks: TaskTracker::new(),
            no_pivot: runs_from_ramdisk(),
            config,
            _lock: lock,
        })
    }

    /// Directory of the containers' records.
    pub(super) fn containers(&self) -> PathBuf {
        self.config.data_dir.join(CONTAINERS)
    }

    /// Directory of `launch`'s states.
    pub(super) fn workloads(&self) -> PathBuf {
        self.config.run_dir.join(WORKLOADS)
    }

    pub(super) fn bundles(&self) -> PathBuf {
        self.config.run_dir.join(BUNDLES)
    }

    pub(super) fn bundle(&self, id: &Id) -> PathBuf {
        self.bundles().join(id.as_str())
    }

    pub(super) fn dir(&self, id: &Id) -> ContainerDir {
        ContainerDir::new(&self.containers(), &self.bundles(), id)
    }
}

impl Engine {
    /// The container that an id, the beginning of one, or a name means.
    ///
    /// # Errors
    /// There is none, or several.
    pub fn resolve(&self, wanted: &str) -> Result<Id, EngineError> {
        Ok(self.cell(wanted)?.id.clone())
    }

    /// Whether its output is a terminal's.
    ///
    /// # Errors
    /// There is no such container.
    pub fn has_terminal(&self, wanted: &str) -> Result<bool, EngineError> {
        Ok(self.cell(wanted)?.settings().has_terminal())
    }

    /// Where everything is kept.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.shared.config.data_dir
    }

    /// The images on this host.
    #[must_use]
    pub fn images(&self) -> Arc<Store> {
        Arc::clone(&self.shared.parts.images)
    }

    /// The volumes.
    #[must_use]
    pub fn volumes(&self) -> Arc<Volumes> {
        Arc::clone(&self.shared.parts.volumes)
    }

    /// The networks.
    #[must_use]
    pub fn networks(&self) -> Arc<Networks> {
        Arc::clone(&self.shared.parts.networks)
    }

    /// Ids of the containers that have a volume.
    #[must_use]
    pub fn users_of_volume(&self, name: &str) -> Vec<String> {
        self.shared.users_of_volume(name)
    }

    /// A container of an image; one that runs, if there is one.
    #[must_use]
    pub fn user_of_image(&self, image: &ImageId) -> Option<User> {
        self.shared.user_of_image(image)
    }

    /// Where events are told and heard.
    #[must_use]
    pub fn events(&self) -> Events {
        self.shared.events.clone()
    }

    /// Containers with processes, for attribution.
    #[must_use]
    pub fn own_workloads(&self) -> Vec<Workload> {
        let cells = self.shared.registry.all();
        let active = cells.iter().filter(|cell| cell.record().life.is_active());
        active.map(|cell| Workload::of(cell)).collect()
    }

    /// One container, for attribution.
    ///
    /// # Errors
    /// There is none.
    pub fn workload(&self, wanted: &str) -> Result<Workload, EngineError> {
        Ok(Workload::of(&*self.cell(wanted)?))
    }

    /// Whether a container has processes.
    ///
    /// # Errors
    /// There is none.
    pub fn runs(&self, wanted: &str) -> Result<bool, EngineError> {
        Ok(self.cell(wanted)?.record().life.runs())
    }

    /// Waits until the tasks have ended that the cancelled token told to. Containers go on; without any, the
    /// host is left without mounts.
    pub async fn stopped(&self) {
        self.shared.spares.clear();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        let given_back = self.blocking(|shared| shared.parts.give_back_mounts());
        if let Err(error) = given_back.await {
            tracing::warn!(error = error.with_causes(), "a mount is left over");
        }
    }

    pub(super) fn cell(&self, wanted: &str) -> Result<Arc<Cell>, EngineError> {
        self.shared.registry.resolve(wanted)
    }

    /// Does what blocks where it may.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        let shared = Arc::clone(&self.shared);
        match tokio::task::spawn_blocking(move || work(&shared)).await {
            Ok(done) => done,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(EngineError::ShuttingDown),
        }
    }
}

impl Engine {
    /// Does what goes at a client's pace on a thread of its own: the threads of [`Self::blocking`] are few, and no
    /// verb goes without one.
    pub(super) async fn at_clients_pace<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        let shared = Arc::clone(&self.shared);
        let (sender, done) = oneshot::channel();
        let thread = std::thread::Builder::new().name("transfer".into());
        let started = thread.spawn(move || {
            // Nobody waits for it any more.
            let _ = sender.send(work(&shared));
        });
        started.map_err(|error| EngineError::Runtime(format!("no thread can be made: {error}")))?;
        let lost = |_| EngineError::Runtime("the transfer broke off".to_owned());
        done.await.map_err(lost)?
    }
}

impl Workload {
    pub(super) fn of(cell: &Cell) -> Self {
        let settings = cell.settings();
        let annotations = settings.host().and_then(|host| host.annotations.clone());
        Self {
            id: cell.id.clone(),
            name: settings.name.clone(),
            image: settings.image_name(),
            labels: settings.labels(),
            cgroup: settings.cgroup.clone(),
            annotations: annotations.unwrap_or_default(),
        }
    }
}

fn private_dir(path: &Path) -> Result<(), EngineError> {
    let mut builder = fs::DirBuilder::new();
    let made = builder.recursive(true).mode(0o711).create(path);
    made.map_err(EngineError::io("make", path))
}

/// Two engines on one directory would each take the other's containers for leftovers. Of an agent that was
/// just killed, a process that was about to become a shim may have the lock for a moment.
fn lock(path: &Path) -> Result<File, EngineError> {
    let file = File::create(path).map_err(EngineError::io("make", path))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => {
                std::thread::sleep(WAIT);
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(EngineError::InUse(path.to_owned()));
            }
            Err(error) => return Err(EngineError::io("lock", path)(io::Error::from(error))),
        }
    }
}

/// The kernel does not exchange the root of a host that runs from its initial ramdisk
/// (fs/namespace.c `path_pivot_root()`, v6.12).
fn runs_from_ramdisk() -> bool {
    has_ramdisk(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default())
}

/// Of all mounts, the ramdisk's alone is below itself; what was bound over it has its name, too.
fn has_ramdisk(mountinfo: &str) -> bool {
    mountinfo.lines().any(|line| {
        let mut ids = line.split(' ');
        ids.next() == ids.next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_over_the_ramdisk_is_a_root() {
        assert!(has_ramdisk("1 1 0:2 / / rw - rootfs rootfs rw\n"));
        let over =
            "23 1 0:2 / / rw - rootfs rootfs rw\n24 23 0:5 / /dev rw - devtmpfs devtmpfs rw\n";
        assert!(!has_ramdisk(over));
    }
}
