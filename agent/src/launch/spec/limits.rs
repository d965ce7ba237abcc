//! Limits: what is asked for, whether this host can enforce it, and no zeros that mean "unset".

use std::path::PathBuf;

use libcontainer::oci_spec::runtime::{
    LinuxBlockIo, LinuxCpu, LinuxHugepageLimit, LinuxMemory, LinuxPids, LinuxResources,
};

use super::Warning;
use crate::cgroup::Controller;
use crate::launch::cgroups::Cgroups;

/// A limit that cannot be enforced here: the workload is refused rather than run without it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    #[error(
        "the limit {limit} cannot be enforced: the {controller} controller is not available to this \
         cgroup"
    )]
    NoController {
        limit: &'static str,
        controller: &'static str,
    },
    #[error("the limit {limit} cannot be enforced: this kernel has no {file}", file = file.display())]
    NoFile { limit: &'static str, file: PathBuf },
    #[error("the limit {limit} cannot be enforced: cgroup v2 has none like it")]
    NotOnV2 { limit: &'static str },
    #[error("the limit {limit} is not supported")]
    Unsupported { limit: &'static str },
}

/// What `libcontainer` does not do by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::launch) struct Besides {
    /// cgroup v1; it always asks for the killer to be enabled.
    pub(in crate::launch) disable_oom_killer: bool,
}

/// Takes out what asks for nothing, and refuses what cannot be had.
pub(in crate::launch) fn prepare(
    resources: &mut LinuxResources,
    cgroups: &Cgroups,
    warnings: &mut Vec<Warning>,
) -> Result<Besides, LimitError> {
    let host = Host(cgroups);
    let mut besides = Besides::default();
    if let Some(memory) = resources.memory_mut() {
        besides = host.memory(memory, warnings)?;
        if *memory == LinuxMemory::default() {
            resources.set_memory(None);
        }
    }
    if let Some(cpu) = resources.cpu_mut() {
        host.cpu(cpu)?;
        if *cpu == LinuxCpu::default() {
            resources.set_cpu(None);
        }
    }
    if let Some(pids) = resources.pids_mut() {
        host.pids(pids)?;
        if pids.limit() <= 0 && !cgroups.has(Controller::Pids) {
            resources.set_pids(None);
        }
    }
    if let Some(io) = resources.block_io_mut() {
        host.block_io(io)?;
        if *io == LinuxBlockIo::default() {
            resources.set_block_io(None);
        }
    }
    let pages = resources.hugepage_limits().as_deref().unwrap_or_default();
    host.hugepages(pages)?;
    if pages.is_empty() {
        resources.set_hugepage_limits(None);
    }
    host.others(resources)?;
    Ok(besides)
}

/// Asks the workload's own cgroups what there is.
struct Host<'a>(&'a Cgroups);

