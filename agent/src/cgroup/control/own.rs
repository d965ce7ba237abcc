//! One workload's control files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::absent::{absent, name_absent};
use super::route::Routes;
use super::site::Site;
use super::{
    ControlError, Knob, NotEnforceable, Setting, caveat, cpu, cpuset, freeze, io, memory, pids,
};
use crate::cgroup::{CgroupKey, Controller, HierarchyId, Layout, Placement};

/// One workload's control files in every hierarchy it sits in. Each directory is pinned by its
/// inode: a cgroup that was removed and made again under the same path is
/// [`Vanished`](crate::cgroup::Vanished) here. Keeps no descriptor open.
#[derive(Debug)]
pub struct Control {
    pub(super) routes: Routes,
    keys: BTreeMap<HierarchyId, CgroupKey>,
}

impl Control {
    /// Takes up the workload's cgroups. Those of a hierarchy in which it sits in the root are left
    /// alone: what would be set there is the whole host's.
    #[must_use]
    pub fn open(layout: &Layout, placement: &Placement) -> Self {
        let routes = Routes::find(layout, placement);
        let keys = routes.keys();
        Self { routes, keys }
    }

    /// The cgroups it was opened on.
    #[must_use]
    pub fn keys(&self) -> &BTreeMap<HierarchyId, CgroupKey> {
        &self.keys
    }

    /// The cgroup, of all those it was opened on, that carries the knob.
    ///
    /// # Errors
    /// None does; why not.
    pub fn key(&self, knob: Knob) -> Result<CgroupKey, NotEnforceable> {
        let gone = || NotEnforceable {
            what: knob.name(),
            reason: "the cgroup is gone".to_owned(),
        };
        self.site(knob)?.key().ok_or_else(gone)
    }

    /// Can it be set here? Looks for the file, and writes nothing.
    ///
    /// # Errors
    /// The reason why not; for a cgroup that is gone, that.
    pub fn enforceable(&self, knob: Knob) -> Result<(), NotEnforceable> {
        let site = self.site(knob)?;
        let refuse = |error: ControlError| match error {
            ControlError::NotEnforceable(refused) => refused,
            other => NotEnforceable {
                what: knob.name(),
                reason: other.to_string(),
            },
        };
        let names = knob.file_names(site).map_err(refuse)?;
        for name in names {
            if !site.has(name).map_err(refuse)? {
                return Err(absent(site, knob, name));
            }
        }
        Ok(())
    }

