//! What one workload uses at one time: a line of `plimsoll stats`.

use serde::Serialize;

use super::rates::Rate;
use super::table::{Cell, Column, Cut, Style, Table};
use super::{cells, units};
use crate::api::{WorkloadDetail, display_name};
use crate::cgroup::PressureReading;

/// Shares in percent that are shown in yellow.
const MEMORY_NEAR_LIMIT: f64 = 90.0;
const THROTTLED_OFTEN: f64 = 10.0;
const PRESSURE_HIGH: f64 = 10.0;

/// The JSON form of a line.
#[derive(Debug, Serialize)]
pub(super) struct Usage {
    name: String,
    id: String,
    runtime: &'static str,
    kind: &'static str,
    cpu_percent: Option<f64>,
    memory_usage_bytes: Option<u64>,
    /// Its own, else the host's memory.
    memory_limit_bytes: u64,
    memory_percent: Option<f64>,
    network_receive_bytes: Option<u64>,
    network_transmit_bytes: Option<u64>,
    block_read_bytes: Option<u64>,
    block_write_bytes: Option<u64>,
    pids: Option<u64>,
    throttled_percent: Option<f64>,
    /// CPU, memory, I/O.
    pressure_percent: [Option<f64>; 3],
}

impl Usage {
    pub(super) fn new(detail: &WorkloadDetail, rate: Rate) -> Self {
        let WorkloadDetail { workload, host, .. } = detail;
        let reading = &workload.reading;
        let usage = cells::memory_bytes(workload);
        let limit = reading.limits.memory_max_bytes;
        let limit = limit.unwrap_or(host.memory_bytes).min(host.memory_bytes);
        let network = cells::network_bytes(workload);
        let block = cells::block_bytes(workload);
        let some = |pressure: Option<PressureReading>| pressure.map(|pressure| pressure.some.avg10);
        Self {
            name: display_name(&workload.identity),
            id: workload.identity.id.clone(),
            runtime: workload.identity.runtime.name(),
            kind: workload.identity.kind.name(),
            // Before there are two readings of ours: the agent's own, of its last tick.
            cpu_percent: rate.cpu_percent.or_else(|| cells::cpu_percent(workload)),
            memory_usage_bytes: usage,
            memory_limit_bytes: limit,
            memory_percent: usage.map(|usage| share(usage, limit)),
            network_receive_bytes: network.map(|(receive, _)| receive),
            network_transmit_bytes: network.map(|(_, transmit)| transmit),
            block_read_bytes: block.map(|(read, _)| read),
            block_write_bytes: block.map(|(_, write)| write),
            pids: reading.pids.map(|pids| pids.current),
            throttled_percent: rate.throttled_percent,
            pressure_percent: [
                some(reading.cpu_pressure),
                some(reading.memory_pressure),
                some(reading.io_pressure),
            ],
        }
    }
}

/// In percent.
#[allow(clippy::cast_precision_loss)]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64 * 100.0
}

/// One line each.
pub(super) fn table(lines: &[Usage]) -> Table {
    let mut table = Table::new(vec![
        Column::left("NAME", 0).shrink_to(16, Cut::Middle),
        Column::right("CPU %", 1),
        Column::left("MEM USAGE / LIMIT", 2),
        Column::right("MEM %", 7),
        Column::left("NET I/O", 3),
        Column::left("BLOCK I/O", 4),
        Column::right("PIDS", 8),
        Column::right("THROTTLED", 5),
        Column::left("PRESSURE C/M/I", 6),
    ]);
    for line in lines {
        let usage = line.memory_usage_bytes.map(units::memory);
        let usage = usage.unwrap_or_else(|| units::NONE.into());
        let limit = units::memory(line.memory_limit_bytes);
        table.row(vec![
            line.name.as_str().into(),
            units::percent(line.cpu_percent).into(),
            format!("{usage} / {limit}").into(),
            warned(line.memory_percent, MEMORY_NEAR_LIMIT),
            units::traffic_pair(line.network_receive_bytes.zip(line.network_transmit_bytes)).into(),
            units::traffic_pair(line.block_read_bytes.zip(line.block_write_bytes)).into(),
            cells::number(line.pids),
            warned(line.throttled_percent, THROTTLED_OFTEN),
            pressure(line.pressure_percent),
        ]);
    }
    table
}

/// Yellow from `limit` on.
fn warned(percent: Option<f64>, limit: f64) -> Cell {
    let much = percent.is_some_and(|percent| percent >= limit);
    let style = if much { Style::Warning } else { Style::Plain };
    Cell::styled(units::percent(percent), style)
}

/// `1.2/0.0/3.4`
fn pressure(percent: [Option<f64>; 3]) -> Cell {
    if percent.iter().all(Option::is_none) {
        return units::NONE.into();
    }
    let text = percent.map(|p| p.map_or_else(|| units::NONE.into(), |p| format!("{p:.1}")));
    let much = percent
        .iter()
        .flatten()
        .any(|percent| *percent >= PRESSURE_HIGH);
    let style = if much { Style::Warning } else { Style::Plain };
    Cell::styled(text.join("/"), style)
}
