//! Limits, from Docker's fields to the specification's.

use std::collections::HashMap;
use std::path::Path;

use bollard::models::{ContainerUpdateBody, HostConfig, ThrottleDevice};
use libcontainer::oci_spec::runtime::{
    LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxPidsBuilder, LinuxResources, LinuxThrottleDevice,
    LinuxThrottleDeviceBuilder, LinuxWeightDevice, LinuxWeightDeviceBuilder,
};

use super::devices;
use super::error::{refuse, unsupported};
use super::{Parts, SpecError};
use crate::cgroup::{Controller, Hierarchy, Layout, Mode};

/// Memory from which reclaim sets in, in bytes.
pub(super) const MEMORY_HIGH: &str = "plimsoll.memory-high";
/// Microseconds.
const PERIOD: u64 = 100_000;
const NANO: i64 = 1_000_000_000;

/// The limits of an update that leads to `merged`, live; what it does not name stays as it is.
///
/// # Errors
/// One cannot be changed live.
pub fn update(
    update: &ContainerUpdateBody,
    merged: &HostConfig,
) -> Result<LinuxResources, SpecError> {
    let mut host = host_of(update);
    let is_given = |limit: Option<i64>| limit.is_some_and(|limit| limit != 0);
    if is_given(host.memory) || is_given(host.memory_swap) {
        // The kernel has them as one sum, or as two parts of it.
        host.memory = merged.memory;
        host.memory_swap = merged.memory_swap;
    }
    let mut resources = LinuxResources::default();
    apply(&mut resources, &host)?;
    Ok(resources)
}

/// The fields that an update may have.
pub(super) fn host_of(update: &ContainerUpdateBody) -> HostConfig {
    let update = update.clone();
    HostConfig {
        cpu_shares: update.cpu_shares,
        memory: update.memory,
        blkio_weight: update.blkio_weight,
        blkio_weight_device: update.blkio_weight_device,
        blkio_device_read_bps: update.blkio_device_read_bps,
        blkio_device_write_bps: update.blkio_device_write_bps,
        blkio_device_read_iops: update.blkio_device_read_iops,
        blkio_device_write_iops: update.blkio_device_write_iops,
        cpu_period: update.cpu_period,
        cpu_quota: update.cpu_quota,
        cpu_realtime_period: update.cpu_realtime_period,
        cpu_realtime_runtime: update.cpu_realtime_runtime,
        cpuset_cpus: update.cpuset_cpus,
        cpuset_mems: update.cpuset_mems,
        memory_reservation: update.memory_reservation,
        memory_swap: update.memory_swap,
        memory_swappiness: update.memory_swappiness,
        nano_cpus: update.nano_cpus,
        oom_kill_disable: update.oom_kill_disable,
        pids_limit: update.pids_limit,
        ..HostConfig::default()
    }
}

/// The limits of a container that is created.
pub(super) fn of(
    parts: &Parts<'_>,
    warnings: &mut Vec<String>,
) -> Result<LinuxResources, SpecError> {
    let mut host = parts.host();
    warn(&mut host, parts.layout, warnings);
    let mut resources = LinuxResources::default();
    apply(&mut resources, &host)?;
    if let Some(text) = parts.annotation(MEMORY_HIGH) {
        resources.set_unified(Some(memory_high(text, parts.layout)?));
    }
    Ok(resources)
}

/// Completes what is not said, as Docker does, and tells what cannot be had.
pub(super) fn warn(host: &mut HostConfig, layout: &Layout, warnings: &mut Vec<String>) {
    let memory = host.memory.unwrap_or(0);
    if memory > 0 && host.memory_swap.unwrap_or(0) == 0 {
        // As much swap as memory.
        if can_limit_swap(layout) {
            host.memory_swap = Some(memory.saturating_mul(2));
        } else {
            host.memory_swap = Some(-1);
            warnings.push(
                "Your kernel does not support swap limit capabilities or the cgroup is not mounted. \
                 Memory limited without swap."
                    .to_owned(),
            );
        }
    }
    if host.oom_kill_disable == Some(true) && memory == 0 {
        warnings.push(
            "OOM killer is disabled for the container, but no memory limit is set, this can result \
             in the system running out of resources."
                .to_owned(),
        );
    }
}

fn apply(resources: &mut LinuxResources, host: &HostConfig) -> Result<(), SpecError> {
    let memory = memory(host);
    if memory != LinuxMemory::default() {
        resources.set_memory(Some(memory));
    }
    let cpu = cpu(host);
    if cpu != LinuxCpu::default() {
        resources.set_cpu(Some(cpu));
    }
    if let Some(limit) = host.pids_limit.filter(|&limit| limit != 0) {
        // Any negative number is no limit.
        let pids = LinuxPidsBuilder::default().limit(limit.max(-1)).build()?;
        resources.set_pids(Some(pids));
    }
    let io = block_io(host)?;
    if io != LinuxBlockIo::default() {
        resources.set_block_io(Some(io));
    }
    Ok(())
}

fn memory(host: &HostConfig) -> LinuxMemory {
    let set = |value: Option<i64>| value.filter(|&value| value != 0);
    let mut memory = LinuxMemory::default();
    memory.set_limit(set(host.memory));
    memory.set_reservation(set(host.memory_reservation));
    memory.set_swap(set(host.memory_swap));
    // -1 is "as it is".
    let swappiness = host
        .memory_swappiness
        .and_then(|value| u64::try_from(value).ok());
    memory.set_swappiness(swappiness);
    memory.set_disable_oom_killer(host.oom_kill_disable.filter(|&disable| disable));
    memory
}

