//! What the ledger keeps of one workload between ticks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use plimsoll_abi::map::{IoTotals, NetworkTotals};

use super::network::NetworkAccount;
use super::rollup::Rollup;
use super::snapshot::{Life, TaskCounts, TaskStates};
use crate::cgroup::{DeviceIo, DeviceNumber, HierarchyId, Placement, Reader, Reading};
use crate::identity::{Identity, Kind};

/// Number of an account; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct AccountId(pub(super) u64);

/// An engine moves a process through one hierarchy after the other: one look may come too early.
pub(super) const PLACEMENTS: u8 = 3;

/// One cgroup of the workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) id: u64,
    pub(super) path: String,
}

/// Sums of a workload and all below: switches, traffic by interface, I/O by disk.
pub(super) type Sums = (
    BTreeMap<(), u64>,
    BTreeMap<String, NetworkTotals>,
    BTreeMap<DeviceNumber, IoTotals>,
);

/// One workload.
pub(super) struct Account {
    /// Its cgroups, one a hierarchy at most.
    pub(super) members: BTreeMap<HierarchyId, Member>,
    /// Under which the tree finds it.
    pub(super) merge_key: String,
    /// The hierarchy whose path names it, and in which its parent is looked up.
    pub(super) home: HierarchyId,
    pub(super) identity: Arc<Identity>,
    /// `identity.id` and the name, shared with events.
    pub(super) id: Arc<str>,
    pub(super) name: Option<Arc<str>>,
    pub(super) placement: Arc<Placement>,
    pub(super) created: SystemTime,
    pub(super) life: Life,
    /// Whether the engines were asked who it is.
    pub(super) asked: bool,
    /// How many more ticks a process of it is asked where else it is.
    pub(super) placements_left: u8,
    pub(super) reader: Option<Reader>,
    pub(super) reading: Reading,
    pub(super) last_read: Option<Instant>,
    /// CPU time and instant of the tick before, for `cpu_cores`.
    pub(super) measured: Option<(u64, Instant)>,
    pub(super) cpu_cores: f64,
    pub(super) network: NetworkAccount,
    pub(super) switches: Rollup<(), u64>,
    pub(super) switches_at_read: u64,
    /// Whether a task of it was running or waiting for a CPU then.
    pub(super) ran_at_read: bool,
    pub(super) io: Rollup<DeviceNumber, IoTotals>,
    /// I/O as the probe counts it, in place of what the files say; `None`: it is not attached.
    pub(super) counted_io: Option<Vec<DeviceIo>>,
    pub(super) tasks: TaskStates,
    /// Counted in the pass under way.
    pub(super) counting: TaskCounts,
    /// Tasks of those that the v1 freezer holds.
    pub(super) held: u64,
    pub(super) frozen_by_v1: bool,
    pub(super) oom_kills: u64,
    pub(super) execs: u64,
    /// `execs` when its cgroup was made; `None` when that or an exec since may have been missed.
    pub(super) execs_at_birth: Option<u64>,
    pub(super) exits: u64,
    pub(super) foreign_namespace_enters: u64,
    /// Beyond the cap: counted in `other`.
    pub(super) folded: bool,
    /// Its totals were handed on to its parent.
    pub(super) buried: bool,
    /// First tick whose snapshot showed it dead.
    pub(super) dead_since_tick: Option<u64>,
}

impl Account {
    pub(super) fn new(identity: Identity, home: HierarchyId, created: SystemTime) -> Self {
        let mut account = Self {
            members: BTreeMap::new(),
            merge_key: String::new(),
            home,
            id: Arc::from(identity.id.as_str()),
            name: None,
            identity: Arc::default(),
            placement: Arc::default(),
            created,
            life: Life::Alive,
            asked: false,
            placements_left: PLACEMENTS,
            reader: None,
            reading: Reading::default(),
            last_read: None,
            measured: None,
            cpu_cores: 0.0,
            network: NetworkAccount::default(),
            switches: Rollup::default(),
            switches_at_read: 0,
            ran_at_read: false,
            io: Rollup::default(),
            counted_io: None,
            tasks: TaskStates::default(),
            counting: TaskCounts::default(),
            held: 0,
            frozen_by_v1: false,
            oom_kills: 0,
            execs: 0,
            execs_at_birth: None,
            exits: 0,
            foreign_namespace_enters: 0,
            folded: false,
            buried: false,
            dead_since_tick: None,
        };
        account.set_identity(identity);
        account
    }

