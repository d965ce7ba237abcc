//! Which cgroup belongs to which workload.
//!
//! A workload is at most one cgroup in each hierarchy. Cgroups are one workload when they hold the
//! same container (its id is in both paths), when their paths are equal, or when a process was seen
//! in both and their last path component is equal (runc nests some v1 controllers under the caller).

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use super::account::{Account, AccountId, Member, PLACEMENTS};
use super::snapshot::Life;
use crate::cgroup::{CgroupKey, HierarchyId, Placement, Reading};
use crate::identity::{Kind, classify};

/// All cgroups and workloads.
pub(super) struct Tree {
    accounts: BTreeMap<AccountId, Account>,
    by_cgroup: HashMap<CgroupKey, AccountId>,
    by_path: HashMap<(HierarchyId, String), u64>,
    by_merge_key: HashMap<String, AccountId>,
    /// Hierarchies by how well their path names a workload, best first.
    home_order: Vec<HierarchyId>,
    next: u64,
    /// Accounts in `other`.
    folded: usize,
}

/// What an insertion did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    /// Already known: scan and event told of the same cgroup.
    Known(AccountId),
    /// One more cgroup of a known workload.
    Joined(AccountId),
    New(AccountId),
    /// The workload was dead and is back, as after `docker restart`.
    Revived(AccountId),
}

impl Inserted {
    pub(super) fn account(self) -> AccountId {
        match self {
            Self::Known(id) | Self::Joined(id) | Self::New(id) | Self::Revived(id) => id,
        }
    }
}

impl Tree {
    pub(super) fn new(home_order: Vec<HierarchyId>) -> Self {
        Self {
            accounts: BTreeMap::new(),
            by_cgroup: HashMap::new(),
            by_path: HashMap::new(),
            by_merge_key: HashMap::new(),
            home_order,
            next: 0,
            folded: 0,
        }
    }

    /// Takes in a cgroup.
    pub(super) fn insert(&mut self, key: CgroupKey, path: &str, created: SystemTime) -> Inserted {
        if let Some(known) = self.by_cgroup.get(&key) {
            return Inserted::Known(*known);
        }
        // The kernel may make a path anew before it tells that the old one went.
        if let Some(old) = self.by_path.get(&(key.hierarchy, path.to_owned())) {
            self.remove(
                CgroupKey {
                    hierarchy: key.hierarchy,
                    id: *old,
                },
                created,
            );
        }
        let identity = classify(path);
        let merge_key = merge_key(path, &identity);
        let found = self.by_merge_key.get(&merge_key).copied().filter(|id| {
            self.accounts
                .get(id)
                .is_some_and(|a| !a.members.contains_key(&key.hierarchy))
        });
        let inserted = match found {
            Some(id) if self.accounts[&id].is_dead() => Inserted::Revived(id),
            Some(id) => Inserted::Joined(id),
            None => {
                self.next += 1;
                let id = AccountId(self.next);
                let mut account = Account::new(identity, key.hierarchy, created);
                account.merge_key.clone_from(&merge_key);
                self.accounts.insert(id, account);
                self.by_merge_key.insert(merge_key, id);
                Inserted::New(id)
            }
        };
        let id = inserted.account();
        self.by_cgroup.insert(key, id);
        self.by_path
            .insert((key.hierarchy, path.to_owned()), key.id);
        if let Some(account) = self.accounts.get_mut(&id) {
            if matches!(inserted, Inserted::Revived(_)) {
                account.life = Life::Alive;
                account.created = created;
                account.placements_left = PLACEMENTS;
                account.dead_since_tick = None;
                account.reading = Reading::default();
                account.last_read = None;
            }
            account.members.insert(
                key.hierarchy,
                Member {
                    id: key.id,
                    path: path.to_owned(),
                },
            );
            account.members_changed();
        }
        self.choose_home(id);
        inserted
    }

    /// Takes out a removed cgroup. The account is returned; it is dead when that was its last one.
    pub(super) fn remove(&mut self, key: CgroupKey, at: SystemTime) -> Option<AccountId> {
        let id = self.by_cgroup.remove(&key)?;
        let account = self.accounts.get_mut(&id)?;
        let member = account.members.remove(&key.hierarchy)?;
        if self.by_path.get(&(key.hierarchy, member.path.clone())) == Some(&key.id) {
            self.by_path.remove(&(key.hierarchy, member.path));
        }
        if account.members.is_empty() {
            account.life = Life::Dead { since: at };
            account.reader = None;
        }
        Some(id)
    }

    /// A process was seen at `placement`: cgroups elsewhere with the account's last path component
    /// are cgroups of the same workload. Returns whether something was joined.
    pub(super) fn place(&mut self, id: AccountId, placement: &Placement) -> bool {
        let Some(account) = self.accounts.get(&id) else {
            return false;
        };
        let own_name = last_component(&account.identity.id).to_owned();
        if own_name.is_empty() {
            return false;
        }
        let missing: Vec<_> = placement
            .paths
            .iter()
            .filter(|(hierarchy, path)| {
                !account.members.contains_key(hierarchy) && last_component(path) == own_name
            })
            .filter_map(|(hierarchy, path)| {
                let id = *self.by_path.get(&(*hierarchy, path.clone()))?;
                let key = CgroupKey {
                    hierarchy: *hierarchy,
                    id,
                };
                // A workload that has its own best-named cgroup is one of its own.
                let former = self.accounts.get(&self.by_cgroup(key)?)?;
                let best = self.home_order.first()?;
                (!former.members.contains_key(best)).then(|| (key, path.clone()))
            })
            .collect();
        for (key, path) in &missing {
            self.adopt(id, *key, path);
        }
        !missing.is_empty()
    }

