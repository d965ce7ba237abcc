//! The machine's own numbers, from `/proc`.

use procfs::{Current, CurrentSI};

use super::snapshot::{HostReading, NetdevTotals};

/// Reads them; what cannot be read is 0.
pub(super) fn read() -> HostReading {
    let mut host = HostReading {
        cpus: std::thread::available_parallelism().map_or(0, |n| n.get() as u32),
        ..HostReading::default()
    };
    if let Ok(stat) = procfs::KernelStats::current() {
        let ticks = u128::from(procfs::ticks_per_second().max(1));
        let all = &stat.total;
        // Guest time is within user and nice already (kernel/sched/cputime.c, v6.12).
        let busy =
            all.user + all.nice + all.system + all.irq.unwrap_or(0) + all.softirq.unwrap_or(0);
        let rest = all.idle + all.iowait.unwrap_or(0) + all.steal.unwrap_or(0);
        let nanoseconds = |time: u64| (u128::from(time) * 1_000_000_000 / ticks) as u64;
        host.cpu_busy_ns = nanoseconds(busy);
        host.cpu_time_ns = nanoseconds(busy + rest);
        host.cpus = stat.cpu_time.len() as u32;
    }
    if let Ok(memory) = procfs::Meminfo::current() {
        host.memory_bytes = memory.mem_total;
        host.memory_available_bytes = memory.mem_available.unwrap_or(memory.mem_free);
        host.swap_bytes = memory.swap_total;
    }
    host
}

/// Device counters of a process's network namespace, without `lo`.
pub(super) fn netdev(tgid: u32) -> Option<Vec<NetdevTotals>> {
    let process = procfs::process::Process::new(i32::try_from(tgid).ok()?).ok()?;
    let mut devices: Vec<_> = process
        .dev_status()
        .ok()?
        .into_values()
        .filter(|device| device.name != "lo")
        .map(|device| NetdevTotals {
            interface: device.name,
            receive_bytes: device.recv_bytes,
            receive_packets: device.recv_packets,
            receive_errors: device.recv_errs,
            receive_dropped: device.recv_drop,
            transmit_bytes: device.sent_bytes,
            transmit_packets: device.sent_packets,
            transmit_errors: device.sent_errs,
            transmit_dropped: device.sent_drop,
        })
        .collect();
    devices.sort_by(|a, b| a.interface.cmp(&b.interface));
    Some(devices)
}
