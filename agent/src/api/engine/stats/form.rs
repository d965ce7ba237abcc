//! Readings in Docker's form.

use std::collections::HashMap;
use std::time::SystemTime;

use bollard::models::{
    ContainerBlkioStatEntry, ContainerBlkioStats, ContainerCpuStats, ContainerCpuUsage,
    ContainerMemoryStats, ContainerNetworkStats, ContainerPidsStats, ContainerStatsResponse,
    ContainerThrottlingData,
};

use crate::api::types::{HostReading, Snapshot, Workload};
use crate::cgroup::{CpuReading, DeviceIo, MemoryReading, Reading};

/// Docker's word for an instant that has not come.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// Of a container of which nothing is read.
pub(super) fn nothing(id: &str, name: &str) -> ContainerStatsResponse {
    ContainerStatsResponse {
        id: Some(id.to_owned()),
        name: Some(format!("/{name}")),
        read: Some(NEVER.to_owned()),
        preread: Some(NEVER.to_owned()),
        cpu_stats: Some(ContainerCpuStats::default()),
        precpu_stats: Some(ContainerCpuStats::default()),
        memory_stats: Some(ContainerMemoryStats::default()),
        ..ContainerStatsResponse::default()
    }
}

/// Of one that runs; `before`: what was told last.
pub(super) fn stats(
    id: &str,
    name: &str,
    workload: &Workload,
    snapshot: &Snapshot,
    before: Option<(SystemTime, ContainerCpuStats)>,
) -> ContainerStatsResponse {
    let reading = &workload.reading;
    let at = |time| humantime::format_rfc3339_nanos(time).to_string();
    let (preread, precpu) = before
        .map_or((NEVER.to_owned(), ContainerCpuStats::default()), |told| {
            (at(told.0), told.1)
        });
    ContainerStatsResponse {
        read: Some(at(snapshot.taken)),
        preread: Some(preread),
        cpu_stats: Some(cpu(reading.cpu, &snapshot.host)),
        precpu_stats: Some(precpu),
        memory_stats: Some(memory(reading, &snapshot.host)),
        networks: networks(workload),
        pids_stats: reading.pids.map(|pids| ContainerPidsStats {
            current: Some(pids.current),
            limit: pids.max,
        }),
        blkio_stats: Some(blkio(reading.io.as_deref())),
        num_procs: Some(0),
        ..nothing(id, name)
    }
}

fn cpu(reading: Option<CpuReading>, host: &HostReading) -> ContainerCpuStats {
    let reading = reading.unwrap_or_default();
    let throttling = reading.throttling.unwrap_or_default();
    ContainerCpuStats {
        cpu_usage: Some(ContainerCpuUsage {
            total_usage: Some(reading.usage_ns),
            usage_in_kernelmode: Some(reading.system_ns),
            usage_in_usermode: Some(reading.user_ns),
            percpu_usage: None,
        }),
        system_cpu_usage: Some(host.cpu_time_ns),
        online_cpus: Some(host.cpus),
        throttling_data: Some(ContainerThrottlingData {
            periods: Some(throttling.periods),
            throttled_periods: Some(throttling.throttled_periods),
            throttled_time: Some(throttling.throttled_ns),
        }),
    }
}

fn memory(reading: &Reading, host: &HostReading) -> ContainerMemoryStats {
    let limit = reading.limits.memory_max_bytes.unwrap_or(u64::MAX);
    let limit = Some(limit.min(host.memory_bytes));
    let Some(memory) = &reading.memory else {
        return ContainerMemoryStats {
            limit,
            ..ContainerMemoryStats::default()
        };
    };
    ContainerMemoryStats {
        usage: Some(memory.usage_bytes),
        max_usage: memory.peak_bytes,
        stats: Some(parts(memory)),
        failcnt: memory.failures,
        limit,
        ..ContainerMemoryStats::default()
    }
}

/// Under the names of the cgroup version that they were read from: clients tell the version by them.
fn parts(memory: &MemoryReading) -> HashMap<String, u64> {
    // `memory.events` is cgroup v2's.
    let names = if memory.events_max.is_some() {
        [
            "inactive_file",
            "active_file",
            "anon",
            "file",
            "file_mapped",
            "pgfault",
            "pgmajfault",
        ]
    } else {
        [
            "total_inactive_file",
            "total_active_file",
            "total_rss",
            "total_cache",
            "total_mapped_file",
            "total_pgfault",
            "total_pgmajfault",
        ]
    };
    let values = [
        memory.inactive_file_bytes,
        memory.active_file_bytes,
        memory.rss_bytes,
        memory.cache_bytes,
        memory.mapped_file_bytes,
        memory.page_faults,
        memory.major_page_faults,
    ];
    names.map(str::to_owned).into_iter().zip(values).collect()
}

/// `None`: it has no network namespace of its own, or nothing but `lo` in it.
fn networks(workload: &Workload) -> Option<HashMap<String, ContainerNetworkStats>> {
    let devices = workload.network.netdev.iter().map(|device| {
        let stats = ContainerNetworkStats {
            rx_bytes: Some(device.receive_bytes),
            rx_packets: Some(device.receive_packets),
            rx_errors: Some(device.receive_errors),
            rx_dropped: Some(device.receive_dropped),
            tx_bytes: Some(device.transmit_bytes),
            tx_packets: Some(device.transmit_packets),
            tx_errors: Some(device.transmit_errors),
            tx_dropped: Some(device.transmit_dropped),
            endpoint_id: None,
            instance_id: None,
        };
        (device.interface.clone(), stats)
    });
    let devices: HashMap<_, _> = devices.collect();
    (!devices.is_empty()).then_some(devices)
}

fn blkio(devices: Option<&[DeviceIo]>) -> ContainerBlkioStats {
    let entries = |of: fn(&DeviceIo) -> [u64; 2]| {
        let devices = devices?.iter().flat_map(move |device| {
            let entry = move |(op, value): (&str, u64)| ContainerBlkioStatEntry {
                major: Some(device.device.major.into()),
                minor: Some(device.device.minor.into()),
                op: Some(op.to_owned()),
                value: Some(value),
            };
            ["read", "write"].into_iter().zip(of(device)).map(entry)
        });
        Some(devices.collect())
    };
    ContainerBlkioStats {
        io_service_bytes_recursive: entries(|device| [device.read_bytes, device.write_bytes]),
        io_serviced_recursive: entries(|device| [device.reads, device.writes]),
        ..ContainerBlkioStats::default()
    }
}
