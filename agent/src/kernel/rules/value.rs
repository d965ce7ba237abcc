//! Rules as the programs read them.

use std::borrow::{Borrow, BorrowMut};

use aya::maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray};
use aya::{Ebpf, Pod};
use plimsoll_abi::rules::{Counts, ONLY};

use super::error::HoldError;

/// A value of a map, of a type that both sides share.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Value<T>(pub(super) T);

// SAFETY: only types of `plimsoll_abi::rules` are put in: plain integers without padding, for which
// every bit pattern is a value.
unsafe impl<T: Copy + 'static> Pod for Value<T> {}

/// The only entry of an array, which programs change too.
pub(super) struct Cell<T: Copy + 'static, M: Borrow<MapData> = MapData> {
    map: Array<M, Value<T>>,
    name: &'static str,
}

impl<T: Copy + 'static> Cell<T> {
    /// Fails where the map's value has another size: it is of another version of the agent.
    pub(super) fn open(name: &'static str, map: Map) -> Result<Self, HoldError> {
        let map = Array::try_from(map).map_err(|error| unusable(name, &error))?;
        Ok(Self { map, name })
    }
}

impl<'a, T: Copy + 'static> Cell<T, &'a mut MapData> {
    /// In an object whose programs are not loaded yet.
    pub(super) fn within(object: &'a mut Ebpf, name: &'static str) -> Result<Self, HoldError> {
        let map = object.map_mut(name).ok_or_else(|| absent(name))?;
        let map = Array::try_from(map).map_err(|error| unusable(name, &error))?;
        Ok(Self { map, name })
    }
}

impl<T: Copy + 'static, M: Borrow<MapData>> Cell<T, M> {
    pub(super) fn get(&self) -> Result<T, HoldError> {
        let value = self.map.get(&ONLY, 0);
        value
            .map(|value| value.0)
            .map_err(|error| unusable(self.name, &error))
    }
}

impl<T: Copy + 'static, M: BorrowMut<MapData>> Cell<T, M> {
    pub(super) fn set(&mut self, value: T) -> Result<(), HoldError> {
        let set = self.map.set(ONLY, Value(value), 0);
        set.map_err(|error| unusable(self.name, &error))
    }
}

/// The only entry of a hash map, which only the agent changes: it is replaced whole.
pub(super) struct List<T: Copy + 'static, M: Borrow<MapData> = MapData> {
    map: HashMap<M, u32, Value<T>>,
    name: &'static str,
}

impl<T: Copy + 'static> List<T> {
    /// As [`Cell::open`].
    pub(super) fn open(name: &'static str, map: Map) -> Result<Self, HoldError> {
        let map = HashMap::try_from(map).map_err(|error| unusable(name, &error))?;
        Ok(Self { map, name })
    }
}

impl<'a, T: Copy + 'static> List<T, &'a mut MapData> {
    /// As [`Cell::within`].
    pub(super) fn within(object: &'a mut Ebpf, name: &'static str) -> Result<Self, HoldError> {
        let map = object.map_mut(name).ok_or_else(|| absent(name))?;
        let map = HashMap::try_from(map).map_err(|error| unusable(name, &error))?;
        Ok(Self { map, name })
    }
}

impl<T: Copy + 'static, M: Borrow<MapData>> List<T, M> {
    pub(super) fn get(&self) -> Result<T, HoldError> {
        let value = self.map.get(&ONLY, 0);
        value
            .map(|value| value.0)
            .map_err(|error| unusable(self.name, &error))
    }
}

impl<T: Copy + 'static, M: BorrowMut<MapData>> List<T, M> {
    pub(super) fn set(&mut self, value: T) -> Result<(), HoldError> {
        let set = self.map.insert(ONLY, Value(value), 0);
        set.map_err(|error| unusable(self.name, &error))
    }
}

/// The sum over all CPUs.
pub(super) fn counts(map: Map) -> Option<Counts> {
    let map = PerCpuArray::<_, Value<Counts>>::try_from(map).ok()?;
    let per_cpu = map.get(&ONLY, 0).ok()?;
    Some(per_cpu.iter().fold(Counts::default(), |sum, one| Counts {
        passed_bytes: sum.passed_bytes.wrapping_add(one.0.passed_bytes),
        passed_packets: sum.passed_packets.wrapping_add(one.0.passed_packets),
        dropped_bytes: sum.dropped_bytes.wrapping_add(one.0.dropped_bytes),
        dropped_packets: sum.dropped_packets.wrapping_add(one.0.dropped_packets),
        denied: sum.denied.wrapping_add(one.0.denied),
    }))
}

pub(super) fn absent(name: &'static str) -> HoldError {
    HoldError::Map {
        name,
        reason: "there is none of that name".to_owned(),
    }
}

pub(super) fn unusable(name: &'static str, error: &MapError) -> HoldError {
    HoldError::Map {
        name,
        reason: error.to_string(),
    }
}
