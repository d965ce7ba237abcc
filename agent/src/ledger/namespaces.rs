//! Namespaces: how many of each kind are alive, and whose they are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use plimsoll_abi::namespace::{KINDS, NAMES};

use super::account::AccountId;
use super::snapshot::NamespaceCount;

/// All namespaces seen.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    /// The host's own, by slot: nobody's to enter.
    host: [u32; KINDS],
    /// Alive in the last pass over all tasks, and those a mount keeps alive.
    alive: [BTreeSet<u32>; KINDS],
    counting: [BTreeSet<u32>; KINDS],
    mounted: Vec<(usize, u32)>,
    /// Whose tasks are in it, and how many, in the pass under way.
    tasks: HashMap<u32, BTreeMap<AccountId, u32>>,
    owners: HashMap<u32, AccountId>,
    created: [u64; KINDS],
    entered: [u64; KINDS],
}

impl Namespaces {
    /// Namespaces of process 1. (`/proc/1/ns` is closed to root where process 1 is not dumpable.)
    pub(super) fn set_host(&mut self, host: [u32; KINDS]) {
        self.host = host;
    }

    /// Starts a pass over all tasks.
    pub(super) fn start_pass(&mut self) {
        self.counting = Default::default();
        self.tasks.clear();
    }

    /// One task of the pass. `owner` is `None` for tasks of no workload of their own.
    pub(super) fn count(&mut self, inodes: &[u32; KINDS], owner: Option<AccountId>) {
        for (slot, inode) in inodes.iter().enumerate() {
            if *inode == 0 {
                continue;
            }
            self.counting[slot].insert(*inode);
            if let Some(owner) = owner
                && *inode != self.host[slot]
            {
                *self
                    .tasks
                    .entry(*inode)
                    .or_default()
                    .entry(owner)
                    .or_default() += 1;
            }
        }
    }

    /// Ends the pass: what no task was in is gone, unless mounted.
    pub(super) fn end_pass(&mut self) {
        self.alive = std::mem::take(&mut self.counting);
        for (slot, inode) in &self.mounted {
            self.alive[*slot].insert(*inode);
        }
        // Whoever had it keeps it while a task of his is in it: a visitor with more tasks is no owner.
        // A runtime that made it and left for the container's own cgroup loses it here.
        self.owners = self
            .tasks
            .iter()
            .filter_map(|(inode, tasks)| {
                let before = self
                    .owners
                    .get(inode)
                    .filter(|owner| tasks.contains_key(owner));
                let most = tasks
                    .iter()
                    .max_by_key(|(id, count)| (**count, Reverse(**id)));
                Some((*inode, before.copied().or(most.map(|(id, _)| *id))?))
            })
            .collect();
    }

    /// Namespaces that a mount keeps alive.
    pub(super) fn set_mounted(&mut self, mounted: Vec<(usize, u32)>) {
        self.mounted = mounted;
    }

    pub(super) fn created(&mut self, slot: usize) {
        self.created[slot] += 1;
    }

    pub(super) fn entered(&mut self, slot: usize) {
        self.entered[slot] += 1;
    }

    /// Whose namespace it is; `None` for the host's and for unowned ones.
    pub(super) fn owner(&self, slot: usize, inode: u32) -> Option<AccountId> {
        if inode == self.host[slot] {
            return None;
        }
        self.owners.get(&inode).copied()
    }

    pub(super) fn snapshot(&self) -> Vec<NamespaceCount> {
        let count = |(slot, name): (usize, &&str)| NamespaceCount {
            kind: (*name).to_owned(),
            alive: self.alive[slot].len() as u64,
            created: self.created[slot],
            entered: self.entered[slot],
        };
        NAMES.iter().enumerate().map(count).collect()
    }
}

/// Namespaces that are bind-mounted (`ip netns add`), from `/proc/1/mountinfo`.
pub(super) fn mounted_namespaces() -> Vec<(usize, u32)> {
    let Ok(mounts) = procfs::process::Process::new(1).and_then(|init| init.mountinfo()) else {
        return Vec::new();
    };
    mounts
        .into_iter()
        .filter(|m| m.fs_type == "nsfs")
        .filter_map(|m| parse_link(&m.root))
        .collect()
}

/// `net:[4026531840]` → slot and inode number.
fn parse_link(link: &str) -> Option<(usize, u32)> {
    let (kind, rest) = link.split_once(":[")?;
    let slot = NAMES.iter().position(|name| *name == kind)?;
    Some((slot, rest.strip_suffix(']')?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use plimsoll_abi::namespace::NET;

    use super::*;

    fn in_net(inode: u32) -> [u32; KINDS] {
        let mut inodes = [0; KINDS];
        inodes[NET] = inode;
        inodes
    }

    #[test]
    fn counts_each_once_and_forgets_the_dead() {
        let mut namespaces = Namespaces::default();
        namespaces.set_host(in_net(1));
        namespaces.start_pass();
        for inode in [1, 2, 2, 3] {
            namespaces.count(&in_net(inode), Some(AccountId(9)));
        }
        namespaces.end_pass();
        assert_eq!(namespaces.snapshot()[NET].alive, 3);
        assert_eq!(
            namespaces.owner(NET, 1),
            None,
            "the host's namespace has no owner"
        );
        assert_eq!(namespaces.owner(NET, 2), Some(AccountId(9)));
        namespaces.set_mounted(vec![(NET, 3)]);
        namespaces.start_pass();
        namespaces.count(&in_net(1), None);
        namespaces.end_pass();
        assert_eq!(namespaces.snapshot()[NET].alive, 2, "a mount keeps 3 alive");
        assert_eq!(namespaces.owner(NET, 2), None);
    }

    #[test]
    fn a_visitor_does_not_become_the_owner() {
        let mut namespaces = Namespaces::default();
        namespaces.set_host(in_net(1));
        let (runtime, container, visitor) = (AccountId(1), AccountId(2), AccountId(3));
        for (tasks, owner) in [
            (vec![runtime], runtime),
            (vec![container], container),
            (vec![container, visitor, visitor], container),
            (vec![visitor], visitor),
        ] {
            namespaces.start_pass();
            for task in tasks {
                namespaces.count(&in_net(2), Some(task));
            }
            namespaces.end_pass();
            assert_eq!(namespaces.owner(NET, 2), Some(owner));
        }
    }

    #[test]
    fn parses_links() {
        assert_eq!(parse_link("net:[4026531840]"), Some((NET, 4_026_531_840)));
        assert_eq!(parse_link("net:[x]"), None);
        assert_eq!(parse_link("/"), None);
    }
}
