//! Events: what each does to the ledger, and what is told of it.

use std::sync::Arc;
use std::time::SystemTime;

use plimsoll_abi::event::TaskRef;
use plimsoll_abi::namespace::NAMES;

use super::account::AccountId;
use super::event::{EventKind, NamespaceChange};
use super::keeper::Keeper;
use crate::cgroup::{CgroupKey, Controller, HierarchyId};
use crate::kernel::{
    CgroupEvent, CgroupOperation, KernelEvent, NamespaceCall, NamespaceEvent, comm,
};

impl Keeper {
    pub(super) fn apply(&mut self, boot: SystemTime, event: KernelEvent) {
        match event {
            KernelEvent::Cgroup(event) => self.cgroup(boot + event.at, event),
            KernelEvent::Namespace(event) => self.namespace(boot + event.at, &event),
            KernelEvent::Exec { at, task } => {
                let account = self.account_of(&task);
                self.up_the_line(account, |account| account.execs += 1);
                let kind = EventKind::Exec {
                    tgid: task.tgid,
                    comm: comm(&task),
                };
                self.tell(boot + at, account, kind);
            }
            KernelEvent::Exit { at, task, status } => {
                let account = self.account_of(&task);
                self.up_the_line(account, |account| account.exits += 1);
                let signal = status & 0x7f;
                let kind = EventKind::Exit {
                    tgid: task.tgid,
                    comm: comm(&task),
                    code: (signal == 0).then_some(status >> 8 & 0xff),
                    signal: (signal != 0).then_some(signal),
                };
                self.tell(boot + at, account, kind);
            }
            KernelEvent::OomKill { at, victim } => self.oom_kill(boot + at, &victim),
        }
    }

    fn cgroup(&mut self, at: SystemTime, event: CgroupEvent) {
        let CgroupEvent {
            operation,
            id,
            hierarchy,
            path,
            tgid,
            tid,
            ..
        } = event;
        let cgroup = CgroupKey {
            hierarchy: HierarchyId(hierarchy),
            id,
        };
        let known = self.parts.layout.hierarchy(cgroup.hierarchy).is_some();
        let account = match operation {
            CgroupOperation::Mkdir if known => Some(self.add(cgroup, &path, at)),
            _ => self.tree.by_cgroup(cgroup),
        };
        let kind = match operation {
            CgroupOperation::Mkdir => EventKind::CgroupMkdir { cgroup, path },
            CgroupOperation::Rmdir => EventKind::CgroupRmdir { cgroup, path },
            CgroupOperation::Release => EventKind::CgroupRelease { cgroup, path },
            CgroupOperation::Rename => EventKind::CgroupRename { cgroup, path },
            CgroupOperation::Freeze => EventKind::CgroupFreeze { cgroup, path },
            CgroupOperation::Unfreeze => EventKind::CgroupUnfreeze { cgroup, path },
            CgroupOperation::AttachTask => EventKind::CgroupAttachTask {
                cgroup,
                path,
                tgid,
                tid,
            },
            CgroupOperation::Populated(populated) => EventKind::CgroupPopulated {
                cgroup,
                path,
                populated,
            },
            CgroupOperation::Frozen(frozen) => EventKind::CgroupFrozen {
                cgroup,
                path,
                frozen,
            },
        };
        self.tell(at, account, kind);
        match operation {
            CgroupOperation::Rmdir => self.removed(cgroup, at),
            // v1 only, and rare: paths of everything below changed too.
            CgroupOperation::Rename => {
                self.removed(cgroup, at);
                self.renamed = true;
            }
            CgroupOperation::Frozen(frozen) => self.set_frozen(account, frozen),
            // The last moment at which its files say what it used in all.
            CgroupOperation::Populated(false) => self.read_now(account),
            CgroupOperation::AttachTask => self.place(account, tgid),
            CgroupOperation::Mkdir
            | CgroupOperation::Release
            | CgroupOperation::Freeze
            | CgroupOperation::Unfreeze
            | CgroupOperation::Populated(true) => {}
        }
    }

    /// Learns from one process of the workload in which cgroups it is elsewhere.
    pub(super) fn place(&mut self, account: Option<AccountId>, tgid: u32) {
        let Some((id, account)) = account.and_then(|id| Some((id, self.tree.get(id)?))) else {
            return;
        };
        let everywhere = account.members.len() == self.parts.layout.hierarchies().len();
        if account.placements_left == 0 || everywhere || account.is_host() {
            return;
        }
        // The process may be gone, or on its way through several cgroups: the next one tells.
        if let Ok(placement) = crate::cgroup::placement_of(tgid) {
            self.tree.place(id, &placement);
        }
    }

