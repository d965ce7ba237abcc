//! Reading the maps that the programs fill.

use aya::Ebpf;
use aya::maps::{Map, MapData, MapError, PerCpuArray, PerCpuHashMap};
use plimsoll_abi::map::{
    ACTIVITY_ENTRIES, Activity, NETWORK_ENTRIES, NetworkKey, NetworkTotals, loss,
};

/// The maps the agent reads each tick.
pub struct Maps {
    network: PerCpuHashMap<MapData, u128, [u64; 4]>,
    activity: PerCpuHashMap<MapData, u64, u64>,
    losses: PerCpuArray<MapData, u64>,
}

/// One cgroup's traffic over one interface, all CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CgroupNetwork {
    pub cgroup_id: u64,
    pub ifindex: u32,
    pub totals: NetworkTotals,
}

/// A map cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MapReadError {
    #[error("the object has no map {0}")]
    Absent(&'static str),
    #[error("cannot open map {name}")]
    Open {
        name: &'static str,
        source: MapError,
    },
}

impl Maps {
    pub(super) fn take(object: &mut Ebpf) -> Result<Self, MapReadError> {
        Ok(Self {
            network: take(object, "CGROUP_NETWORK")?,
            activity: take(object, "CGROUP_ACTIVITY")?,
            losses: take(object, "LOSSES")?,
        })
    }

    /// Traffic of every cgroup and interface. An entry removed meanwhile is left out.
    pub fn network(&self) -> impl Iterator<Item = CgroupNetwork> {
        self.network
            .iter()
            .filter_map(Result::ok)
            .map(|(key, per_cpu)| {
                let mut totals = NetworkTotals::default();
                for [
                    receive_bytes,
                    receive_packets,
                    transmit_bytes,
                    transmit_packets,
                ] in per_cpu.iter()
                {
                    totals.receive_bytes = totals.receive_bytes.wrapping_add(*receive_bytes);
                    totals.receive_packets = totals.receive_packets.wrapping_add(*receive_packets);
                    totals.transmit_bytes = totals.transmit_bytes.wrapping_add(*transmit_bytes);
                    totals.transmit_packets =
                        totals.transmit_packets.wrapping_add(*transmit_packets);
                }
                let NetworkKey {
                    cgroup_id, ifindex, ..
                } = unpack(key);
                CgroupNetwork {
                    cgroup_id,
                    ifindex,
                    totals,
                }
            })
    }

    /// Forgets a cgroup's traffic over one interface; its number is in nobody's map afterwards.
    pub fn forget_network(&mut self, cgroup_id: u64, ifindex: u32) {
        let key = NetworkKey {
            cgroup_id,
            ifindex,
            reserved: 0,
        };
        // Absent is as good as removed.
        let _ = self.network.remove(&pack(key));
    }

    /// Context switches by cgroup v2 id.
    pub fn activity(&self) -> impl Iterator<Item = (u64, Activity)> {
        self.activity
            .iter()
            .filter_map(Result::ok)
            .map(|(id, per_cpu)| {
                let switches = per_cpu.iter().fold(0u64, |sum, one| sum.wrapping_add(*one));
                (id, Activity { switches })
            })
    }

    /// Forgets a removed cgroup's switches.
    pub fn forget_activity(&mut self, cgroup_id: u64) {
        // Absent is as good as removed.
        let _ = self.activity.remove(&cgroup_id);
    }

    /// What the programs could not record, by slot of `plimsoll_abi::map::loss`.
    pub fn losses(&self) -> impl Iterator<Item = (&'static str, u64)> {
        (0..loss::SLOTS).map(|slot| {
            let sum = self
                .losses
                .get(&slot, 0)
                .map_or(0, |per_cpu| per_cpu.iter().sum());
            (loss::NAMES[slot as usize], sum)
        })
    }

    /// Room in the two hash maps, by map name.
    #[must_use]
    pub fn capacities() -> [(&'static str, u32); 2] {
        [("network", NETWORK_ENTRIES), ("activity", ACTIVITY_ENTRIES)]
    }
}

fn take<T>(object: &mut Ebpf, name: &'static str) -> Result<T, MapReadError>
where
    T: TryFrom<Map, Error = MapError>,
{
    let map = object.take_map(name).ok_or(MapReadError::Absent(name))?;
    T::try_from(map).map_err(|source| MapReadError::Open { name, source })
}

/// `aya` takes as keys only types it knows to be plain; 16 bytes are a `u128`.
fn pack(key: NetworkKey) -> u128 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&key.cgroup_id.to_ne_bytes());
    bytes[8..12].copy_from_slice(&key.ifindex.to_ne_bytes());
    u128::from_ne_bytes(bytes)
}

fn unpack(key: u128) -> NetworkKey {
    let bytes = key.to_ne_bytes();
    let (mut id, mut ifindex) = ([0; 8], [0; 4]);
    id.copy_from_slice(&bytes[..8]);
    ifindex.copy_from_slice(&bytes[8..12]);
    NetworkKey {
        cgroup_id: u64::from_ne_bytes(id),
        ifindex: u32::from_ne_bytes(ifindex),
        reserved: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{NetworkKey, pack, unpack};

    #[test]
    fn a_key_survives_packing() {
        let key = NetworkKey {
            cgroup_id: 0x0123_4567_89ab_cdef,
            ifindex: 7,
            reserved: 0,
        };
        assert_eq!(unpack(pack(key)), key);
    }
}