    /// What an operator must know of a knob that can be set here, and does not do all that its name
    /// promises.
    #[must_use]
    pub fn caveat(&self, knob: Knob) -> Option<&'static str> {
        let site = self.site(knob).ok()?;
        let memory = self.routes.to(Controller::Memory, knob.name());
        let memory_on_v2 = memory.is_ok_and(Site::is_unified);
        match knob {
            Knob::IoWeight => Some(io::weight_caveat(site)),
            _ => caveat::of(knob, site.is_unified(), memory_on_v2),
        }
    }

    /// What is in force now. Reading again gives an equal setting until somebody writes, and
    /// writing it back restores the file to the byte.
    ///
    /// # Errors
    /// Not enforceable here, gone, or not readable.
    pub fn read(&self, knob: Knob) -> Result<Setting, ControlError> {
        let site = self.site(knob)?;
        self.read_at(site, knob)
            .map_err(|error| name_absent(site, knob, error))
    }

    /// All that writing this would change, as it is now: the knob itself first, then others that
    /// the kernel or the way there changes with it (`cpu.idle` forgets the weight, a quota below
    /// the burst lowers the burst, …). Written in this order, they restore what was.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn before(&self, setting: &Setting) -> Result<Vec<Setting>, ControlError> {
        let knob = setting.knob();
        let site = self.site(knob)?;
        let now = self.read(knob)?;
        let more = match (setting, &now) {
            (Setting::CpuMax(wanted), _) => cpu::burst_above(site, *wanted)?,
            (Setting::CpuIdle(true), Setting::CpuIdle(false)) => vec![self.read(Knob::CpuWeight)?],
            (Setting::Freeze(true), _) => freeze::changed(self)?,
            (Setting::MemoryMax(wanted), _) => memory::changed_by_max(site, *wanted)?,
            _ => Vec::new(),
        };
        Ok([vec![now], more].concat())
    }

    /// Sets it, and returns it as read back: in this hierarchy's unit, rounded as the kernel rounds.
    ///
    /// # Errors
    /// Refused by us before, or by the kernel, with the reason as far as it can be known; or another
    /// value is in force after it.
    pub fn write(&self, setting: &Setting) -> Result<Setting, ControlError> {
        let knob = setting.knob();
        let site = self.site(knob)?;
        let now = self.read(knob)?;
        let wanted = native(site, setting)?;
        // What is in force may be what the kernel lets nobody write: the weight of an idle cgroup.
        // But freezing takes time, and being asked for is not being done.
        if same(&now, &wanted) && knob != Knob::Freeze {
            return Ok(now);
        }
        self.write_at(site, &wanted)
            .map_err(|error| name_absent(site, knob, error))?;
        let found = self.read(knob)?;
        if same(&found, &wanted) {
            return Ok(found);
        }
        Err(ControlError::NotTaken {
            knob,
            wanted: wanted.value(),
            found: found.value(),
        })
    }

    /// The files that hold the knob: what to watch for foreign writes. Empty where it is not
    /// enforceable.
    #[must_use]
    pub fn files(&self, knob: Knob) -> Vec<PathBuf> {
        let Ok(site) = self.site(knob) else {
            return Vec::new();
        };
        let names = knob.file_names(site).unwrap_or_default();
        names.iter().map(|name| site.file(name)).collect()
    }

    pub(super) fn site(&self, knob: Knob) -> Result<&Site, NotEnforceable> {
        let site = self.routes.to(knob.controller(), knob.name())?;
        match knob.never_on_v1() {
            Some(reason) if !site.is_unified() => Err(NotEnforceable {
                what: knob.name(),
                reason: reason.to_owned(),
            }),
            _ => Ok(site),
        }
    }

    fn read_at(&self, site: &Site, knob: Knob) -> Result<Setting, ControlError> {
        match knob {
            Knob::CpuMax => cpu::read_max(site).map(Setting::CpuMax),
            Knob::CpuMaxBurst => cpu::read_burst(site).map(Setting::CpuMaxBurst),
            Knob::CpuWeight => cpu::read_weight(site),
            Knob::CpuIdle => cpu::read_idle(site).map(Setting::CpuIdle),
            Knob::CpusetCpus => site.read(cpuset::CPUS).map(Setting::CpusetCpus),
            Knob::CpusetMems => site.read(cpuset::MEMS).map(Setting::CpusetMems),
            Knob::MemoryMax => memory::read_max(site).map(Setting::MemoryMax),
            Knob::MemoryHigh => site.limit("memory.high").map(Setting::MemoryHigh),
            Knob::MemoryLow => site.limit("memory.low").map(Setting::MemoryLow),
            Knob::MemoryMin => site.limit("memory.min").map(Setting::MemoryMin),
            Knob::MemorySwapMax => memory::read_swap_max(site).map(Setting::MemorySwapMax),
            Knob::MemoryOomGroup => {
                let on = site.number("memory.oom.group")?;
                Ok(Setting::MemoryOomGroup(on != 0))
            }
            Knob::PidsMax => site.limit(pids::MAX).map(Setting::PidsMax),
            Knob::IoMax(device) => {
                let caps = io::read_max(site, device)?;
                Ok(Setting::IoMax(device, caps))
            }
            Knob::IoWeight => io::read_weight(site),
            Knob::Freeze => self.read_freeze().map(Setting::Freeze),
        }
    }

    /// Writes what [`native`] made.
    fn write_at(&self, site: &Site, setting: &Setting) -> Result<(), ControlError> {
        match setting {
            Setting::CpuMax(quota) => cpu::write_max(site, *quota),
            Setting::CpuMaxBurst(burst_us) => cpu::write_burst(site, *burst_us),
            Setting::CpuWeight(weight) | Setting::CpuShares(weight) => {
                cpu::write_weight(site, *weight)
            }
            Setting::CpuIdle(idle) => cpu::write_idle(site, *idle),
            Setting::CpusetCpus(list) => cpuset::write(site, cpuset::CPUS, list),
            Setting::CpusetMems(list) => cpuset::write(site, cpuset::MEMS, list),
            Setting::MemoryMax(bytes) => memory::write_max(site, *bytes),
            Setting::MemoryHigh(bytes) => memory::write_high(site, *bytes),
            Setting::MemoryLow(_) => site.write("memory.low", &setting.value()),
            Setting::MemoryMin(_) => site.write("memory.min", &setting.value()),
            Setting::MemorySwapMax(bytes) => memory::write_swap_max(site, *bytes),
            Setting::MemoryOomGroup(_) => site.write("memory.oom.group", &setting.value()),
            Setting::PidsMax(tasks) => pids::write(site, *tasks),
            Setting::IoMax(device, caps) => io::write_max(site, *device, *caps),
            Setting::IoWeight(weight) | Setting::IoBfqWeight(weight) => {
                io::write_weight(site, *weight)
            }
            Setting::Freeze(freeze) => self.write_freeze(*freeze),
        }
    }
}

/// The setting as this hierarchy takes it: its own unit, what the kernel rounds rounded.
fn native(site: &Site, setting: &Setting) -> Result<Setting, ControlError> {
    let page = memory::whole_pages;
    Ok(match setting {
        Setting::CpuMax(quota) => Setting::CpuMax(cpu::valid(*quota)?),
        Setting::CpuWeight(_) | Setting::CpuShares(_) => cpu::native_weight(site, setting)?,
        Setting::IoWeight(_) | Setting::IoBfqWeight(_) => io::native_weight(site, setting)?,
        Setting::IoMax(device, caps) => Setting::IoMax(*device, io::valid(*device, *caps)?),
        Setting::MemoryMax(bytes) => Setting::MemoryMax(bytes.map(page)),
        Setting::MemoryHigh(bytes) => Setting::MemoryHigh(bytes.map(page)),
        Setting::MemoryLow(bytes) => Setting::MemoryLow(bytes.map(page)),
        Setting::MemoryMin(bytes) => Setting::MemoryMin(bytes.map(page)),
        Setting::MemorySwapMax(bytes) => Setting::MemorySwapMax(bytes.map(page)),
        Setting::CpuMaxBurst(_)
        | Setting::CpuIdle(_)
        | Setting::CpusetCpus(_)
        | Setting::CpusetMems(_)
        | Setting::MemoryOomGroup(_)
        | Setting::PidsMax(_)
        | Setting::Freeze(_) => setting.clone(),
    })
}

/// Are they one value, however it is written?
fn same(one: &Setting, other: &Setting) -> bool {
    match (one, other) {
        (Setting::CpusetCpus(one), Setting::CpusetCpus(other))
        | (Setting::CpusetMems(one), Setting::CpusetMems(other)) => cpuset::same(one, other),
        _ => one == other,
    }
}
