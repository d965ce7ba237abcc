//! An engine of the test's own: directories, a parent cgroup, a root filesystem of busybox.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bollard::models::{ContainerCreateBody, ContainerInspectResponse, HostConfig};
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use plimsoll::cgroup::Layout;
use plimsoll::config::EngineConfig;
use plimsoll::engine::{
    Engine, EngineError, EngineParts, Events, ListQuery, OnMade, RemoveOptions,
};
use plimsoll::launch::Sealed;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::launch::bundle::{AGENT, has_mount_setattr, make_rootfs, mounts};
use crate::support::{installed, skip};

static MADE: AtomicU32 = AtomicU32::new(0);

/// Where engines of one test live. Nothing of theirs may be left when it is dropped.
pub(crate) struct Harbour {
    pub(crate) directory: PathBuf,
    pub(crate) parent: String,
    /// Its owner removes the directory.
    _own: Option<TempDir>,
}

/// An engine that runs.
pub(crate) struct Manned {
    pub(crate) engine: Engine,
    token: CancellationToken,
}

impl Harbour {
    /// `None`, and the test is skipped, where containers cannot be launched.
    pub(crate) fn new(test: &str) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            skip(test, "not root");
            return None;
        }
        if !installed(test, "busybox") || !has_mount_setattr(test) {
            return None;
        }
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let own = tempfile::tempdir().unwrap();
        make_rootfs(&own.path().join("rootfs"));
        Some(Self {
            directory: own.path().to_owned(),
            parent: format!("/plimsoll-test-engine-{}-{number}", std::process::id()),
            _own: Some(own),
        })
    }

    /// One that another process made.
    pub(crate) fn of(directory: &Path, parent: &str) -> Self {
        Self {
            directory: directory.to_owned(),
            parent: parent.to_owned(),
            _own: None,
        }
    }

    pub(crate) async fn man(&self) -> Manned {
        self.try_man().await.unwrap()
    }

    pub(crate) async fn try_man(&self) -> Result<Manned, EngineError> {
        self.try_man_with(Arc::new(|_, _| Ok(()))).await
    }

    /// With what is done about a container before it runs.
    pub(crate) async fn try_man_with(&self, on_made: OnMade) -> Result<Manned, EngineError> {
        let token = CancellationToken::new();
        let parts = EngineParts {
            config: EngineConfig {
                data_dir: self.directory.join("data"),
                run_dir: self.directory.join("run"),
                ..EngineConfig::default()
            },
            layout: Layout::detect().unwrap(),
            sealed: Sealed::of(Path::new(AGENT)).unwrap(),
            cgroup_parent: self.parent.clone(),
            token: token.clone(),
            events: Events::default(),
            on_made,
        };
        let engine = Engine::open(parts).await?;
        Ok(Manned { engine, token })
    }

    /// A container that runs a shell's line, without a network.
    pub(crate) fn body(&self, line: &str) -> ContainerCreateBody {
        let rootfs = self.directory.join("rootfs").display().to_string();
        let annotations = [
            ("plimsoll.rootfs".to_owned(), rootfs),
            ("plimsoll.rootfs-mode".to_owned(), "overlay".to_owned()),
        ];
        ContainerCreateBody {
            cmd: Some(["sh", "-c", line].map(str::to_owned).to_vec()),
            env: Some(vec!["PATH=/bin".to_owned()]),
            host_config: Some(HostConfig {
                annotations: Some(HashMap::from(annotations)),
                network_mode: Some("none".to_owned()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        }
    }

    /// Its directories in cgroup hierarchies.
    pub(crate) fn cgroups(&self, id: &str) -> Vec<PathBuf> {
        let below = |mount: PathBuf| mount.join(self.parent.trim_start_matches('/')).join(id);
        let directories = mounts().into_iter().map(below);
        directories.filter(|directory| directory.is_dir()).collect()
    }

    /// Everything on the host that containers of this harbour left.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let mut left = Vec::new();
        for mount in mounts() {
            let parent = mount.join(self.parent.trim_start_matches('/'));
            for entry in fs::read_dir(&parent).into_iter().flatten().flatten() {
                let is_shims = entry.file_name() == "shims";
                if !is_shims && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    left.push(entry.path().display().to_string());
                }
            }
        }
        let own = self.directory.display().to_string();
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mounted = table.lines().filter(|line| line.contains(&own));
        left.extend(mounted.map(str::to_owned));
        left.extend(self.processes());
        left
    }

    /// Living processes in its containers' cgroups, or with a root of theirs.
    pub(crate) fn processes(&self) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let path = entry.path();
            let text = |name: &str| fs::read_to_string(path.join(name)).unwrap_or_default();
            let root = fs::read_link(path.join("root")).unwrap_or_default();
            let stat = text("stat");
            let is_zombie = stat
                .rsplit_once(") ")
                .is_some_and(|(_, rest)| rest.starts_with('Z'));
            let own = format!("{}/", self.parent);
            let shims = format!("{own}shims");
            let cgroups = text("cgroup");
            let inside = cgroups
                .lines()
                .any(|line| line.contains(&own) && !line.contains(&shims));
            if !is_zombie && (inside || root.starts_with(&self.directory)) {
                found.push(format!("{} {stat}", path.display()));
            }
        }
        found
    }

    /// Shims that live.
    pub(crate) fn shims(&self) -> usize {
        let home = format!("{}/shims", self.parent.trim_start_matches('/'));
        let lists = mounts().into_iter().map(|mount| {
            let list = fs::read_to_string(mount.join(&home).join("cgroup.procs"));
            list.unwrap_or_default().lines().count()
        });
        lists.max().unwrap_or(0)
    }
}

