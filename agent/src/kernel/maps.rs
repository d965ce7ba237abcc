//! Reading the maps that the programs fill.

use aya::Ebpf;
use aya::maps::{Map, MapData, MapError, PerCpuArray, PerCpuHashMap};
use plimsoll_abi::map::{
    ACTIVITY_ENTRIES, Activity, IO_ENTRIES, IoKey, IoTotals, NETWORK_ENTRIES, NetworkTotals, loss,
};

/// The maps the agent reads each tick.
pub struct Maps {
    network: PerCpuHashMap<MapData, u128, [u64; 4]>,
    io: PerCpuHashMap<MapData, u128, [u64; 6]>,
    activity: PerCpuHashMap<MapData, u64, u64>,
    losses: PerCpuArray<MapData, u64>,
    used: Used,
}

/// Entries that the last reading of each map found.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    network: usize,
    io: usize,
    activity: usize,
}

/// One cgroup's traffic over one interface, all CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CgroupNetwork {
    pub cgroup_id: u64,
    pub ifindex: u32,
    pub totals: NetworkTotals,
}

/// One cgroup's I/O on one disk, all CPUs. The id is of the io controller's hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CgroupIo {
    pub key: IoKey,
    pub totals: IoTotals,
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
            io: take(object, "CGROUP_IO")?,
            activity: take(object, "CGROUP_ACTIVITY")?,
            losses: take(object, "LOSSES")?,
            used: Used::default(),
        })
    }

    /// Traffic of every cgroup and interface. An entry removed meanwhile is left out.
    pub fn network(&mut self) -> Vec<CgroupNetwork> {
        let entries: Vec<_> = self
            .network
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
                let (cgroup_id, ifindex, _) = unpack(key);
                CgroupNetwork {
                    cgroup_id,
                    ifindex,
                    totals,
                }
            })
            .collect();
        self.used.network = entries.len();
        entries
    }

    /// Forgets a cgroup's traffic over one interface; its number is in nobody's map afterwards.
    pub fn forget_network(&mut self, cgroup_id: u64, ifindex: u32) {
        // Absent is as good as removed.
        let _ = self.network.remove(&pack(cgroup_id, ifindex, 0));
    }

    /// I/O of every cgroup and disk. An entry removed meanwhile is left out.
    pub fn io(&mut self) -> Vec<CgroupIo> {
        let entries: Vec<_> = self
            .io
            .iter()
            .filter_map(Result::ok)
            .map(|(key, per_cpu)| {
                let mut sum = [0u64; 6];
                for one in per_cpu.iter() {
                    for (sum, more) in sum.iter_mut().zip(one) {
                        *sum = sum.wrapping_add(*more);
                    }
                }
                let [
                    read_bytes,
                    reads,
                    write_bytes,
                    writes,
                    discard_bytes,
                    discards,
                ] = sum;
                let totals = IoTotals {
                    read_bytes,
                    reads,
                    write_bytes,
                    writes,
                    discard_bytes,
                    discards,
                };
                let (cgroup_id, major, minor) = unpack(key);
                CgroupIo {
                    key: IoKey {
                        cgroup_id,
                        major,
                        minor,
                    },
                    totals,
                }
            })
            .collect();
        self.used.io = entries.len();
        entries
    }

    /// Forgets a removed cgroup's I/O on one disk.
    pub fn forget_io(&mut self, key: IoKey) {
        // Absent is as good as removed.
        let _ = self.io.remove(&pack(key.cgroup_id, key.major, key.minor));
    }

    /// Context switches by cgroup v2 id.
    pub fn activity(&mut self) -> Vec<(u64, Activity)> {
        let entries: Vec<_> = self
            .activity
            .iter()
            .filter_map(Result::ok)
            .map(|(id, per_cpu)| {
                let switches = per_cpu.iter().fold(0u64, |sum, one| sum.wrapping_add(*one));
                (id, Activity { switches })
            })
            .collect();
        self.used.activity = entries.len();
        entries
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

    /// Entries found by the last reading and room, by map name. Counting costs two system calls an
    /// entry, so nothing is counted anew.
    #[must_use]
    pub fn fill(&self) -> [(&'static str, usize, u32); 3] {
        let Used {
            network,
            io,
            activity,
        } = self.used;
        [
            ("network", network, NETWORK_ENTRIES),
            ("io", io, IO_ENTRIES),
            ("activity", activity, ACTIVITY_ENTRIES),
        ]
    }
}

fn take<T>(object: &mut Ebpf, name: &'static str) -> Result<T, MapReadError>
where
    T: TryFrom<Map, Error = MapError>,
{
    let map = object.take_map(name).ok_or(MapReadError::Absent(name))?;
    T::try_from(map).map_err(|source| MapReadError::Open { name, source })
}

/// `aya` takes as keys only types it knows to be plain; the 16 bytes of our keys are a `u128`.
fn pack(cgroup_id: u64, first: u32, second: u32) -> u128 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&cgroup_id.to_ne_bytes());
    bytes[8..12].copy_from_slice(&first.to_ne_bytes());
    bytes[12..].copy_from_slice(&second.to_ne_bytes());
    u128::from_ne_bytes(bytes)
}

fn unpack(key: u128) -> (u64, u32, u32) {
    let bytes = key.to_ne_bytes();
    let (mut id, mut first, mut second) = ([0; 8], [0; 4], [0; 4]);
    id.copy_from_slice(&bytes[..8]);
    first.copy_from_slice(&bytes[8..12]);
    second.copy_from_slice(&bytes[12..]);
    (
        u64::from_ne_bytes(id),
        u32::from_ne_bytes(first),
        u32::from_ne_bytes(second),
    )
}

#[cfg(test)]
mod tests {
    use super::{pack, unpack};

    #[test]
    fn a_key_survives_packing() {
        let key = (0x0123_4567_89ab_cdef, 7, 9);
        assert_eq!(unpack(pack(key.0, key.1, key.2)), key);
    }
}
