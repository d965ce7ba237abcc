//! cgroup v1: which file of which controller means what.
//!
//! Each controller may sit in its own hierarchy, so each part has its own [`Place`].

mod blkio;
mod cpu;
mod limits;
mod memory;

use std::sync::Arc;

use super::file::{KernFile, Scratch};
use super::place::{Place, Vanished};
use super::reading::{Limits, PidsReading, Reading};
use super::{Controller, parse};

use blkio::Blkio;
use cpu::{Cpu, Cpuacct};
use limits::LimitFiles;
use memory::Memory;

pub(super) use limits::reachable;

#[cfg(test)]
pub(super) use blkio::counts as parse_blkio;

/// The v1 controllers' files of one workload, as far as v1 carries them.
#[derive(Debug, Default)]
pub(super) struct Files {
    cpu: Option<Cpu>,
    cpuacct: Option<Cpuacct>,
    memory: Option<Memory>,
    blkio: Option<Blkio>,
    pids: Option<Pids>,
    freezer: Option<Freezer>,
    limits: LimitFiles,
}

#[derive(Debug)]
struct Pids {
    place: Arc<Place>,
    current: KernFile,
}

#[derive(Debug)]
struct Freezer {
    place: Arc<Place>,
    state: KernFile,
}

impl Files {
    /// Takes up a controller that `place`'s hierarchy carries.
    pub(super) fn add(&mut self, controller: Controller, place: &Arc<Place>) {
        let place = || Arc::clone(place);
        match controller {
            Controller::Cpu => self.cpu = Some(Cpu::new(place())),
            Controller::Cpuacct => self.cpuacct = Some(Cpuacct::new(place())),
            Controller::Memory => self.memory = Some(Memory::new(place())),
            Controller::Io => self.blkio = Some(Blkio::new(place())),
            Controller::Pids => {
                let current = KernFile::kept("pids.current");
                self.pids = Some(Pids {
                    place: place(),
                    current,
                });
            }
            Controller::Freezer => {
                let state = KernFile::passing("freezer.state");
                self.freezer = Some(Freezer {
                    place: place(),
                    state,
                });
            }
            Controller::Cpuset
            | Controller::Devices
            | Controller::Hugetlb
            | Controller::PerfEvent
            | Controller::NetCls
            | Controller::NetPrio
            | Controller::Rdma
            | Controller::Misc
            | Controller::Dmem => return,
        }
        self.limits.add(controller, place());
    }

    /// Forgets the blkio files.
    pub(super) fn leave_io(&mut self) {
        self.blkio = None;
    }

    /// Is the CPU time accounted here? Then v2's is not read.
    pub(super) fn has_cpu_time(&self) -> bool {
        self.cpuacct.is_some()
    }

    /// Adds what the v1 controllers say; what v2 said of other controllers stays.
    pub(super) fn read(
        &mut self,
        scratch: &mut Scratch,
        reading: &mut Reading,
    ) -> Result<(), Vanished> {
        if let Some(cpuacct) = &mut self.cpuacct {
            reading.cpu = cpuacct.read(scratch)?;
        }
        if let (Some(cpu), Some(time)) = (&mut self.cpu, &mut reading.cpu) {
            time.throttling = cpu.read(scratch)?;
        }
        if let Some(memory) = &mut self.memory {
            reading.memory = memory.read(scratch)?;
        }
        if let Some(blkio) = &mut self.blkio {
            reading.io = blkio.read(scratch)?;
        }
        if let Some(pids) = &mut self.pids {
            let current = pids
                .current
                .read(&pids.place, scratch)?
                .and_then(parse::number);
            reading.pids = current.map(|current| PidsReading { current, max: None });
        }
        Ok(())
    }

    /// Adds the limits in force, and the most tasks allowed.
    pub(super) fn read_limits(
        &mut self,
        scratch: &mut Scratch,
        limits: &mut Limits,
        pids_max: &mut Option<u64>,
    ) -> Result<(), Vanished> {
        self.limits.read(scratch, limits, pids_max)?;
        if let Some(memory) = &mut self.memory {
            memory.look_at_failures();
        }
        self.each(KernFile::retry);
        Ok(())
    }

    /// Stopped by the freezer? `None`: no freezer here. A cgroup that is still freezing is not.
    pub(super) fn frozen(&mut self, scratch: &mut Scratch) -> Result<Option<bool>, Vanished> {
        let Some(freezer) = &mut self.freezer else {
            return Ok(None);
        };
        let state = freezer.state.read(&freezer.place, scratch)?;
        Ok(state.map(|state| state.trim_ascii() == b"FROZEN"))
    }

    /// Every file that is kept open between readings.
    pub(super) fn each(&mut self, mut visit: impl FnMut(&mut KernFile)) {
        let Self {
            cpu,
            cpuacct,
            memory,
            blkio,
            pids,
            ..
        } = self;
        let cpu = cpu.iter_mut().flat_map(Cpu::files);
        let cpuacct = cpuacct.iter_mut().flat_map(Cpuacct::files);
        let memory = memory.iter_mut().flat_map(Memory::files);
        let blkio = blkio.iter_mut().flat_map(Blkio::files);
        let pids = pids.iter_mut().map(|pids| &mut pids.current);
        cpu.chain(cpuacct)
            .chain(memory)
            .chain(blkio)
            .chain(pids)
            .for_each(&mut visit);
    }
}
