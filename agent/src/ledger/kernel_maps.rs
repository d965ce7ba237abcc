//! From the kernel's maps, which are keyed by cgroup, to workloads' totals.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::account::{Account, AccountId};
use super::host;
use super::keeper::{Dying, Keeper};
use crate::cgroup::{CgroupKey, Controller, DeviceIo, DeviceNumber, HierarchyId};
use crate::kernel::interface_names;
use plimsoll_abi::map::IoTotals;

/// Counts I/O where the files do not.
pub(super) const IO_PROBE: &str = "block_bio_queue";

/// Who gets a map entry.
enum Heir {
    /// It is of the workload's own cgroup.
    Own(AccountId),
    /// It is the last of a removed cgroup: above it, it counts for good.
    Inherits(AccountId),
    /// Not in the tree: its birth is about to be told, or the next tick knows better.
    Nobody,
}

impl Keeper {
    /// Reads all maps and sums them up the tree.
    pub(super) fn read_maps(&mut self) {
        for (_, account) in self.tree.iter_mut().filter(|(_, a)| !a.buried) {
            account.switches.clear_own();
            account.network.traffic.clear_own();
            account.io.clear_own();
        }
        let dying = std::mem::take(&mut self.dying);
        let by_cgroup = dying.iter().map(|dying| (dying.cgroup, *dying)).collect();
        self.read_switches(&by_cgroup);
        self.read_network(&by_cgroup);
        self.read_io(&by_cgroup);
        self.strangers = std::mem::take(&mut self.new_strangers);
        self.bury(&dying);
        self.sum_up();
    }

    fn read_switches(&mut self, dying: &HashMap<CgroupKey, Dying>) {
        let entries = self.parts.kernel.maps.activity();
        for (id, activity) in entries {
            let (heir, forget) = self.heir(in_v2(id), dying);
            match heir {
                Heir::Own(id) => self.with(id, |a| a.switches.add_own((), &activity.switches)),
                Heir::Inherits(id) => {
                    self.with(id, |a| a.switches.inherit_one((), &activity.switches));
                }
                Heir::Nobody => {}
            }
            if forget {
                self.parts.kernel.maps.forget_activity(id);
            }
        }
    }

    fn read_network(&mut self, dying: &HashMap<CgroupKey, Dying>) {
        let entries = self.parts.kernel.maps.network();
        let mut named = HashMap::new();
        for entry in entries {
            let (ifindex, totals) = (entry.ifindex, entry.totals);
            let (heir, forget) = self.heir(in_v2(entry.cgroup_id), dying);
            match heir {
                Heir::Own(id) => self.with(id, |account| {
                    learn_names(account, ifindex, &mut named);
                    let name = account.network.interface(ifindex);
                    account.network.traffic.add_own(name, &totals);
                }),
                Heir::Inherits(id) => self.with(id, |account| {
                    let name = account.network.interface(ifindex);
                    account.network.traffic.inherit_one(name, &totals);
                }),
                Heir::Nobody => {}
            }
            if forget {
                self.parts
                    .kernel
                    .maps
                    .forget_network(entry.cgroup_id, ifindex);
            }
        }
        self.read_netdev();
    }

    fn read_io(&mut self, dying: &HashMap<CgroupKey, Dying>) {
        let Some(hierarchy) = self.parts.layout.controller(Controller::Io).map(|h| h.id) else {
            return;
        };
        let entries = self.parts.kernel.maps.io();
        for entry in entries {
            let device = DeviceNumber {
                major: entry.key.major,
                minor: entry.key.minor,
            };
            let cgroup = CgroupKey {
                hierarchy,
                id: entry.key.cgroup_id,
            };
            let (heir, forget) = self.heir(cgroup, dying);
            match heir {
                Heir::Own(id) => self.with(id, |a| a.io.add_own(device, &entry.totals)),
                Heir::Inherits(id) => self.with(id, |a| a.io.inherit_one(device, &entry.totals)),
                Heir::Nobody => {}
            }
            if forget {
                self.parts.kernel.maps.forget_io(entry.key);
            }
        }
    }

