//! A kernel for tests: it rounds, refuses, takes along, needs time, and loses power.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::cgroup::{
    CgroupKey, DeviceNumber, HierarchyId, IoCaps, Knob, Placement, Quota, Setting,
    memory_for_writes,
};
use crate::enforce::claims::{Owner, Slot, Thing, Value};
use crate::enforce::hands::{From, HandError, Hands, Progress, Walk};

pub(crate) const UNLIMITED: Quota = Quota {
    quota_us: None,
    period_us: 100_000,
};

/// The one disk there is.
pub(crate) const DISK: DeviceNumber = DeviceNumber { major: 8, minor: 0 };

/// The freezer has a hierarchy of its own.
pub(crate) const FREEZER: HierarchyId = HierarchyId(4);

/// What unwinds out of a write when the power goes.
pub(crate) struct Killed;

#[derive(Default)]
struct Kernel {
    values: BTreeMap<(u64, Thing), Value>,
    gone: BTreeSet<u64>,
    /// The kernel says no to these.
    refused: Vec<Value>,
    /// Writes of these take so many looks.
    slow: BTreeMap<Thing, u32>,
    /// Somebody else writes this right after us.
    meanwhile: Option<(u64, Value)>,
    /// Writes left until the power goes: before the write if even, after it if odd.
    fuel: Option<u32>,
    writes: u64,
}

/// Shared by all that outlives a process.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<Kernel>>);

impl World {
    fn lock(&self) -> MutexGuard<'_, Kernel> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Makes a cgroup with defaults; its placement.
    pub(crate) fn cgroup(&self, id: u64) -> Placement {
        for value in defaults() {
            self.lock().values.insert((id, value.thing()), value);
        }
        Placement {
            paths: [(HierarchyId::V2, format!("/{id}"))].into(),
        }
    }

    pub(crate) fn values(&self) -> BTreeMap<(u64, Thing), Value> {
        self.lock().values.clone()
    }

    pub(crate) fn value(&self, id: u64, knob: Knob) -> Value {
        self.lock().values[&(id, Thing::Knob(knob))].clone()
    }

    /// As somebody else would.
    pub(crate) fn set(&self, id: u64, setting: Setting) {
        let value = Value::Setting(setting);
        self.lock().values.insert((id, value.thing()), value);
    }

    pub(crate) fn remove(&self, id: u64) {
        self.lock().gone.insert(id);
    }

    pub(crate) fn refuse(&self, setting: Option<Setting>) {
        self.lock().refused = setting.into_iter().map(Value::Setting).collect();
    }

    /// As somebody else would, between our next write of it and our look at what became of it.
    pub(crate) fn set_meanwhile(&self, id: u64, setting: Setting) {
        self.lock().meanwhile = Some((id, Value::Setting(setting)));
    }

    pub(crate) fn slow(&self, knob: Knob, looks: u32) {
        self.lock().slow.insert(Thing::Knob(knob), looks);
    }

    pub(crate) fn fuel(&self, writes: Option<u32>) {
        self.lock().fuel = writes;
    }

    pub(crate) fn writes(&self) -> u64 {
        self.lock().writes
    }
}

fn defaults() -> Vec<Value> {
    let settings = [
        Setting::CpuMax(UNLIMITED),
        Setting::CpuMaxBurst(0),
        Setting::MemoryMax(None),
        Setting::IoMax(DISK, IoCaps::default()),
        Setting::PidsMax(None),
        Setting::Freeze(false),
    ];
    settings.into_iter().map(Value::Setting).collect()
}

fn id_of(owner: &Owner) -> u64 {
    owner.keys[&HierarchyId::V2].id
}

fn rounded(value: &Value) -> Value {
    match value {
        Value::Setting(Setting::MemoryMax(Some(bytes))) => {
            Value::Setting(Setting::MemoryMax(Some(bytes - bytes % 4_096)))
        }
        other => other.clone(),
    }
}

