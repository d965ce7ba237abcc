//! Limits in force on v1.

use std::sync::Arc;

use crate::cgroup::file::{KernFile, Scratch};
use crate::cgroup::place::{Place, Vanished};
use crate::cgroup::reading::Limits;
use crate::cgroup::{Controller, parse};

/// v1 has no word for "unlimited" but a number too large to reach; cAdvisor draws the line here.
const UNLIMITED: u64 = 1 << 62;

/// Controllers whose limits are read, with their places.
#[derive(Debug, Default)]
pub(super) struct LimitFiles {
    cpu: Option<Arc<Place>>,
    memory: Option<Arc<Place>>,
    pids: Option<Arc<Place>>,
}

impl LimitFiles {
    pub(super) fn add(&mut self, controller: Controller, place: Arc<Place>) {
        match controller {
            Controller::Cpu => self.cpu = Some(place),
            Controller::Memory => self.memory = Some(place),
            Controller::Pids => self.pids = Some(place),
            _ => {}
        }
    }

    pub(super) fn read(
        &self,
        scratch: &mut Scratch,
        limits: &mut Limits,
        pids_max: &mut Option<u64>,
    ) -> Result<(), Vanished> {
        let mut read = |place: &Place, name| {
            Ok(KernFile::passing(name)
                .read(place, scratch)?
                .and_then(parse::number))
        };
        if let Some(place) = &self.cpu {
            // -1, unlimited, is not a number here.
            limits.cpu_quota_us = read(place, "cpu.cfs_quota_us")?;
            limits.cpu_period_us = read(place, "cpu.cfs_period_us")?;
            limits.cpu_shares = read(place, "cpu.shares")?;
        }
        if let Some(place) = &self.memory {
            limits.memory_max_bytes = read(place, "memory.limit_in_bytes")?.and_then(reachable);
            limits.memory_reservation_bytes =
                read(place, "memory.soft_limit_in_bytes")?.and_then(reachable);
            let both = read(place, "memory.memsw.limit_in_bytes")?.and_then(reachable);
            limits.swap_max_bytes =
                both.map(|both| both.saturating_sub(limits.memory_max_bytes.unwrap_or(both)));
        }
        if let Some(place) = &self.pids {
            *pids_max = read(place, "pids.max")?;
        }
        Ok(())
    }
}

/// A value that can be reached.
pub(in crate::cgroup) fn reachable(value: u64) -> Option<u64> {
    (value <= UNLIMITED).then_some(value)
}
