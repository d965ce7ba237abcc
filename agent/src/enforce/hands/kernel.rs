//! The kernel itself.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::walk::{Freezing, Lowered};
use super::{From, HandError, Hands, Progress};
use crate::cgroup::{Control, ControlError, HierarchyId, Layout, Placement, Setting};
use crate::enforce::claims::{Owner, Slot, Thing, Value};
use crate::kernel::{CgroupRules, RulesError, TrafficRules};
use crate::policy::NO_CGROUP2;

/// How long memory may take to get out of the way of a lower limit.
const LOWERING: Duration = Duration::from_secs(30);

/// Cgroup files and BPF rules of this host.
pub(crate) struct Kernel {
    layout: Arc<Layout>,
    rules: CgroupRules,
    /// Of network rules in force, by cgroup.
    less_well: BTreeMap<u64, Vec<String>>,
}

impl Kernel {
    pub(crate) fn new(layout: Arc<Layout>) -> Self {
        Self {
            layout,
            rules: CgroupRules::new(),
            less_well: BTreeMap::new(),
        }
    }

    /// The workload's control files, if they are still those of the cgroups it was pinned to.
    pub(crate) fn control(&self, owner: &Owner) -> Control {
        Control::open(&self.layout, &owner.placement)
    }

    /// The control files of the cgroup that carries this, if it is still the one that was pinned.
    fn pinned(&self, owner: &Owner, setting: Thing) -> Result<Control, HandError> {
        let control = self.control(owner);
        let key = match setting {
            Thing::Knob(knob) => control.key(knob).ok(),
            Thing::Traffic | Thing::Devices => control.keys().get(&HierarchyId::V2).copied(),
        };
        match key {
            Some(key) if owner.keys.get(&key.hierarchy) == Some(&key) => Ok(control),
            Some(_) => Err(HandError::Gone),
            None if control.keys().is_empty() => Err(HandError::Gone),
            // It was there when it was pinned: a hierarchy in which it has no cgroup any more.
            None => Err(HandError::Gone),
        }
    }
}

impl Kernel {
    /// The workload's cgroup in cgroup2, where BPF programs are attached.
    fn unified(&self, owner: &Owner) -> Result<(PathBuf, u64), HandError> {
        let key = owner.keys.get(&HierarchyId::V2).ok_or(HandError::Gone)?;
        let path = owner.placement.paths.get(&HierarchyId::V2);
        let unified = self.layout.unified().zip(path);
        let directory = unified.and_then(|(unified, path)| unified.directory(path));
        Ok((directory.ok_or(HandError::Gone)?, key.id))
    }

    /// All of the rules, or those that were there.
    fn set_traffic(
        &mut self,
        owner: &Owner,
        rules: &TrafficRules,
        from: From<'_>,
    ) -> Result<(), HandError> {
        let (directory, id) = self.unified(owner)?;
        self.less_well.remove(&id);
        if *rules == TrafficRules::default() {
            return Ok(self.rules.clear_traffic(&directory, id)?);
        }
        let applied = self.rules.set_traffic(&directory, id, rules)?;
        for caveat in &applied.caveats {
            tracing::warn!(workload = %owner.id, caveat, "a network rule is held less well");
        }
        let Some(refused) = applied.refused.first() else {
            if !applied.caveats.is_empty() {
                self.less_well.insert(id, applied.caveats);
            }
            return Ok(());
        };
        let reason = format!("{} is not enforceable: {}", refused.rule, refused.reason);
        if let Value::Traffic(before) = from.in_force {
            self.rules.set_traffic(&directory, id, before)?;
        }
        Err(HandError::NotEnforceable(reason))
    }
}

impl Hands for Kernel {
    fn owner(&mut self, id: &Arc<str>, name: &Arc<str>, placement: &Placement) -> Owner {
        let control = Control::open(&self.layout, placement);
        Owner {
            id: Arc::clone(id),
            name: Arc::clone(name),
            placement: placement.clone(),
            keys: control.keys().clone(),
        }
    }

    fn slot(&mut self, owner: &Owner, thing: Thing) -> Result<Slot, HandError> {
        let control = self.control(owner);
        let cgroup = match thing {
            Thing::Knob(knob) => control
                .enforceable(knob)
                .and_then(|()| control.key(knob))
                .map_err(|refused| HandError::NotEnforceable(refused.to_string()))?,
            Thing::Traffic | Thing::Devices => {
                let key = control.keys().get(&HierarchyId::V2).copied();
                key.ok_or_else(|| {
                    let reason = match self.layout.unified() {
                        Some(_) => "the workload has no cgroup of its own in cgroup2",
                        None => NO_CGROUP2,
                    };
                    HandError::NotEnforceable(format!("{thing} is not enforceable: {reason}"))
                })?
            }
        };
        if owner.keys.get(&cgroup.hierarchy) != Some(&cgroup) {
            return Err(HandError::Gone);
        }
        Ok(Slot { cgroup, thing })
    }