impl Manned {
    /// Created and started; its id.
    pub(crate) async fn run(&self, body: ContainerCreateBody) -> String {
        let id = self.engine.create(None, body).await.unwrap().id;
        self.engine.start(&id).await.unwrap();
        id
    }

    pub(crate) async fn inspect(&self, id: &str) -> ContainerInspectResponse {
        self.engine.inspect(id, false).await.unwrap()
    }

    /// Docker's word for its state.
    pub(crate) async fn status(&self, id: &str) -> String {
        self.inspect(id)
            .await
            .state
            .unwrap()
            .status
            .unwrap()
            .to_string()
    }

    /// Asks until there is an answer.
    pub(crate) async fn until(
        &self,
        id: &str,
        what: &str,
        is_so: impl Fn(&ContainerInspectResponse) -> bool,
    ) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let now = self.inspect(id).await;
            if is_so(&now) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "waited in vain for {what}: {:?}",
                now.state
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The agent goes; containers do not.
    pub(crate) async fn leave(self) {
        self.token.cancel();
        self.engine.stopped().await;
    }

    /// Removes everything, and leaves.
    pub(crate) async fn clear(self) {
        let query = ListQuery {
            all: true,
            ..ListQuery::default()
        };
        for container in self.engine.list(query).await.unwrap() {
            let options = RemoveOptions {
                force: true,
                volumes: true,
            };
            // `--rm` may be faster.
            let _gone = self.engine.remove(&container.id.unwrap(), options).await;
        }
        self.leave().await;
    }
}

impl Harbour {
    /// After a test that failed: what it made goes, by force.
    fn clear_away(&self) {
        let mut directories = Vec::new();
        for mount in mounts() {
            let parent = mount.join(self.parent.trim_start_matches('/'));
            directories.extend(all_below(&parent));
        }
        // Those above come first: what is frozen there holds all below.
        for directory in &directories {
            for (file, word) in [("freezer.state", "THAWED"), ("cgroup.freeze", "0")] {
                let _not_there = fs::write(directory.join(file), word);
            }
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let mut living = directories.clone();
            living.retain(|directory| {
                let text = fs::read_to_string(directory.join("cgroup.procs"));
                let text = text.unwrap_or_default();
                for pid in text.lines().filter_map(|pid| pid.parse().ok()) {
                    let _ended = kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
                !text.is_empty()
            });
            if living.is_empty() || Instant::now() > deadline {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        for directory in directories.iter().rev() {
            let _told_below = fs::remove_dir(directory);
        }
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let targets = table.lines().filter_map(|line| line.split(' ').nth(4));
        let mut targets: Vec<_> = targets
            .filter(|target| Path::new(target).starts_with(&self.directory))
            .collect();
        targets.reverse();
        for target in targets {
            let _told_below = umount2(target, MntFlags::MNT_DETACH);
        }
        let left = self.leftovers();
        if !left.is_empty() {
            eprintln!("left behind: {left:#?}");
        }
    }
}

/// A directory and all below it, each before what is in it.
fn all_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut next = vec![directory.to_owned()];
    while let Some(directory) = next.pop() {
        let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
        let inside = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        next.extend(inside.map(|entry| entry.path()));
        found.push(directory);
    }
    found
}

impl Drop for Harbour {
    fn drop(&mut self) {
        if self._own.is_none() {
            return;
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let left = self.leftovers();
            let shims = self.shims();
            if left.is_empty() && shims == 0 {
                break;
            }
            if std::thread::panicking() {
                self.clear_away();
                break;
            }
            assert!(
                Instant::now() < deadline,
                "left behind: {shims} shims, {left:#?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        let _mounted = nix::mount::umount(&self.directory.join("run/rootfs"));
        for mount in mounts() {
            let parent = mount.join(self.parent.trim_start_matches('/'));
            let _made_by_the_shims = fs::remove_dir(parent.join("shims"));
            let _made_by_the_shims = fs::remove_dir(&parent);
        }
    }
}