    fn namespace(&mut self, at: SystemTime, event: &NamespaceEvent) {
        let actor = self.account_of(&event.task);
        let mut changes = Vec::new();
        for (slot, kind) in NAMES.iter().enumerate() {
            let (before, after) = (event.before[slot], event.after[slot]);
            if before == after || after == 0 {
                continue;
            }
            changes.push(NamespaceChange {
                kind: (*kind).to_owned(),
                before,
                after,
            });
            match event.call {
                NamespaceCall::Clone | NamespaceCall::Unshare => {
                    self.namespaces.created(slot);
                }
                NamespaceCall::Setns => {
                    self.namespaces.entered(slot);
                    self.foreign_enter(at, event, actor, slot);
                }
            }
        }
        if !changes.is_empty() {
            let kind = EventKind::Namespace {
                call: event.call.name().to_owned(),
                tgid: event.task.tgid,
                tid: event.task.tid,
                comm: comm(&event.task),
                changes,
            };
            self.tell(at, actor, kind);
        }
    }

    /// Tells when a task of one workload entered a namespace of another that is not above or below it.
    fn foreign_enter(
        &mut self,
        at: SystemTime,
        event: &NamespaceEvent,
        actor: Option<AccountId>,
        slot: usize,
    ) {
        let inode = event.after[slot];
        let Some(owner) = self.namespaces.owner(slot, inode) else {
            return;
        };
        let actor_line = actor.map(|id| self.tree.lineage(id)).unwrap_or_default();
        let below_owner = actor_line.contains(&owner);
        let above_owner = actor
            .filter(|id| !self.is_host(*id))
            .is_some_and(|id| self.tree.lineage(owner).contains(&id));
        let pod = |id: AccountId| {
            self.tree
                .get(id)
                .and_then(|a| a.identity.pod_uid.as_deref())
        };
        // Containers of a pod share namespaces; that is what a pod is.
        let same_pod = pod(owner).is_some() && actor.and_then(pod) == pod(owner);
        if below_owner || above_owner || same_pod {
            return;
        }
        // Until a container's program starts, its engine goes in and out to make its network.
        let Some(account) = self.tree.get_mut(owner).filter(|a| !a.is_being_set_up()) else {
            return;
        };
        account.foreign_namespace_enters += 1;
        let kind = EventKind::NamespaceForeignEnter {
            tgid: event.task.tgid,
            tid: event.task.tid,
            comm: comm(&event.task),
            kind: NAMES[slot].to_owned(),
            inode,
            owner: account.id.to_string(),
        };
        self.tell(at, actor, kind);
    }

    fn oom_kill(&mut self, at: SystemTime, victim: &TaskRef) {
        self.oom_kills += 1;
        let account = self.account_of(victim);
        if let Some(id) = account {
            // The workload itself and, when it is a part of a container, that container.
            let line = self.tree.lineage(id);
            let container = self
                .tree
                .get(id)
                .and_then(|a| a.identity.container_id.clone());
            for (n, id) in line.into_iter().enumerate() {
                let Some(account) = self.tree.get_mut(id) else {
                    continue;
                };
                let same = container.is_some() && account.identity.container_id == container;
                if n == 0 || same {
                    account.oom_kills += 1;
                }
            }
        }
        let workload = account.and_then(|id| self.tree.get(id));
        let workload = workload.map(|a| a.name.as_deref().unwrap_or(&a.id));
        tracing::info!(
            workload,
            tgid = victim.tgid,
            comm = comm(victim),
            "OOM kill"
        );
        self.tell(
            at,
            account,
            EventKind::OomKill {
                tgid: victim.tgid,
                comm: comm(victim),
            },
        );
    }

    /// The workload a task is in: by cgroup v2 where that is more than the root, else by its memory
    /// cgroup, which every engine makes on v1.
    pub(super) fn account_of(&self, task: &TaskRef) -> Option<AccountId> {
        self.account_of_ids(task.cgroup_id, task.memory_cgroup_id)
    }

    pub(super) fn account_of_ids(&self, v2: u64, memory: u64) -> Option<AccountId> {
        let unified = CgroupKey {
            hierarchy: HierarchyId::V2,
            id: v2,
        };
        let by_v2 = self.tree.by_cgroup(unified);
        if by_v2.is_some_and(|id| !self.is_host(id)) {
            return by_v2;
        }
        let by_memory = self
            .parts
            .layout
            .controller(Controller::Memory)
            .and_then(|h| {
                self.tree.by_cgroup(CgroupKey {
                    hierarchy: h.id,
                    id: memory,
                })
            });
        by_memory.or(by_v2)
    }

    fn is_host(&self, id: AccountId) -> bool {
        self.tree
            .get(id)
            .is_some_and(super::account::Account::is_host)
    }

    fn up_the_line(
        &mut self,
        account: Option<AccountId>,
        count: impl Fn(&mut super::account::Account),
    ) {
        for id in account.map(|id| self.tree.lineage(id)).unwrap_or_default() {
            if let Some(account) = self.tree.get_mut(id) {
                count(account);
            }
        }
    }

    fn tell(&self, at: SystemTime, account: Option<AccountId>, kind: EventKind) {
        let account = account.and_then(|id| self.tree.get(id));
        let workload = account.map(|a| Arc::clone(&a.id));
        let name = account.and_then(|a| a.name.clone());
        self.parts.log.push(at, workload, name, kind);
    }
}
