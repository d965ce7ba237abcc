//! Workloads beyond the configured cap: one bucket for all of them, so that nothing is lost from sums.

use std::collections::BTreeMap;

use plimsoll_abi::map::NetworkTotals;

use super::account::Account;
use super::rollup::add_all;
use crate::cgroup::{CpuReading, DeviceIo, DeviceNumber, MemoryReading, Reading};

/// What folded workloads that are gone had used.
#[derive(Clone, Debug, Default)]
pub(super) struct Other {
    retired: Sum,
    /// Whether anything was ever retired into it.
    used: bool,
}

/// Sums of counters and gauges.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    pub(super) reading: Reading,
    pub(super) network: BTreeMap<String, NetworkTotals>,
    pub(super) oom_kills: u64,
    pub(super) switches: u64,
    pub(super) execs: u64,
    pub(super) exits: u64,
    pub(super) foreign_namespace_enters: u64,
}

impl Other {
    /// A folded workload is forgotten: its counters stay.
    pub(super) fn retire(&mut self, account: &Account) {
        self.used = true;
        self.retired.add(account);
        // Memory is a gauge: what is gone uses none.
        self.retired.reading.memory = None;
    }

    /// Whether it has counters though no workload may be in it now.
    pub(super) fn is_used(&self) -> bool {
        self.used
    }

    /// The bucket: what is gone, and the workloads given.
    pub(super) fn sum<'a>(&self, alive: impl Iterator<Item = &'a Account>) -> Sum {
        let mut sum = self.retired.clone();
        alive.for_each(|account| sum.add(account));
        sum
    }
}

impl Sum {
    fn add(&mut self, account: &Account) {
        let more = &account.reading;
        if let Some(cpu) = more.cpu {
            let sum = self.reading.cpu.get_or_insert_with(CpuReading::default);
            sum.usage_ns += cpu.usage_ns;
            sum.user_ns += cpu.user_ns;
            sum.system_ns += cpu.system_ns;
        }
        if let Some(memory) = more.memory {
            let sum = self
                .reading
                .memory
                .get_or_insert_with(MemoryReading::default);
            sum.usage_bytes += memory.usage_bytes;
            sum.working_set_bytes += memory.working_set_bytes;
            sum.rss_bytes += memory.rss_bytes;
            sum.cache_bytes += memory.cache_bytes;
            sum.mapped_file_bytes += memory.mapped_file_bytes;
            sum.active_file_bytes += memory.active_file_bytes;
            sum.inactive_file_bytes += memory.inactive_file_bytes;
            sum.page_faults += memory.page_faults;
            sum.major_page_faults += memory.major_page_faults;
        }
        if let Some(io) = account.counted_io.as_ref().or(more.io.as_ref()) {
            let devices = self.reading.io.get_or_insert_with(Vec::new);
            for one in io {
                let sum = device(devices, one.device);
                sum.read_bytes += one.read_bytes;
                sum.write_bytes += one.write_bytes;
                sum.reads += one.reads;
                sum.writes += one.writes;
                sum.discard_bytes += one.discard_bytes;
                sum.discards += one.discards;
            }
        }
        add_all(&mut self.network, account.network.traffic.sum());
        self.oom_kills += account.oom_kills;
        self.switches += account.total_switches();
        self.execs += account.execs;
        self.exits += account.exits;
        self.foreign_namespace_enters += account.foreign_namespace_enters;
    }
}

fn device(devices: &mut Vec<DeviceIo>, number: DeviceNumber) -> &mut DeviceIo {
    let at = devices
        .iter()
        .position(|one| one.device == number)
        .unwrap_or_else(|| {
            devices.push(DeviceIo {
                device: number,
                ..DeviceIo::default()
            });
            devices.len() - 1
        });
    &mut devices[at]
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::cgroup::HierarchyId;
    use crate::identity::Identity;

    #[test]
    fn counters_of_what_is_gone_stay_and_memory_does_not() {
        let mut account =
            Account::new(Identity::default(), HierarchyId::V2, SystemTime::UNIX_EPOCH);
        account.reading.cpu = Some(CpuReading {
            usage_ns: 7,
            ..CpuReading::default()
        });
        account.reading.memory = Some(MemoryReading {
            usage_bytes: 4096,
            ..MemoryReading::default()
        });
        let mut other = Other::default();
        assert!(!other.is_used());
        let alive = other.sum(std::iter::once(&account));
        assert_eq!(
            alive.reading.memory.map(|memory| memory.usage_bytes),
            Some(4096)
        );
        other.retire(&account);
        let gone = other.sum(std::iter::empty());
        assert!(other.is_used());
        assert_eq!(gone.reading.cpu.map(|cpu| cpu.usage_ns), Some(7));
        assert_eq!(gone.reading.memory, None);
    }
}
