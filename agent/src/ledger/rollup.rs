//! Totals that the kernel's maps keep by cgroup alone, summed up the tree so that they mean what the
//! controllers' totals mean: the workload and all below it, those that are gone included.

use std::collections::BTreeMap;

use plimsoll_abi::map::{IoTotals, NetworkTotals};

/// A total that can be summed.
pub(super) trait Total: Copy + Default {
    /// Adds another one.
    fn add(&mut self, more: &Self);
}

/// Totals of one workload, by `K` (interface, disk).
#[derive(Clone, Debug)]
pub(super) struct Rollup<K, V> {
    /// What the map says of its own cgroup.
    own: BTreeMap<K, V>,
    /// What removed children had.
    retired: BTreeMap<K, V>,
    /// Own, retired and all below: made anew in each tick.
    sum: BTreeMap<K, V>,
}

impl<K, V> Default for Rollup<K, V> {
    fn default() -> Self {
        Self {
            own: BTreeMap::new(),
            retired: BTreeMap::new(),
            sum: BTreeMap::new(),
        }
    }
}

impl<K: Ord + Clone, V: Total> Rollup<K, V> {
    /// The map is about to be read.
    pub(super) fn clear_own(&mut self) {
        self.own.clear();
    }

    /// One entry of the map.
    pub(super) fn add_own(&mut self, key: K, total: &V) {
        self.own.entry(key).or_default().add(total);
    }

    /// One entry of a removed cgroup below, for good.
    pub(super) fn inherit_one(&mut self, key: K, total: &V) {
        self.retired.entry(key).or_default().add(total);
    }

    /// Takes over all that a removed child had.
    pub(super) fn inherit(&mut self, child: &BTreeMap<K, V>) {
        add_all(&mut self.retired, child);
    }

    /// Starts the sum: own and retired.
    pub(super) fn start_sum(&mut self) {
        self.sum.clone_from(&self.retired);
        add_all(&mut self.sum, &self.own);
    }

    /// Adds what a child sums up to.
    pub(super) fn add_child(&mut self, child: &BTreeMap<K, V>) {
        add_all(&mut self.sum, child);
    }

    /// A new cgroup takes the place of a removed one: what that one's children had.
    pub(super) fn start_anew(&mut self) -> BTreeMap<K, V> {
        std::mem::take(self).retired
    }

    pub(super) fn sum(&self) -> &BTreeMap<K, V> {
        &self.sum
    }

    pub(super) fn set_sum(&mut self, sum: BTreeMap<K, V>) {
        self.sum = sum;
    }
}

/// Adds key by key.
pub(super) fn add_all<K: Ord + Clone, V: Total>(sum: &mut BTreeMap<K, V>, more: &BTreeMap<K, V>) {
    for (key, total) in more {
        sum.entry(key.clone()).or_default().add(total);
    }
}

impl Total for u64 {
    fn add(&mut self, more: &Self) {
        *self = self.wrapping_add(*more);
    }
}

impl Total for NetworkTotals {
    fn add(&mut self, more: &Self) {
        self.receive_bytes.add(&more.receive_bytes);
        self.receive_packets.add(&more.receive_packets);
        self.transmit_bytes.add(&more.transmit_bytes);
        self.transmit_packets.add(&more.transmit_packets);
    }
}

impl Total for IoTotals {
    fn add(&mut self, more: &Self) {
        self.read_bytes.add(&more.read_bytes);
        self.reads.add(&more.reads);
        self.write_bytes.add(&more.write_bytes);
        self.writes.add(&more.writes);
        self.discard_bytes.add(&more.discard_bytes);
        self.discards.add(&more.discards);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_when_a_child_goes() {
        let (mut parent, mut child) = (Rollup::default(), Rollup::default());
        child.add_own("eth0", &100u64);
        child.inherit_one("eth0", &10);
        parent.add_own("lo", &1);
        child.start_sum();
        parent.start_sum();
        parent.add_child(child.sum());
        let before = parent.sum().clone();
        assert_eq!(before, BTreeMap::from([("eth0", 110), ("lo", 1)]));
        parent.inherit(child.sum());
        parent.start_sum();
        assert_eq!(*parent.sum(), before);
    }

    #[test]
    fn a_new_cgroup_starts_at_zero() {
        let mut rollup = Rollup::default();
        rollup.add_own((), &5u64);
        rollup.inherit_one((), &7);
        assert_eq!(rollup.start_anew(), BTreeMap::from([((), 7)]));
        rollup.start_sum();
        assert!(rollup.sum().is_empty());
    }
}