    fn read(&mut self, owner: &Owner, thing: Thing) -> Result<Value, HandError> {
        let control = self.pinned(owner, thing)?;
        match thing {
            Thing::Knob(knob) => Ok(Value::Setting(control.read(knob)?)),
            Thing::Traffic => {
                let (directory, id) = self.unified(owner)?;
                Ok(Value::Traffic(self.rules.traffic(&directory, id)?))
            }
            Thing::Devices => {
                let (directory, id) = self.unified(owner)?;
                Ok(Value::Devices(self.rules.devices(&directory, id)?))
            }
        }
    }

    fn asides(&mut self, owner: &Owner, value: &Value) -> Result<Vec<Value>, HandError> {
        let Value::Setting(setting) = value else {
            return Ok(Vec::new());
        };
        let control = self.pinned(owner, value.thing())?;
        let before = control.before(setting)?.into_iter();
        let others = before.filter(|one| one.knob() != setting.knob());
        Ok(others.map(Value::Setting).collect())
    }

    fn hazard(&mut self, owner: &Owner, setting: &Setting, coming: &[Setting]) -> Option<String> {
        self.control(owner).hazard(setting, coming)
    }

    fn caveats(&mut self, owner: &Owner, thing: Thing) -> Vec<String> {
        match thing {
            Thing::Knob(knob) => {
                let caveat = self.control(owner).caveat(knob);
                caveat.map(str::to_owned).into_iter().collect()
            }
            Thing::Traffic => {
                let unified = owner.keys.get(&HierarchyId::V2);
                let known = unified.and_then(|key| self.less_well.get(&key.id));
                known.cloned().unwrap_or_default()
            }
            Thing::Devices => Vec::new(),
        }
    }

    fn write(
        &mut self,
        owner: &Owner,
        value: &Value,
        from: From<'_>,
    ) -> Result<Progress, HandError> {
        let control = self.pinned(owner, value.thing())?;
        match value {
            Value::Setting(Setting::Freeze(true)) => Freezing::start(control),
            Value::Setting(setting) => match control.write(setting) {
                Ok(after) => Ok(Progress::Done(Value::Setting(after))),
                Err(ControlError::BelowUsage { usage, wanted }) => {
                    let lowering = control.lower_memory_max(wanted, LOWERING)?;
                    Lowered::start(lowering, usage, wanted)
                }
                Err(ControlError::NotTaken { knob, .. }) => {
                    let found = control.read(knob)?;
                    Err(HandError::Foreign(Box::new(Value::Setting(found))))
                }
                Err(error) => Err(error.into()),
            },
            Value::Traffic(rules) => {
                self.set_traffic(owner, rules, from)?;
                Ok(Progress::Done(self.read(owner, Thing::Traffic)?))
            }
            Value::Devices(rules) => {
                let (directory, id) = self.unified(owner)?;
                self.rules.set_devices(&directory, id, rules)?;
                Ok(Progress::Done(self.read(owner, Thing::Devices)?))
            }
        }
    }

    fn tend(&mut self) {
        self.rules.tend();
    }

    fn files(&mut self, owner: &Owner, thing: Thing) -> Vec<PathBuf> {
        match thing {
            Thing::Knob(knob) => self.control(owner).files(knob),
            Thing::Traffic | Thing::Devices => Vec::new(),
        }
    }
}

impl std::convert::From<ControlError> for HandError {
    fn from(error: ControlError) -> Self {
        match &error {
            ControlError::Vanished(_) => Self::Gone,
            ControlError::NotEnforceable(refused) => Self::NotEnforceable(refused.to_string()),
            ControlError::Invalid { .. }
            | ControlError::NoSignal { .. }
            | ControlError::BelowUsage { .. }
            | ControlError::Own { .. } => Self::Refused(error.to_string()),
            ControlError::Read { .. }
            | ControlError::Odd { .. }
            | ControlError::Write { .. }
            | ControlError::NotTaken { .. }
            | ControlError::NotFrozen { .. }
            | ControlError::StillAlive { .. }
            | ControlError::Thread(_) => Self::Failed(in_one_line(&error)),
        }
    }
}

impl std::convert::From<RulesError> for HandError {
    fn from(error: RulesError) -> Self {
        match &error {
            RulesError::Vanished { .. } => Self::Gone,
            RulesError::Invalid(_) => Self::Refused(error.to_string()),
            RulesError::NotCgroup2 { .. } | RulesError::Hold { .. } => {
                Self::NotEnforceable(in_one_line(&error))
            }
            RulesError::Open { .. } | RulesError::Clear { .. } => Self::Failed(in_one_line(&error)),
        }
    }
}

/// With its causes.
pub(crate) fn in_one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
