//! Setting, reading and clearing rules.

use std::path::Path;

use plimsoll_abi::rules::{Addresses, Asked, Counts, Devices, NO_BURST, Ports, map};

use super::applied::{Applied, EgressMethod, Passage, RuleCounters};
use super::egress::{self, EgressRates};
use super::error::{HoldError, RulesError};
use super::load::{any, take_off};
use super::part::Part;
use super::rule::{DeviceRule, TrafficRules};
use super::target::Target;
use super::value::counts;
use super::{encode, ingress, list};

/// Rules on cgroups.
///
/// What is set stays on the cgroup when this is dropped, and when the agent ends, until it is
/// cleared, by whatever process, or the cgroup is removed. A cgroup is named by its directory in
/// cgroup2 and by its id, the directory's inode number.
#[derive(Default)]
pub struct CgroupRules {
    egress: EgressRates,
}

impl CgroupRules {
    /// Loads nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the running kernel's types, which takes some tenths of a second and otherwise delays
    /// the first egress rate. What is not found is told by [`set_traffic`](Self::set_traffic).
    pub fn prepare(&self) {
        if let Err(reason) = self.egress.prepare() {
            tracing::debug!(reason, "existing connections cannot be paced");
        }
    }

    /// Holds these rules on a cgroup, in place of those it had. A rule that this host cannot hold
    /// is in [`Applied::refused`], and the others are in force.
    ///
    /// # Errors
    /// A rule that means nothing, no such cgroup, or an old rule that cannot be taken off.
    pub fn set_traffic(
        &mut self,
        cgroup: &Path,
        id: u64,
        rules: &TrafficRules,
    ) -> Result<Applied, RulesError> {
        rules.check()?;
        let target = Target::open(cgroup, id)?;
        let mut applied = Applied::default();
        let burst = rules.burst_bytes;
        match rules.egress_bits_per_second {
            Some(rate) => match self.egress.set(&target, id, rate, burst) {
                Ok(caveats) => {
                    applied.egress = Some(EgressMethod::Pacing);
                    applied.caveats.extend(caveats);
                }
                Err(error) => applied.refuse(Part::Egress, &error),
            },
            None => self.clear(&target, id, Part::Egress)?,
        }
        match rules.ingress_bits_per_second {
            Some(rate) => match ingress::set(&target, rate, burst) {
                Ok((method, caveats)) => {
                    applied.ingress = Some(method);
                    applied.caveats.extend(caveats);
                }
                Err(error) => applied.refuse(Part::Ingress, &error),
            },
            None => self.clear(&target, id, Part::Ingress)?,
        }
        match encode::addresses(rules) {
            Some(addresses) => match list::set(&target, Part::Addresses, addresses) {
                Ok(()) => applied.connect = true,
                Err(error) => applied.refuse(Part::Addresses, &error),
            },
            None => self.clear(&target, id, Part::Addresses)?,
        }
        match encode::ports(rules) {
            Some(ports) => match list::set(&target, Part::Ports, ports) {
                Ok(()) => applied.bind = true,
                Err(error) => applied.refuse(Part::Ports, &error),
            },
            None => self.clear(&target, id, Part::Ports)?,
        }
        Ok(applied)
    }

    /// Holds this list of devices on a cgroup, in place of the one it had; an empty list is none.
    /// What the engine's own list denies stays denied.
    ///
    /// # Errors
    /// A rule that means nothing, no such cgroup, or a host that cannot hold it.
    pub fn set_devices(
        &mut self,
        cgroup: &Path,
        id: u64,
        rules: &[DeviceRule],
    ) -> Result<(), RulesError> {
        DeviceRule::check(rules)?;
        let target = Target::open(cgroup, id)?;
        if rules.is_empty() {
            return self.clear(&target, id, Part::Devices);
        }
        list::set(&target, Part::Devices, encode::devices(rules)).map_err(|source| {
            RulesError::Hold {
                rule: Part::Devices.name(),
                source,
            }
        })
    }

    /// Takes rates, connect and bind rules off a cgroup. One that is gone has none.
    ///
    /// # Errors
    /// A rule that cannot be taken off, or sockets that may have kept a pacing rate; what can be
    /// taken off is.
    pub fn clear_traffic(&mut self, cgroup: &Path, id: u64) -> Result<(), RulesError> {
        let Some(target) = still_there(cgroup, id)? else {
            return Ok(());
        };
        let traffic = Part::ALL.into_iter().filter(|part| *part != Part::Devices);
        let cleared: Vec<_> = traffic.map(|part| self.clear(&target, id, part)).collect();
        cleared.into_iter().collect()
    }