fn cpu(host: &HostConfig) -> LinuxCpu {
    let positive = |value: Option<i64>| value.filter(|&value| value > 0)?.try_into().ok();
    let named = |list: &Option<String>| list.clone().filter(|list| !list.is_empty());
    let mut cpu = LinuxCpu::default();
    cpu.set_shares(positive(host.cpu_shares));
    match host.nano_cpus.filter(|&cpus| cpus > 0) {
        Some(cpus) => {
            cpu.set_period(Some(PERIOD));
            let per_cpu = NANO / PERIOD.cast_signed();
            cpu.set_quota(Some(cpus / per_cpu));
        }
        None => {
            cpu.set_period(positive(host.cpu_period));
            cpu.set_quota(host.cpu_quota.filter(|&quota| quota != 0));
        }
    }
    cpu.set_cpus(named(&host.cpuset_cpus));
    cpu.set_mems(named(&host.cpuset_mems));
    cpu.set_realtime_period(positive(host.cpu_realtime_period));
    cpu.set_realtime_runtime(host.cpu_realtime_runtime.filter(|&runtime| runtime != 0));
    cpu
}

fn block_io(host: &HostConfig) -> Result<LinuxBlockIo, SpecError> {
    let mut io = LinuxBlockIo::default();
    io.set_weight(host.blkio_weight.filter(|&weight| weight != 0));
    let mut weights: Vec<LinuxWeightDevice> = Vec::new();
    for device in host.blkio_weight_device.iter().flatten() {
        let (major, minor) = devices::numbers(device.path.as_deref().unwrap_or_default())?;
        let weight = device.weight.and_then(|weight| u16::try_from(weight).ok());
        let builder = LinuxWeightDeviceBuilder::default()
            .major(major)
            .minor(minor);
        weights.push(builder.weight(weight.unwrap_or(0)).build()?);
    }
    let listed = |list: Vec<LinuxThrottleDevice>| Some(list).filter(|list| !list.is_empty());
    io.set_weight_device(Some(weights).filter(|list| !list.is_empty()));
    io.set_throttle_read_bps_device(listed(throttles(&host.blkio_device_read_bps)?));
    io.set_throttle_write_bps_device(listed(throttles(&host.blkio_device_write_bps)?));
    io.set_throttle_read_iops_device(listed(throttles(&host.blkio_device_read_iops)?));
    io.set_throttle_write_iops_device(listed(throttles(&host.blkio_device_write_iops)?));
    Ok(io)
}

fn throttles(list: &Option<Vec<ThrottleDevice>>) -> Result<Vec<LinuxThrottleDevice>, SpecError> {
    let throttle = |device: &ThrottleDevice| {
        let (major, minor) = devices::numbers(device.path.as_deref().unwrap_or_default())?;
        let Ok(rate) = u64::try_from(device.rate.unwrap_or(0)) else {
            return refuse(format!(
                "invalid rate for device: {}",
                device.rate.unwrap_or(0)
            ));
        };
        let builder = LinuxThrottleDeviceBuilder::default()
            .major(major)
            .minor(minor);
        Ok(builder.rate(rate).build()?)
    };
    list.iter().flatten().map(throttle).collect()
}

/// Whether `--memory-swap` holds here. v1 has the file in the root too; v2 only below it.
#[must_use]
pub fn can_limit_swap(layout: &Layout) -> bool {
    let Some(hierarchy) = layout.controller(Controller::Memory) else {
        return false;
    };
    if !hierarchy.is_unified() {
        return hierarchy.mount.join("memory.memsw.limit_in_bytes").exists();
    }
    has_below(hierarchy, "memory.swap.max")
}

fn has_below(hierarchy: &Hierarchy, file: &str) -> bool {
    let has = |directory: &Path| directory.join(file).exists();
    if has(&hierarchy.mount) {
        return true;
    }
    let entries = std::fs::read_dir(&hierarchy.mount)
        .into_iter()
        .flatten()
        .flatten();
    entries.into_iter().any(|entry| has(&entry.path()))
}

fn memory_high(text: &str, layout: &Layout) -> Result<HashMap<String, String>, SpecError> {
    let bytes = bytes_of(text)?;
    let carrier = layout.controller(Controller::Memory);
    if layout.mode() != Mode::Unified || carrier.is_none() {
        return unsupported(
            "--memory-high",
            "memory.high is cgroup v2's, and this host's memory controller is not there",
        );
    }
    Ok(HashMap::from([(
        "memory.high".to_owned(),
        bytes.to_string(),
    )]))
}

/// Checks the form of [`MEMORY_HIGH`].
pub(super) fn bytes_of(text: &str) -> Result<u64, SpecError> {
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = lower.strip_prefix(digits).unwrap_or_default();
    let shift = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => 64,
    };
    let bytes = digits.parse::<u64>().ok();
    let bytes = bytes.and_then(|bytes| bytes.checked_mul(1_u64.checked_shl(shift)?));
    match bytes {
        Some(bytes) if bytes > 0 => Ok(bytes),
        Some(_) | None => refuse(format!(
            "invalid {MEMORY_HIGH} {text:?}: it has to be like 512m"
        )),
    }
}

#[cfg(test)]
#[path = "resources_tests.rs"]
mod tests;
