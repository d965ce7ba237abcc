//! Network of one workload: whose namespace, which interfaces, what they carried.

use std::collections::BTreeMap;

use plimsoll_abi::map::NetworkTotals;

use super::rollup::Rollup;
use super::snapshot::{InterfaceTotals, NetdevTotals, Network};

/// `lo` in every network namespace (`LOOPBACK_IFINDEX`, include/net/flow.h, v6.12).
const LOOPBACK: u32 = 1;

/// What the ledger keeps of it.
#[derive(Clone, Debug, Default)]
pub(super) struct NetworkAccount {
    /// By interface name.
    pub(super) traffic: Rollup<String, NetworkTotals>,
    /// Names of interfaces by number, as far as asked.
    pub(super) names: BTreeMap<u32, String>,
    pub(super) netdev: Vec<NetdevTotals>,
    /// A process of it, to ask in whose network namespace it is; and that namespace's inode number.
    pub(super) process: Option<u32>,
    pub(super) namespace: Option<u32>,
}

impl NetworkAccount {
    /// Name of an interface. One that vanished before its name was asked keeps its number.
    pub(super) fn interface(&self, ifindex: u32) -> String {
        match self.names.get(&ifindex) {
            Some(name) => name.clone(),
            None if ifindex == LOOPBACK => "lo".to_owned(),
            None => format!("if{ifindex}"),
        }
    }

    /// Whether the interface's name is still to be asked for.
    pub(super) fn lacks_name(&self, ifindex: u32) -> bool {
        ifindex != LOOPBACK && !self.names.contains_key(&ifindex)
    }

    /// `measured`: the probes are attached, and the workload is where they can tell.
    pub(super) fn snapshot(&self, measured: bool) -> Network {
        let interface = |(name, totals): (&String, &NetworkTotals)| InterfaceTotals {
            interface: name.clone(),
            receive_bytes: totals.receive_bytes,
            receive_packets: totals.receive_packets,
            transmit_bytes: totals.transmit_bytes,
            transmit_packets: totals.transmit_packets,
        };
        Network {
            interfaces: measured.then(|| self.traffic.sum().iter().map(interface).collect()),
            netdev: self.netdev.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NetworkAccount;

    #[test]
    fn interface_one_is_lo_without_asking() {
        let mut network = NetworkAccount::default();
        assert_eq!(network.interface(1), "lo");
        assert_eq!(network.interface(9), "if9");
        assert!(network.lacks_name(9) && !network.lacks_name(1));
        network.names.insert(9, "eth0".to_owned());
        assert_eq!(network.interface(9), "eth0");
    }
}