    /// Takes the device list off a cgroup. One that is gone has none.
    ///
    /// # Errors
    /// It cannot be taken off.
    pub fn clear_devices(&mut self, cgroup: &Path, id: u64) -> Result<(), RulesError> {
        match still_there(cgroup, id)? {
            Some(target) => self.clear(&target, id, Part::Devices),
            None => Ok(()),
        }
    }

    /// The rules in force on a cgroup, as the kernel has them: none are the default. Of an address
    /// range, bits outside of the prefix come back as 0.
    ///
    /// # Errors
    /// No such cgroup.
    pub fn traffic(&self, cgroup: &Path, id: u64) -> Result<TrafficRules, RulesError> {
        let target = Target::open(cgroup, id)?;
        let mut rules = TrafficRules::default();
        if let Some(state) = ingress::get(&target) {
            rules.ingress_bits_per_second = Some(state.asked.bits_per_second);
            rules.burst_bytes = burst(state.asked);
        }
        // One that is being lifted is none.
        if let Some(state) = egress::get(&target).filter(|state| state.rate != 0) {
            rules.egress_bits_per_second = Some(state.asked.bits_per_second);
            rules.burst_bytes = burst(state.asked);
        }
        if let Some(addresses) = list::get::<Addresses>(&target, Part::Addresses) {
            encode::decode_addresses(&addresses, &mut rules);
        }
        if let Some(ports) = list::get::<Ports>(&target, Part::Ports) {
            encode::decode_ports(&ports, &mut rules);
        }
        Ok(rules)
    }

    /// The device list in force on a cgroup, as the kernel has it; empty when there is none.
    ///
    /// # Errors
    /// No such cgroup.
    pub fn devices(&self, cgroup: &Path, id: u64) -> Result<Vec<DeviceRule>, RulesError> {
        let target = Target::open(cgroup, id)?;
        let devices = list::get::<Devices>(&target, Part::Devices);
        Ok(devices.map_or_else(Vec::new, |devices| encode::decode_devices(&devices)))
    }

    /// What the programs on a cgroup let pass and what not.
    ///
    /// # Errors
    /// No such cgroup.
    pub fn counters(&self, cgroup: &Path, id: u64) -> Result<RuleCounters, RulesError> {
        let target = Target::open(cgroup, id)?;
        let of = |part| {
            let attached = any(&target.directory, part);
            let counted = attached.and_then(|attached| counts(attached.map(map::COUNTS)?));
            counted.unwrap_or_default()
        };
        Ok(RuleCounters {
            egress: Passage::from(of(Part::Egress)),
            ingress: Passage::from(of(Part::Ingress)),
            connect_denied: of(Part::Addresses).denied,
            bind_denied: of(Part::Ports).denied,
            device_denied: of(Part::Devices).denied,
        })
    }

    /// Has to be called a few times a second while an egress rate is set: it gives connections that
    /// were there before their share, on kernels before 6.12, where no callback does.
    pub fn tend(&mut self) {
        self.egress.tend();
    }

    fn clear(&mut self, target: &Target, id: u64, part: Part) -> Result<(), RulesError> {
        let cleared: Result<(), HoldError> = match part {
            Part::Egress => self.egress.clear(target, id),
            Part::Ingress => ingress::clear(target),
            Part::Addresses | Part::Ports | Part::Devices => take_off(&target.directory, part),
        };
        cleared.map_err(|source| RulesError::Clear {
            rule: part.name(),
            source,
        })
    }
}

fn still_there(cgroup: &Path, id: u64) -> Result<Option<Target>, RulesError> {
    match Target::open(cgroup, id) {
        Ok(target) => Ok(Some(target)),
        Err(RulesError::Vanished { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn burst(asked: Asked) -> Option<u64> {
    (asked.burst_bytes != NO_BURST).then_some(asked.burst_bytes)
}

impl From<Counts> for Passage {
    fn from(counts: Counts) -> Self {
        Self {
            passed_bytes: counts.passed_bytes,
            passed_packets: counts.passed_packets,
            dropped_bytes: counts.dropped_bytes,
            dropped_packets: counts.dropped_packets,
        }
    }
}
