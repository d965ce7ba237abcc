//! Pressure stall information.

use crate::cgroup::PressureReading;
use crate::metrics::catalogue::Group;
use crate::metrics::exposition::Value;
use crate::metrics::family::Kind::Counter;
use crate::metrics::family::{Emit, Family, Source};

const NO_PRESSURE: &str = "PSI is off, or the workload is in no cgroup v2 of its own";

pub(super) const GROUP: Group = Group {
    title: "Pressure",
    about: "From the cgroup v2 directory, which on a hybrid host has these files without any controller.",
    families: &[
        Family {
            name: "container_pressure_cpu_waiting_seconds_total",
            help: "Time in which some task waited for a CPU.",
            source: Source::new("cpu.pressure some"),
            emit: Emit::Workload(|_, workload, out| {
                out.push_some(waiting(workload.reading.cpu_pressure));
            }),
            ..PRESSURE
        },
        Family {
            name: "container_pressure_cpu_stalled_seconds_total",
            help: "Time in which all tasks waited for a CPU.",
            source: Source::new("cpu.pressure full"),
            absent: "as above; also before Linux 5.13",
            emit: Emit::Workload(|_, workload, out| {
                out.push_some(stalled(workload.reading.cpu_pressure));
            }),
            ..PRESSURE
        },
        Family {
            name: "container_pressure_memory_waiting_seconds_total",
            help: "Time in which some task waited for memory.",
            source: Source::new("memory.pressure some"),
            emit: Emit::Workload(|_, workload, out| {
                out.push_some(waiting(workload.reading.memory_pressure));
            }),
            ..PRESSURE
        },
        Family {
            name: "container_pressure_memory_stalled_seconds_total",
            help: "Time in which all tasks waited for memory.",
            source: Source::new("memory.pressure full"),
            emit: Emit::Workload(|_, workload, out| {
                out.push_some(stalled(workload.reading.memory_pressure));
            }),
            ..PRESSURE
        },
        Family {
            name: "container_pressure_io_waiting_seconds_total",
            help: "Time in which some task waited for I/O.",
            source: Source::new("io.pressure some"),
            emit: Emit::Workload(|_, workload, out| {
                out.push_some(waiting(workload.reading.io_pressure));
            }),
            ..PRESSURE
        },
        Family {
            name: "container_pressure_io_stalled_seconds_total",
            help: "Time in which all tasks waited for I/O.",
            source: Source::new("io.pressure full"),
            emit: Emit::Workload(|_, workload, out| {
                out.push_some(stalled(workload.reading.io_pressure));
            }),
            ..PRESSURE
        },
    ],
};

const PRESSURE: Family = Family {
    kind: Counter,
    unit: "seconds",
    absent: NO_PRESSURE,
    ..Family::WORKLOAD
};

fn waiting(pressure: Option<PressureReading>) -> Option<Value> {
    pressure.map(|pressure| Value::microseconds(pressure.some.total_us))
}

fn stalled(pressure: Option<PressureReading>) -> Option<Value> {
    let full = pressure.and_then(|pressure| pressure.full);
    full.map(|full| Value::microseconds(full.total_us))
}
