//! What tables say of one workload.

use std::time::SystemTime;

use super::table::{Cell, Style};
use super::units;
use crate::api::{Life, Workload};

/// `Up 3h12m`, `Up 3h12m (frozen)`, `Dead 5m`; OOM kills in red.
pub(super) fn status(workload: &Workload, now: SystemTime) -> Cell {
    let up = units::since(workload.created, now);
    let (text, style) = match workload.life {
        Life::Alive => (format!("Up {up}"), Style::Plain),
        Life::Frozen => (format!("Up {up} (frozen)"), Style::Warning),
        Life::Dead { since } => (format!("Dead {}", units::since(since, now)), Style::Dim),
    };
    match workload.oom_kills {
        0 => Cell::styled(text, style),
        kills => Cell::styled(format!("{text}, {kills} OOM"), Style::Bad),
    }
}

/// Bytes received and sent: of its own network namespace as Docker has it, else of its sockets,
/// loopback left out. `None`: not measured here.
pub(super) fn network_bytes(workload: &Workload) -> Option<(u64, u64)> {
    let network = &workload.network;
    if !network.netdev.is_empty() {
        let devices = network.netdev.iter();
        return Some(devices.fold((0, 0), |(receive, transmit), device| {
            (
                receive + device.receive_bytes,
                transmit + device.transmit_bytes,
            )
        }));
    }
    let interfaces = network
        .interfaces
        .as_ref()?
        .iter()
        .filter(|i| i.interface != "lo");
    Some(interfaces.fold((0, 0), |(receive, transmit), interface| {
        (
            receive + interface.receive_bytes,
            transmit + interface.transmit_bytes,
        )
    }))
}

/// Bytes read from and written to block devices.
pub(super) fn block_bytes(workload: &Workload) -> Option<(u64, u64)> {
    let devices = workload.reading.io.as_ref()?.iter();
    Some(devices.fold((0, 0), |(read, write), device| {
        (read + device.read_bytes, write + device.write_bytes)
    }))
}

/// CPU in percent of one, as of the last tick. `None`: not measured here.
pub(super) fn cpu_percent(workload: &Workload) -> Option<f64> {
    let measured = workload.reading.cpu.is_some();
    measured.then_some(workload.cpu_cores * 100.0)
}

/// Memory in use without what the kernel can take back at once, as `docker stats` has it.
pub(super) fn memory_bytes(workload: &Workload) -> Option<u64> {
    workload
        .reading
        .memory
        .map(|memory| memory.working_set_bytes)
}

/// A number, or what stands for none.
pub(super) fn number(value: Option<u64>) -> Cell {
    value
        .map_or_else(|| units::NONE.to_owned(), |value| value.to_string())
        .into()
}