    /// Whose an entry is, and whether it is the last of its cgroup.
    fn heir(&mut self, cgroup: CgroupKey, dying: &HashMap<CgroupKey, Dying>) -> (Heir, bool) {
        if let Some(id) = self.tree.by_cgroup(cgroup) {
            return (Heir::Own(id), false);
        }
        let host = self.tree.host();
        let inherits = |id: Option<AccountId>| id.map_or(Heir::Nobody, Heir::Inherits);
        if let Some(dying) = dying.get(&cgroup) {
            let account = self.tree.get(dying.account);
            let came_back = account.is_none_or(|a| a.members.contains_key(&cgroup.hierarchy));
            if came_back {
                return (inherits(dying.parent.or(host)), true);
            }
            return (Heir::Own(dying.account), true);
        }
        if self.strangers.contains(&cgroup) {
            // Late packets of a removed cgroup: only the host's total can have them.
            return (inherits(host), true);
        }
        self.new_strangers.insert(cgroup);
        (Heir::Nobody, false)
    }

    fn with(&mut self, id: AccountId, work: impl FnOnce(&mut Account)) {
        if let Some(account) = self.tree.get_mut(id) {
            work(account);
        }
    }

    /// Device counters: the host's, and of each namespace for the first workload in it.
    fn read_netdev(&mut self) {
        let host = self.tree.host();
        let host_namespace = host.and_then(|id| self.tree.get(id)?.network.namespace);
        let mut seen = HashSet::new();
        for (_, account) in self.tree.iter_mut().filter(|(_, a)| !a.is_dead()) {
            let own = account
                .network
                .namespace
                .filter(|ns| Some(*ns) != host_namespace);
            if !account.is_host() && !own.is_some_and(|namespace| seen.insert(namespace)) {
                account.network.netdev.clear();
                continue;
            }
            let process = if account.is_host() {
                Some(1)
            } else {
                account.network.process
            };
            if let Some(devices) = process.and_then(host::netdev) {
                account.network.netdev = devices;
            }
        }
    }

    /// Hands what removed workloads had on to their parents, children first.
    fn bury(&mut self, dying: &[Dying]) {
        for Dying {
            account, parent, ..
        } in dying
        {
            let dead = |account: &&mut Account| account.is_dead() && !account.buried;
            let Some(gone) = self.tree.get_mut(*account).filter(dead) else {
                continue;
            };
            gone.buried = true;
            gone.start_sums();
            let (switches, traffic, io) = gone.sums();
            if let Some(heir) = parent.and_then(|id| self.tree.get_mut(id)) {
                heir.switches.inherit(&switches);
                heir.network.traffic.inherit(&traffic);
                heir.io.inherit(&io);
            }
        }
    }

    /// Sums up the tree. The dead have handed theirs on already.
    fn sum_up(&mut self) {
        for (_, account) in self.tree.iter_mut().filter(|(_, a)| !a.buried) {
            account.start_sums();
        }
        for id in self.tree.deepest_first() {
            let Some(account) = self.tree.get(id).filter(|a| !a.buried) else {
                continue;
            };
            let (switches, traffic, io) = account.sums();
            if let Some(parent) = self.tree.parent(id).and_then(|id| self.tree.get_mut(id)) {
                parent.switches.add_child(&switches);
                parent.network.traffic.add_child(&traffic);
                parent.io.add_child(&io);
            }
        }
        if self.parts.kernel.is_attached(IO_PROBE) {
            let io = self.parts.layout.controller(Controller::Io).map(|h| h.id);
            for (_, account) in self.tree.iter_mut() {
                let counted: Vec<_> = account.io.sum().iter().map(device_io).collect();
                let told = io.is_some_and(|io| account.members.contains_key(&io))
                    || account.counted_io.is_some();
                account.counted_io = (told || !counted.is_empty()).then_some(counted);
            }
        }
    }
}

fn in_v2(id: u64) -> CgroupKey {
    CgroupKey {
        hierarchy: HierarchyId::V2,
        id,
    }
}

fn device_io((device, totals): (&DeviceNumber, &IoTotals)) -> DeviceIo {
    DeviceIo {
        device: *device,
        read_bytes: totals.read_bytes,
        write_bytes: totals.write_bytes,
        reads: totals.reads,
        writes: totals.writes,
        discard_bytes: totals.discard_bytes,
        discards: totals.discards,
        sync_bytes: None,
        async_bytes: None,
    }
}

/// Asks for the interface's name in the workload's namespace; `named` has the answers of this tick.
fn learn_names(
    account: &mut Account,
    ifindex: u32,
    named: &mut HashMap<u32, BTreeMap<u32, String>>,
) {
    let network = &mut account.network;
    let (Some(process), Some(namespace)) = (network.process, network.namespace) else {
        return;
    };
    if network.lacks_name(ifindex) {
        let names = named
            .entry(namespace)
            .or_insert_with(|| interface_names(process).unwrap_or_default());
        network
            .names
            .extend(names.iter().map(|(ifindex, name)| (*ifindex, name.clone())));
    }
}