    /// Moves one cgroup from the account that has it; an account without cgroups is forgotten, for
    /// it never was a workload of its own.
    fn adopt(&mut self, id: AccountId, key: CgroupKey, path: &str) {
        if let Some(former) = self.by_cgroup.insert(key, id)
            && let Some(account) = self.accounts.get_mut(&former)
        {
            account.members.remove(&key.hierarchy);
            account.members_changed();
            if account.members.is_empty() {
                self.forget(former);
            }
        }
        if let Some(account) = self.accounts.get_mut(&id) {
            account.members.insert(
                key.hierarchy,
                Member {
                    id: key.id,
                    path: path.to_owned(),
                },
            );
            account.members_changed();
        }
        self.choose_home(id);
    }

    /// Forgets a dead account.
    pub(super) fn forget(&mut self, id: AccountId) -> Option<Account> {
        let account = self.accounts.remove(&id)?;
        if self.by_merge_key.get(&account.merge_key) == Some(&id) {
            self.by_merge_key.remove(&account.merge_key);
        }
        self.folded -= usize::from(account.folded);
        Some(account)
    }

    /// Accounts that are not in `other`.
    pub(super) fn unfolded(&self) -> usize {
        self.accounts.len() - self.folded
    }

    /// Puts an account into `other`, or takes it out; never the host.
    pub(super) fn set_folded(&mut self, id: AccountId, folded: bool) {
        if let Some(account) = self.accounts.get_mut(&id) {
            self.folded -= usize::from(account.folded);
            account.folded = folded && !account.is_host();
            self.folded += usize::from(account.folded);
        }
    }

    /// The path that names a workload is v2's, where it has one.
    fn choose_home(&mut self, id: AccountId) {
        let Some(account) = self.accounts.get_mut(&id) else {
            return;
        };
        let home = self
            .home_order
            .iter()
            .find(|h| account.members.contains_key(h));
        let Some(home) = home
            .copied()
            .or_else(|| account.members.keys().next().copied())
        else {
            return;
        };
        account.home = home;
        let path = &account.members[&home].path;
        if *path != account.identity.id {
            let mut identity = account.identity.as_ref().clone();
            identity.id.clone_from(path);
            account.set_identity(identity);
        }
    }

    pub(super) fn get(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: AccountId) -> Option<&mut Account> {
        self.accounts.get_mut(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (AccountId, &Account)> {
        self.accounts.iter().map(|(id, account)| (*id, account))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (AccountId, &mut Account)> {
        self.accounts.iter_mut().map(|(id, account)| (*id, account))
    }

    pub(super) fn by_cgroup(&self, key: CgroupKey) -> Option<AccountId> {
        self.by_cgroup.get(&key).copied()
    }

    /// Id of the cgroup of that path.
    pub(super) fn cgroup_at(&self, hierarchy: HierarchyId, path: String) -> Option<u64> {
        self.by_path.get(&(hierarchy, path)).copied()
    }

    /// The path under which a cgroup is known.
    pub(super) fn path(&self, key: CgroupKey) -> Option<&str> {
        let account = self.accounts.get(self.by_cgroup.get(&key)?)?;
        Some(&account.members.get(&key.hierarchy)?.path)
    }

    /// Every cgroup of one hierarchy.
    pub(super) fn cgroups_of(&self, hierarchy: HierarchyId) -> impl Iterator<Item = u64> {
        self.by_cgroup
            .keys()
            .filter(move |key| key.hierarchy == hierarchy)
            .map(|key| key.id)
    }

    /// The account one level up, by the path that names this one.
    pub(super) fn parent(&self, id: AccountId) -> Option<AccountId> {
        let account = self.accounts.get(&id)?;
        let (up, last) = account.identity.id.rsplit_once('/')?;
        if last.is_empty() {
            return None;
        }
        let up = if up.is_empty() { "/" } else { up };
        let above = self.cgroup_at(account.home, up.to_owned())?;
        self.by_cgroup(CgroupKey {
            hierarchy: account.home,
            id: above,
        })
    }

    /// The account and all above it, nearest first.
    pub(super) fn lineage(&self, id: AccountId) -> Vec<AccountId> {
        let mut line = vec![id];
        let mut at = id;
        while let Some(parent) = self.parent(at) {
            line.push(parent);
            at = parent;
        }
        line
    }

    /// The root account: the host.
    pub(super) fn host(&self) -> Option<AccountId> {
        let (hierarchy, path) = (*self.home_order.first()?, "/".to_owned());
        let id = self.cgroup_at(hierarchy, path)?;
        self.by_cgroup(CgroupKey { hierarchy, id })
    }

    /// Accounts from the leaves to the root, for sums.
    pub(super) fn deepest_first(&self) -> Vec<AccountId> {
        let mut order: Vec<_> = self
            .iter()
            .map(|(id, account)| (account.depth(), id))
            .collect();
        order.sort_unstable_by(|a, b| b.cmp(a));
        order.into_iter().map(|(_, id)| id).collect()
    }
}

fn last_component(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// Equal for cgroups that are one workload in different hierarchies.
fn merge_key(path: &str, identity: &crate::identity::Identity) -> String {
    let Some(container) = &identity.container_id else {
        return format!("path:{path}");
    };
    if matches!(identity.kind, Kind::Container | Kind::Sandbox) {
        return format!("container:{container}");
    }
    let inner = path
        .rfind(container.as_str())
        .and_then(|at| path[at..].split_once('/'));
    match inner {
        Some((_, inner)) => format!("container:{container}/{inner}"),
        None => format!("path:{path}"),
    }
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