impl Kernel {
    fn check(&self, id: u64) -> Result<(), HandError> {
        if self.gone.contains(&id) || !self.values.keys().any(|(of, _)| *of == id) {
            return Err(HandError::Gone);
        }
        Ok(())
    }

    fn burst(&self, id: u64) -> u64 {
        match self.values[&(id, Thing::Knob(Knob::CpuMaxBurst))] {
            Value::Setting(Setting::CpuMaxBurst(burst)) => burst,
            _ => unreachable!(),
        }
    }

    /// The quota, if there is one.
    fn limited(&self, id: u64) -> Option<Value> {
        let quota = self.values.get(&(id, Thing::Knob(Knob::CpuMax)))?;
        (*quota != Value::Setting(Setting::CpuMax(UNLIMITED))).then(|| quota.clone())
    }

    fn setting(&self, id: u64, knob: Knob) -> Option<Setting> {
        match self.values.get(&(id, Thing::Knob(knob)))? {
            Value::Setting(setting) => Some(setting.clone()),
            Value::Traffic(_) | Value::Devices(_) => None,
        }
    }

    fn put(&mut self, id: u64, value: &Value) -> Result<Value, HandError> {
        self.check(id)?;
        let quota = Thing::Knob(Knob::CpuMax);
        match (value, &self.values[&(id, quota)]) {
            (
                Value::Setting(Setting::CpuMaxBurst(burst)),
                Value::Setting(Setting::CpuMax(Quota {
                    quota_us: Some(quota),
                    ..
                })),
            ) if burst > quota => return Err(HandError::Failed("EINVAL".into())),
            _ => {}
        }
        if self.refused.contains(value) {
            return Err(HandError::Failed("EBUSY".into()));
        }
        if let Value::Setting(Setting::CpuMax(Quota {
            quota_us: Some(quota),
            ..
        })) = value
            && self.burst(id) > *quota
        {
            let burst = Value::Setting(Setting::CpuMaxBurst(*quota));
            self.values.insert((id, burst.thing()), burst);
        }
        let value = rounded(value);
        self.values.insert((id, value.thing()), value.clone());
        self.writes += 1;
        Ok(value)
    }
}

impl Hands for World {
    fn owner(&mut self, id: &Arc<str>, name: &Arc<str>, placement: &Placement) -> Owner {
        let number = placement.paths[&HierarchyId::V2][1..].parse().unwrap();
        let key = |hierarchy| {
            let key = CgroupKey {
                hierarchy,
                id: number,
            };
            (hierarchy, key)
        };
        let mut placement = placement.clone();
        placement.paths.insert(FREEZER, format!("/{number}"));
        Owner {
            id: Arc::clone(id),
            name: Arc::clone(name),
            placement,
            keys: [HierarchyId::V2, FREEZER].map(key).into(),
        }
    }

    fn slot(&mut self, owner: &Owner, thing: Thing) -> Result<Slot, HandError> {
        let hierarchy = match thing {
            Thing::Knob(Knob::Freeze) => FREEZER,
            _ => HierarchyId::V2,
        };
        let cgroup = owner.keys[&hierarchy];
        self.lock().check(cgroup.id)?;
        Ok(Slot { cgroup, thing })
    }

    fn read(&mut self, owner: &Owner, thing: Thing) -> Result<Value, HandError> {
        let kernel = self.lock();
        kernel.check(id_of(owner))?;
        let value = kernel.values.get(&(id_of(owner), thing));
        value
            .cloned()
            .ok_or_else(|| HandError::NotEnforceable("no such file".into()))
    }

