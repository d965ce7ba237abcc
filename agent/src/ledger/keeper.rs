//! The one thread that owns all totals: it takes events as the kernel tells them and readings once
//! a tick, and publishes a snapshot.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::{mpsc, watch};

use super::account::AccountId;
use super::event::EventKind;
use super::event_log::EventLog;
use super::namespaces::Namespaces;
use super::network::NetworkAccount;
use super::snapshot::{Histogram, Snapshot};
use super::tree::{Inserted, Tree};
use crate::cgroup::{CgroupKey, Controller, HierarchyId, Layout, Scratch, scan};
use crate::identity::{Attribution, Update};
use crate::kernel::{Kernel, KernelEvent};

/// Longest the thread sleeps, so that a request to stop is seen.
const STOP_CHECK: Duration = Duration::from_millis(200);

/// What a keeper works with.
pub struct Parts {
    pub kernel: Kernel,
    pub layout: Layout,
    pub log: EventLog,
    pub attribution: Attribution,
    pub updates: mpsc::Receiver<Update>,
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    /// Last tick that a finished scrape showed.
    pub scraped: watch::Receiver<u64>,
    pub settings: watch::Receiver<Settings>,
}

/// What a reload may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub tick: Duration,
    pub idle_refresh: Duration,
    pub retain_dead: Duration,
    pub max_workloads: usize,
}

/// Owner of the ledger.
pub struct Keeper {
    pub(super) parts: Parts,
    pub(super) tree: Tree,
    pub(super) namespaces: Namespaces,
    pub(super) scratch: Scratch,
    pub(super) started: SystemTime,
    pub(super) tick: u64,
    pub(super) last_tick: Instant,
    /// Cgroups removed since the last tick, children first, whose last map entries are to be taken.
    pub(super) dying: Vec<Dying>,
    /// OOM kills of retired workloads by id, so that the count survives a container's absence.
    pub(super) past_oom_kills: HashMap<String, u64>,
    pub(super) oom_kills: u64,
    /// CPU of top-level workloads that are gone.
    pub(super) dead_cpu_ns: u64,
    pub(super) unattributed_cpu_ns: u64,
    pub(super) other: super::other::Other,
    pub(super) reading_time: Histogram,
    pub(super) last_reading_time: Duration,
    pub(super) cgroups_read: u64,
    pub(super) lifecycle_lost: u64,
    pub(super) process_lost: u64,
    pub(super) mounted_at: Option<Instant>,
    /// A cgroup was renamed: look where everything is now.
    pub(super) renamed: bool,
    /// Cgroups that the kernel's maps had and the tree had not, in the last tick and in this one.
    pub(super) strangers: HashSet<CgroupKey>,
    pub(super) new_strangers: HashSet<CgroupKey>,
}

/// A removed cgroup whose last kernel-map totals have not been taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dying {
    pub(super) cgroup: CgroupKey,
    pub(super) account: AccountId,
    pub(super) parent: Option<AccountId>,
}

