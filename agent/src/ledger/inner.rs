//! The cgroup that crun makes inside a container's scope.
//!
//! On v2 crun puts a container's processes into `container` below the scope that systemd made for
//! it, and there are its limits, its throttling and its freezer (crun(1), 1.8.1,
//! `run.oci.systemd.subgroup`). All else the kernel counts for the scope as well.

use super::account::AccountId;
use super::keeper::Keeper;
use super::snapshot::Life;
use super::tree::Tree;
use crate::cgroup::{CgroupKey, Reading};
use crate::identity::Kind;

const NAME: &str = "container";

impl Tree {
    /// The account of crun's cgroup inside this container.
    fn inner(&self, id: AccountId) -> Option<AccountId> {
        let account = self.get(id)?;
        if !matches!(account.identity.kind, Kind::Container | Kind::Sandbox) {
            return None;
        }
        let path = format!("{}/{NAME}", account.identity.id);
        let id = self.cgroup_at(account.home, path)?;
        self.by_cgroup(CgroupKey {
            hierarchy: account.home,
            id,
        })
    }

    /// The container whose inner cgroup this is.
    fn outer(&self, id: AccountId) -> Option<AccountId> {
        let account = self.get(id)?;
        if !account.identity.id.ends_with(NAME) {
            return None;
        }
        let outer = self.parent(id)?;
        (self.inner(outer) == Some(id)).then_some(outer)
    }
}

impl Keeper {
    /// After a reading of either: the container has what its inner cgroup is held to.
    pub(super) fn take_from_inner(&mut self, id: AccountId) {
        let outer = self.tree.outer(id).unwrap_or(id);
        let Some(inner) = self.tree.inner(outer).and_then(|id| self.tree.get(id)) else {
            return;
        };
        let reading = inner.reading.clone();
        if let Some(outer) = self.tree.get_mut(outer) {
            tighten(&mut outer.reading, &reading);
        }
    }

    /// A container is frozen when its inner cgroup is.
    pub(super) fn set_frozen(&mut self, account: Option<AccountId>, frozen: bool) {
        let outer = account.and_then(|id| self.tree.outer(id));
        for id in [account, outer].into_iter().flatten() {
            let Some(account) = self.tree.get_mut(id) else {
                continue;
            };
            account.life = match account.life {
                Life::Dead { since } => Life::Dead { since },
                Life::Alive | Life::Frozen if frozen => Life::Frozen,
                Life::Alive | Life::Frozen => Life::Alive,
            };
        }
    }
}

/// The lower of each limit; throttling from where the lower quota is.
fn tighten(outer: &mut Reading, inner: &Reading) {
    let least = |own: &mut Option<u64>, inner: Option<u64>| {
        *own = (*own).into_iter().chain(inner).min();
    };
    let (limits, held) = (&mut outer.limits, &inner.limits);
    least(&mut limits.memory_max_bytes, held.memory_max_bytes);
    least(&mut limits.swap_max_bytes, held.swap_max_bytes);
    least(&mut limits.memory_high_bytes, held.memory_high_bytes);
    let reservation = held.memory_reservation_bytes;
    least(&mut limits.memory_reservation_bytes, reservation);
    if let (Some(own), Some(inner)) = (&mut outer.pids, &inner.pids) {
        least(&mut own.max, inner.max);
    }
    let share = |quota: Option<u64>, period: Option<u64>| Some(quota? as f64 / period? as f64);
    let own = share(limits.cpu_quota_us, limits.cpu_period_us);
    let Some(inner_share) = share(held.cpu_quota_us, held.cpu_period_us) else {
        return;
    };
    if own.is_none_or(|own| inner_share <= own) {
        limits.cpu_quota_us = held.cpu_quota_us;
        limits.cpu_period_us = held.cpu_period_us;
        if let (Some(own), Some(inner)) = (&mut outer.cpu, &inner.cpu) {
            own.throttling = inner.throttling;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::cgroup::{CpuReading, HierarchyId, Limits, PidsReading, Throttling};

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn only_a_containers_own_inner_cgroup_is_one() {
        let mut tree = Tree::new(vec![HierarchyId::V2]);
        let mut next = 0;
        let mut insert = |path: &str| {
            next += 1;
            let key = CgroupKey {
                hierarchy: HierarchyId::V2,
                id: next,
            };
            let inserted = tree.insert(key, path, SystemTime::UNIX_EPOCH);
            inserted.account()
        };
        insert("/");
        let scope = insert(&format!("/machine.slice/libpod-{ID}.scope"));
        let inner = insert(&format!("/machine.slice/libpod-{ID}.scope/container"));
        let nested = insert(&format!(
            "/machine.slice/libpod-{ID}.scope/container/container"
        ));
        let bare = insert("/jobs");
        let named_so = insert("/jobs/container");
        assert_eq!(
            (tree.inner(scope), tree.outer(inner)),
            (Some(inner), Some(scope))
        );
        for other in [nested, named_so] {
            assert_eq!(tree.outer(other), None);
        }
        assert_eq!(tree.inner(bare), None);
    }

    fn reading(quota: Option<u64>, memory: Option<u64>, pids: u64, throttled: u64) -> Reading {
        Reading {
            cpu: Some(CpuReading {
                throttling: Some(Throttling {
                    throttled_periods: throttled,
                    ..Throttling::default()
                }),
                ..CpuReading::default()
            }),
            pids: Some(PidsReading {
                current: 1,
                max: Some(pids),
            }),
            limits: Limits {
                cpu_quota_us: quota,
                cpu_period_us: Some(100_000),
                memory_max_bytes: memory,
                ..Limits::default()
            },
            ..Reading::default()
        }
    }

    #[test]
    fn the_lower_limit_holds_and_its_throttling_counts() {
        let mut scope = reading(None, Some(64), 2302, 0);
        tighten(&mut scope, &reading(Some(20_000), Some(128), 77, 5));
        assert_eq!(scope, reading(Some(20_000), Some(64), 77, 5));
        // A drop-in of the operator's for the scope holds, too.
        let mut scope = reading(Some(10_000), None, 2302, 9);
        tighten(&mut scope, &reading(Some(20_000), None, 77, 5));
        assert_eq!(scope, reading(Some(10_000), None, 77, 9));
    }
}