    /// Puts a new identity in place, and what is derived from it.
    pub(super) fn set_identity(&mut self, identity: Identity) {
        self.id = Arc::from(identity.id.as_str());
        self.name = identity.name.as_deref().map(Arc::from);
        self.identity = Arc::new(identity);
    }

    /// After a change of members: the placement, and files are opened anew.
    pub(super) fn members_changed(&mut self) {
        let paths = self
            .members
            .iter()
            .map(|(hierarchy, m)| (*hierarchy, m.path.clone()));
        self.placement = Arc::new(Placement {
            paths: paths.collect(),
        });
        self.reader = None;
    }

    /// Its cgroup in v2, which the kernel's maps are keyed by.
    pub(super) fn v2(&self) -> Option<u64> {
        self.members.get(&HierarchyId::V2).map(|member| member.id)
    }

    /// Switches of it and all below.
    pub(super) fn total_switches(&self) -> u64 {
        self.switches.sum().get(&()).copied().unwrap_or(0)
    }

    /// Whether a task of it ran or waited for a CPU in the last pass over all tasks.
    pub(super) fn runs(&self) -> bool {
        self.tasks.counted.is_some_and(|counts| counts.running > 0)
    }

    /// Whether this is a container whose own program has not been started: its runtime is still in it.
    pub(super) fn is_being_set_up(&self) -> bool {
        matches!(self.identity.kind, Kind::Container | Kind::Sandbox)
            && self.execs_at_birth == Some(self.execs)
    }

    /// Starts the sums of all that the kernel's maps count.
    pub(super) fn start_sums(&mut self) {
        self.switches.start_sum();
        self.network.traffic.start_sum();
        self.io.start_sum();
    }

    /// What they came to: switches, traffic, I/O.
    pub(super) fn sums(&self) -> Sums {
        let traffic = self.network.traffic.sum().clone();
        (self.switches.sum().clone(), traffic, self.io.sum().clone())
    }

    /// The v1 freezer has no event: it is seen by the state of the tasks. Changes nothing of what a
    /// v2 event told.
    pub(super) fn set_frozen_by_v1(&mut self, frozen: bool) {
        if self.is_dead() || frozen == std::mem::replace(&mut self.frozen_by_v1, frozen) {
            return;
        }
        self.life = if frozen { Life::Frozen } else { Life::Alive };
    }

    pub(super) fn is_dead(&self) -> bool {
        matches!(self.life, Life::Dead { .. })
    }

    pub(super) fn is_host(&self) -> bool {
        self.identity.id == "/"
    }

    /// Levels below the root, by the path that names it.
    pub(super) fn depth(&self) -> usize {
        if self.is_host() {
            0
        } else {
            self.identity.id.matches('/').count()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::classify;

    #[test]
    fn a_container_is_set_up_until_its_program_starts() {
        let account =
            |path: &str| Account::new(classify(path), HierarchyId::V2, SystemTime::UNIX_EPOCH);
        let mut container = account(&format!("/docker/{}", "ab".repeat(32)));
        assert!(!container.is_being_set_up(), "its birth was not seen");
        // Restarted: it had run programs before.
        container.execs = 3;
        container.execs_at_birth = Some(3);
        assert!(container.is_being_set_up());
        container.execs += 1;
        assert!(!container.is_being_set_up());

        let mut bare = account("/job");
        bare.execs_at_birth = Some(0);
        assert!(!bare.is_being_set_up(), "no runtime makes it");
    }
}