impl Keeper {
    /// Takes over; what exists already is scanned. The probes are attached, so what is made or
    /// removed meanwhile waits in the ring.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let home_order = home_order(&parts.layout);
        let mut keeper = Self {
            tree: Tree::new(home_order),
            namespaces: Namespaces::default(),
            scratch: Scratch::default(),
            started: SystemTime::now(),
            tick: 0,
            last_tick: Instant::now(),
            dying: Vec::new(),
            past_oom_kills: HashMap::new(),
            oom_kills: 0,
            dead_cpu_ns: 0,
            unattributed_cpu_ns: 0,
            other: super::other::Other::default(),
            reading_time: super::reading_time::histogram(),
            last_reading_time: Duration::ZERO,
            cgroups_read: 0,
            lifecycle_lost: 0,
            process_lost: 0,
            mounted_at: None,
            renamed: false,
            strangers: HashSet::new(),
            new_strangers: HashSet::new(),
            parts,
        };
        keeper.rescan();
        keeper
    }

    /// Works until `stop` is set.
    pub fn run(mut self, stop: &AtomicBool) {
        let mut due = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let now = Instant::now();
            let period = self.parts.settings.borrow().tick;
            // A reload may have made it shorter.
            due = due.min(now + period);
            if now >= due {
                self.take_tick();
                // A tick that took too long is skipped, not made up for.
                due = (due + period).max(Instant::now());
            }
            if let Err(error) = self.wait(due.saturating_duration_since(Instant::now())) {
                tracing::error!(%error, "waiting for events failed");
                std::thread::sleep(STOP_CHECK);
            }
            self.drain();
        }
    }

    /// Sleeps until a ring has records, or `timeout` passed.
    fn wait(&self, timeout: Duration) -> io::Result<()> {
        let rings = &self.parts.kernel.rings;
        let mut fds = [
            PollFd::new(rings.lifecycle.as_fd(), PollFlags::POLLIN),
            PollFd::new(rings.process.as_fd(), PollFlags::POLLIN),
        ];
        let timeout = timeout.min(STOP_CHECK).as_micros().div_ceil(1_000);
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::ZERO);
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes what the rings have, in the order in which it happened.
    pub(super) fn drain(&mut self) {
        let mut events = Vec::new();
        self.parts
            .kernel
            .rings
            .lifecycle
            .drain(|event| events.push(event));
        self.parts
            .kernel
            .rings
            .process
            .drain(|event| events.push(event));
        events.sort_by_key(KernelEvent::at);
        let boot = boot_time();
        for event in events {
            self.apply(boot, event);
        }
        if std::mem::take(&mut self.renamed) {
            self.rescan();
        }
        while let Ok(update) = self.parts.updates.try_recv() {
            self.enrich(&update);
        }
    }

    /// Brings the tree in line with what the hierarchies hold now. Idempotent.
    pub(super) fn rescan(&mut self) {
        for hierarchy in self.parts.layout.clone().hierarchies() {
            let found = match scan(hierarchy) {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!(mount = %hierarchy.mount.display(), %error, "cannot scan");
                    continue;
                }
            };
            let here: HashSet<u64> = found.iter().map(|f| f.key.id).collect();
            for one in found {
                // The cgroup, or one above it, was renamed.
                if self.tree.path(one.key).is_some_and(|path| path != one.path) {
                    self.removed(one.key, SystemTime::now());
                }
                let id = self.add(one.key, &one.path, one.created);
                if let Some(account) = self.tree.get_mut(id) {
                    account.execs_at_birth = None;
                }
            }
            let gone: Vec<u64> = self
                .tree
                .cgroups_of(hierarchy.id)
                .filter(|id| !here.contains(id))
                .collect();
            for id in gone {
                self.removed(
                    CgroupKey {
                        hierarchy: hierarchy.id,
                        id,
                    },
                    SystemTime::now(),
                );
            }
        }
    }

    /// Takes a cgroup in, and asks an engine who it is.
    pub(super) fn add(&mut self, key: CgroupKey, path: &str, created: SystemTime) -> AccountId {
        let inserted = self.tree.insert(key, path, created);
        let id = inserted.account();
        if let Inserted::Revived(_) = inserted {
            self.start_anew(id);
        }
        if let Inserted::New(_) | Inserted::Revived(_) = inserted {
            let fold = self.tree.unfolded() > self.parts.settings.borrow().max_workloads;
            self.tree.set_folded(id, fold);
            let execs_are_told = self.parts.kernel.is_attached("sched_process_exec");
            if let Some(account) = self.tree.get_mut(id) {
                account.execs_at_birth = Some(account.execs).filter(|_| execs_are_told);
                if let Some(kills) = self.past_oom_kills.remove(account.id.as_ref()) {
                    account.oom_kills = kills;
                }
                account.asked = self.parts.attribution.request(&account.identity);
            }
        }
        id
    }

    /// What a workload's former cgroup had from its children is its parent's now. Its own last totals
    /// follow in the next tick.
    fn start_anew(&mut self, id: AccountId) {
        let Some(account) = self.tree.get_mut(id) else {
            return;
        };
        let switches = account.switches.start_anew();
        let traffic = account.network.traffic.start_anew();
        let io = account.io.start_anew();
        account.network = NetworkAccount::default();
        if std::mem::take(&mut account.buried) {
            return;
        }
        if let Some(parent) = self.tree.parent(id).and_then(|id| self.tree.get_mut(id)) {
            parent.switches.inherit(&switches);
            parent.network.traffic.inherit(&traffic);
            parent.io.inherit(&io);
        }
    }

    /// A cgroup is gone: its last totals are taken in the next tick.
    pub(super) fn removed(&mut self, key: CgroupKey, at: SystemTime) {
        let Some(account) = self.tree.by_cgroup(key) else {
            return;
        };
        let parent = self.tree.parent(account);
        if self.tree.remove(key, at).is_none() {
            return;
        }
        self.dying.push(Dying {
            cgroup: key,
            account,
            parent,
        });
        if let Some(gone) = self.tree.get(account).filter(|a| a.is_dead()) {
            let top_level = parent.is_some() && parent == self.tree.host();
            if top_level && let Some(cpu) = gone.reading.cpu {
                self.dead_cpu_ns += cpu.usage_ns;
            }
        }
    }

    fn enrich(&mut self, update: &Update) {
        for (_, account) in self.tree.iter_mut() {
            if account.identity.details_key() == Some(update.container_id.as_str()) {
                let identity = account.identity.with(&update.details);
                account.set_identity(identity);
            }
        }
    }

    /// Asks again for those that found no room before.
    pub(super) fn ask_again(&mut self) {
        for (_, account) in self
            .tree
            .iter_mut()
            .filter(|(_, a)| !a.asked && !a.is_dead())
        {
            account.asked = self.parts.attribution.request(&account.identity);
        }
    }

    /// Counts losses and, when life-cycle records were among them, looks for itself.
    pub(super) fn note_losses(&mut self) {
        let losses: Vec<_> = self.parts.kernel.maps.losses().collect();
        let count = |ring| {
            losses
                .iter()
                .find(|(name, _)| *name == ring)
                .map_or(0, |(_, n)| *n)
        };
        let (lifecycle, process) = (count("lifecycle"), count("process"));
        let now = SystemTime::now();
        for (ring, lost) in [
            ("lifecycle", lifecycle.saturating_sub(self.lifecycle_lost)),
            ("process", process.saturating_sub(self.process_lost)),
        ] {
            if lost > 0 {
                tracing::warn!(ring, lost, "kernel events were lost");
                self.parts.log.push(
                    now,
                    None,
                    None,
                    EventKind::Lost {
                        ring: ring.to_owned(),
                        count: lost,
                    },
                );
            }
        }
        if lifecycle > self.lifecycle_lost {
            self.rescan();
        }
        if process > self.process_lost {
            for (_, account) in self.tree.iter_mut() {
                account.execs_at_birth = None;
            }
        }
        (self.lifecycle_lost, self.process_lost) = (lifecycle, process);
    }
}

/// v2's path names a workload best; then the hierarchies engines always use.
fn home_order(layout: &Layout) -> Vec<HierarchyId> {
    let preferred = [
        Controller::Cpu,
        Controller::Cpuacct,
        Controller::Memory,
        Controller::Pids,
    ];
    let v2 = layout.unified().map(|hierarchy| hierarchy.id);
    let named = preferred
        .iter()
        .filter_map(|c| layout.controller(*c))
        .map(|h| h.id);
    let rest = layout.hierarchies().iter().map(|hierarchy| hierarchy.id);
    let mut order: Vec<HierarchyId> = Vec::new();
    for id in v2.into_iter().chain(named).chain(rest) {
        if !order.contains(&id) {
            order.push(id);
        }
    }
    order
}

/// When the machine was booted, by the clock the probes stamp with.
fn boot_time() -> SystemTime {
    let since_boot = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME)
        .map_or(Duration::ZERO, Duration::from);
    SystemTime::now() - since_boot
}