    fn asides(&mut self, owner: &Owner, value: &Value) -> Result<Vec<Value>, HandError> {
        let kernel = self.lock();
        kernel.check(id_of(owner))?;
        Ok(match value {
            Value::Setting(Setting::CpuMax(Quota {
                quota_us: Some(quota),
                ..
            })) if kernel.burst(id_of(owner)) > *quota => {
                vec![Value::Setting(Setting::CpuMaxBurst(
                    kernel.burst(id_of(owner)),
                ))]
            }
            // Lifted for as long as freezing takes.
            Value::Setting(Setting::Freeze(true)) => {
                kernel.limited(id_of(owner)).into_iter().collect()
            }
            _ => Vec::new(),
        })
    }

    fn hazard(&mut self, owner: &Owner, setting: &Setting, coming: &[Setting]) -> Option<String> {
        let kernel = self.lock();
        let in_force = |knob| kernel.setting(id_of(owner), knob);
        let beside = match setting {
            Setting::IoMax(..) => in_force(Knob::MemoryMax),
            Setting::MemoryMax(_) => in_force(Knob::IoMax(DISK)),
            _ => None,
        };
        let all = || beside.iter().chain(coming).chain([setting]);
        let rates = all().filter_map(|one| match one {
            Setting::IoMax(_, caps) => caps.wbps,
            _ => None,
        });
        let limits = all().filter_map(|one| match one {
            Setting::MemoryMax(limit) => *limit,
            _ => None,
        });
        let kills = limits.min()? < memory_for_writes(rates.min()?);
        kills.then(|| "the kernel kills".to_owned())
    }

    fn caveats(&mut self, _: &Owner, thing: Thing) -> Vec<String> {
        match thing {
            Thing::Knob(Knob::IoMax(_)) => vec!["it does not see buffered writes".into()],
            _ => Vec::new(),
        }
    }

    fn write(&mut self, owner: &Owner, value: &Value, _: From<'_>) -> Result<Progress, HandError> {
        let id = id_of(owner);
        let mut kernel = self.lock();
        let fuel = kernel.fuel;
        if let Some(left) = fuel {
            kernel.fuel = Some(left.saturating_sub(2));
        }
        if fuel == Some(0) {
            std::panic::resume_unwind(Box::new(Killed));
        }
        kernel.check(id)?;
        let looks = kernel.slow.get(&value.thing()).copied();
        if let Some(looks) = looks.filter(|looks| *looks > 0) {
            let mut lifted = None;
            if *value == Value::Setting(Setting::Freeze(true)) {
                lifted = kernel.limited(id);
                if lifted.is_some() {
                    kernel.put(id, &Value::Setting(Setting::CpuMax(UNLIMITED)))?;
                }
            }
            let walk = SlowWrite {
                world: self.clone(),
                id,
                value: value.clone(),
                looks,
                lifted,
            };
            return Ok(Progress::UnderWay {
                walk: Box::new(walk),
                reason: "reclaiming".into(),
            });
        }
        let written = kernel.put(id, value);
        let meanwhile = kernel
            .meanwhile
            .take_if(|(of, theirs)| *of == id && theirs.thing() == value.thing());
        if let Some((_, theirs)) = meanwhile {
            kernel.put(id, &theirs)?;
            return Err(HandError::Foreign(Box::new(theirs)));
        }
        if fuel == Some(1) {
            std::panic::resume_unwind(Box::new(Killed));
        }
        written.map(Progress::Done)
    }

    fn files(&mut self, _: &Owner, _: Thing) -> Vec<PathBuf> {
        Vec::new()
    }
}

struct SlowWrite {
    world: World,
    id: u64,
    value: Value,
    looks: u32,
    lifted: Option<Value>,
}

impl Walk for SlowWrite {
    fn step(&mut self) -> Result<Option<Value>, HandError> {
        if self.looks > 0 {
            self.looks -= 1;
            return Ok(None);
        }
        let after = self.world.lock().put(self.id, &self.value)?;
        if let Some(quota) = &self.lifted {
            self.world.lock().put(self.id, quota)?;
        }
        Ok(Some(after))
    }

    fn can_be_dropped(&self) -> bool {
        self.id.is_multiple_of(2)
    }
}