impl Host<'_> {
    fn is_v1(&self, controller: Controller) -> bool {
        let carrier = self.0.layout().controller(controller);
        carrier.is_some_and(|hierarchy| !hierarchy.is_unified())
    }

    fn controller(&self, limit: &'static str, controller: Controller) -> Result<(), LimitError> {
        if self.0.has(controller) {
            return Ok(());
        }
        let controller = match controller {
            Controller::Cpu => "cpu",
            Controller::Cpuset => "cpuset",
            Controller::Memory => "memory",
            Controller::Io => "io",
            Controller::Pids => "pids",
            Controller::Hugetlb => "hugetlb",
            Controller::NetCls => "net_cls",
            Controller::NetPrio => "net_prio",
            Controller::Rdma => "rdma",
            Controller::Cpuacct
            | Controller::Devices
            | Controller::Freezer
            | Controller::PerfEvent
            | Controller::Misc
            | Controller::Dmem => "needed",
        };
        Err(LimitError::NoController { limit, controller })
    }

    fn file(
        &self,
        limit: &'static str,
        controller: Controller,
        names: &[&str],
    ) -> Result<(), LimitError> {
        self.controller(limit, controller)?;
        let directory = self.0.of(controller).unwrap_or_default();
        if names.iter().any(|name| directory.join(name).exists()) {
            return Ok(());
        }
        let file = names.first().copied().unwrap_or_default().into();
        Err(LimitError::NoFile { limit, file })
    }

    fn memory(
        &self,
        memory: &mut LinuxMemory,
        warnings: &mut Vec<Warning>,
    ) -> Result<Besides, LimitError> {
        let has = self.0.has(Controller::Memory);
        let v1 = self.is_v1(Controller::Memory);
        // 0 is "unset"; -1 is "no limit", which needs no controller.
        let unset = |value: Option<i64>| value.filter(|&value| value > 0 || (value != 0 && has));
        memory.set_limit(unset(memory.limit()));
        memory.set_reservation(unset(memory.reservation()));
        memory.set_swap(unset(memory.swap()));
        memory.set_kernel(memory.kernel().filter(|&value| value > 0));
        memory.set_kernel_tcp(memory.kernel_tcp().filter(|&value| value > 0));
        // The kernel's ways of accounting, which it has no switches for any more.
        memory.set_use_hierarchy(None);
        memory.set_check_before_update(None);
        let disable_oom_killer = memory.disable_oom_killer() == Some(true);
        memory.set_disable_oom_killer(None);

        if memory.limit().is_some() {
            self.controller("memory.limit", Controller::Memory)?;
        }
        if memory.reservation().is_some() {
            self.controller("memory.reservation", Controller::Memory)?;
        }
        if let Some(swap) = memory.swap() {
            let files = ["memory.memsw.limit_in_bytes", "memory.swap.max"];
            match self.file("memory.swap", Controller::Memory, &files) {
                Err(LimitError::NoFile { .. }) if swap < 0 => {
                    memory.set_swap(None);
                }
                found => found?,
            }
        }
        if memory.kernel().is_some() {
            let files = ["memory.kmem.limit_in_bytes"];
            self.file("memory.kernel", Controller::Memory, &files)?;
        }
        if memory.kernel_tcp().is_some() {
            let files = ["memory.kmem.tcp.limit_in_bytes"];
            self.file("memory.kernelTCP", Controller::Memory, &files)?;
        }
        if memory.swappiness().is_some() {
            let limit = "memory.swappiness";
            self.controller(limit, Controller::Memory)?;
            if !v1 {
                return Err(LimitError::NotOnV2 { limit });
            }
        }
        if disable_oom_killer && !v1 {
            warnings.push(Warning::OomKillerStays);
        }
        Ok(Besides {
            disable_oom_killer: disable_oom_killer && v1,
        })
    }

    fn cpu(&self, cpu: &mut LinuxCpu) -> Result<(), LimitError> {
        let has = self.0.has(Controller::Cpu);
        cpu.set_shares(cpu.shares().filter(|&shares| shares != 0));
        cpu.set_quota(
            cpu.quota()
                .filter(|&quota| quota > 0 || (quota != 0 && has)),
        );
        cpu.set_period(cpu.period().filter(|&period| period != 0));
        cpu.set_burst(cpu.burst().filter(|&burst| burst != 0));
        cpu.set_idle(cpu.idle().filter(|&idle| idle != 0));
        cpu.set_realtime_runtime(cpu.realtime_runtime().filter(|&runtime| runtime != 0));
        cpu.set_realtime_period(cpu.realtime_period().filter(|&period| period != 0));
        let named = |list: &Option<String>| list.clone().filter(|list| !list.trim().is_empty());
        cpu.set_cpus(named(cpu.cpus()));
        cpu.set_mems(named(cpu.mems()));

        if cpu.shares().is_some() {
            self.controller("cpu.shares", Controller::Cpu)?;
        }
        if cpu.quota().is_some() {
            self.controller("cpu.quota", Controller::Cpu)?;
        }
        if cpu.period().is_some() {
            self.controller("cpu.period", Controller::Cpu)?;
        }
        if cpu.burst().is_some() {
            let files = ["cpu.cfs_burst_us", "cpu.max.burst"];
            self.file("cpu.burst", Controller::Cpu, &files)?;
        }
        if cpu.idle().is_some() {
            self.file("cpu.idle", Controller::Cpu, &["cpu.idle"])?;
        }
        if cpu.realtime_runtime().is_some() || cpu.realtime_period().is_some() {
            let limit = "cpu.realtimeRuntime";
            self.file(limit, Controller::Cpu, &["cpu.rt_runtime_us"])?;
        }
        if cpu.cpus().is_some() {
            self.controller("cpu.cpus", Controller::Cpuset)?;
        }
        if cpu.mems().is_some() {
            self.controller("cpu.mems", Controller::Cpuset)?;
        }
        Ok(())
    }

    fn pids(&self, pids: &mut LinuxPids) -> Result<(), LimitError> {
        if pids.limit() > 0 {
            return self.controller("pids.limit", Controller::Pids);
        }
        // 0 is no limit too, which libcgroups takes for 1 on v2.
        pids.set_limit(-1);
        Ok(())
    }

    fn block_io(&self, io: &mut LinuxBlockIo) -> Result<(), LimitError> {
        fn unset<T: Clone>(list: &Option<Vec<T>>) -> Option<Vec<T>> {
            list.clone().filter(|list| !list.is_empty())
        }
        io.set_weight(io.weight().filter(|&weight| weight != 0));
        io.set_leaf_weight(io.leaf_weight().filter(|&weight| weight != 0));
        io.set_weight_device(unset(io.weight_device()));
        io.set_throttle_read_bps_device(unset(io.throttle_read_bps_device()));
        io.set_throttle_write_bps_device(unset(io.throttle_write_bps_device()));
        io.set_throttle_read_iops_device(unset(io.throttle_read_iops_device()));
        io.set_throttle_write_iops_device(unset(io.throttle_write_iops_device()));

        if io.weight().is_some() {
            let files = [
                "blkio.weight",
                "blkio.bfq.weight",
                "io.weight",
                "io.bfq.weight",
            ];
            self.file("blockIO.weight", Controller::Io, &files)?;
        }
        if io.leaf_weight().is_some() {
            let limit = "blockIO.leafWeight";
            return Err(LimitError::Unsupported { limit });
        }
        if io.weight_device().is_some() && self.is_v1(Controller::Io) {
            let limit = "blockIO.weightDevice";
            return Err(LimitError::Unsupported { limit });
        }
        let throttles = [
            (
                "blockIO.throttleReadBpsDevice",
                io.throttle_read_bps_device(),
            ),
            (
                "blockIO.throttleWriteBpsDevice",
                io.throttle_write_bps_device(),
            ),
            (
                "blockIO.throttleReadIOPSDevice",
                io.throttle_read_iops_device(),
            ),
            (
                "blockIO.throttleWriteIOPSDevice",
                io.throttle_write_iops_device(),
            ),
        ];
        for (limit, devices) in throttles {
            if devices.is_some() {
                self.controller(limit, Controller::Io)?;
            }
        }
        Ok(())
    }

    fn hugepages(&self, pages: &[LinuxHugepageLimit]) -> Result<(), LimitError> {
        if pages.is_empty() {
            return Ok(());
        }
        self.controller("hugepageLimits", Controller::Hugetlb)
    }

    fn others(&self, resources: &mut LinuxResources) -> Result<(), LimitError> {
        if let Some(network) = resources.network() {
            if network.class_id().is_some_and(|id| id != 0) {
                self.v1_only("network.classID", Controller::NetCls)?;
            }
            let priorities = network.priorities().as_deref().unwrap_or_default();
            if !priorities.is_empty() {
                self.v1_only("network.priorities", Controller::NetPrio)?;
            }
            if network.class_id().unwrap_or(0) == 0 && priorities.is_empty() {
                resources.set_network(None);
            }
        }
        if resources
            .rdma()
            .as_ref()
            .is_some_and(|rdma| !rdma.is_empty())
        {
            return Err(LimitError::Unsupported { limit: "rdma" });
        }
        resources.set_rdma(None);
        let unified = resources.unified().as_ref();
        if unified.is_some_and(|files| !files.is_empty()) && self.0.layout().hierarchies().len() > 1
        {
            return Err(LimitError::NoController {
                limit: "unified",
                controller: "cgroup v2",
            });
        }
        Ok(())
    }

    fn v1_only(&self, limit: &'static str, controller: Controller) -> Result<(), LimitError> {
        self.controller(limit, controller)?;
        if self.is_v1(controller) {
            return Ok(());
        }
        Err(LimitError::NotOnV2 { limit })
    }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
