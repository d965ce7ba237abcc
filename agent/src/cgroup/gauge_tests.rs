//! Quick values from files captured on real hosts, against the whole readings of the same files.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use super::*;
use crate::cgroup::{Hierarchy, Reader};

const V1: HierarchyId = HierarchyId(4);
const CONTROLLERS: [Controller; 4] = [
    Controller::Cpu,
    Controller::Cpuacct,
    Controller::Memory,
    Controller::Pids,
];

/// The fixtures' directory as a host's only hierarchy.
fn layout(id: HierarchyId) -> Layout {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cgroup");
    Layout::from_hierarchies(vec![Hierarchy {
        id,
        mount: fixtures,
        root: "/".to_owned(),
        controllers: CONTROLLERS.to_vec(),
        name: None,
    }])
}

fn placement(id: HierarchyId, path: &str) -> Placement {
    Placement {
        paths: [(id, path.to_owned())].into(),
    }
}

#[track_caller]
fn same_as_the_reader(id: HierarchyId, path: &str) {
    let (layout, placement) = (layout(id), placement(id, path));
    let scratch = &mut Scratch::default();
    let whole = Reader::open(&layout, &placement).read(scratch).unwrap();
    let mut gauges = Gauges::open(&layout, &placement);
    let memory = whole.memory.unwrap();
    assert_eq!(
        gauges.memory_usage(scratch).unwrap(),
        Some(memory.usage_bytes)
    );
    let limits = whole.limits;
    let number = |value: Option<u64>| value.map(|value| value as f64);
    assert_eq!(
        gauges.limit(Knob::MemoryMax, scratch).unwrap(),
        number(limits.memory_max_bytes)
    );
    assert_eq!(
        gauges.limit(Knob::MemoryHigh, scratch).unwrap(),
        number(limits.memory_high_bytes)
    );
    let quota = limits.cpu_quota_us.zip(limits.cpu_period_us);
    assert!(quota.is_some(), "the fixture is under a quota");
    assert_eq!(
        gauges.limit(Knob::CpuMax, scratch).unwrap(),
        quota.map(|(quota, period)| quota as f64 / period as f64)
    );
    let events = gauges.memory_events(scratch).unwrap().unwrap();
    assert_eq!(Some(events.max), memory.failures);
    assert_eq!(events.high, memory.events_high);
    let pids = whole.pids.unwrap();
    assert_eq!(gauges.pids_current(scratch).unwrap(), Some(pids.current));
    assert_eq!(
        gauges.limit(Knob::PidsMax, scratch).unwrap(),
        number(pids.max)
    );
    let cpu = whole.cpu.unwrap();
    assert_eq!(gauges.cpu_time_ns(scratch).unwrap(), Some(cpu.usage_ns));
    let periods = cpu.throttling.map(|throttling| Periods {
        all: throttling.periods,
        throttled: throttling.throttled_periods,
    });
    assert!(periods.is_some());
    assert_eq!(gauges.cpu_periods(scratch).unwrap(), periods);
    for (resource, reading) in [
        (Resource::Cpu, whole.cpu_pressure),
        (Resource::Memory, whole.memory_pressure),
        (Resource::Io, whole.io_pressure),
    ] {
        assert_eq!(gauges.pressure(resource, scratch).unwrap(), reading);
    }
}

#[test]
fn v1_values_are_the_readers() {
    same_as_the_reader(V1, "/v1-6.18");
}

#[test]
fn v2_values_are_the_readers() {
    same_as_the_reader(HierarchyId::V2, "/v2-6.12");
}

#[test]
fn the_root_of_one_hierarchy_is_not_the_workload() {
    let layout = layout(V1);
    let paths = [
        (V1, "/".to_owned()),
        (HierarchyId::V2, "/v2-6.12".to_owned()),
    ];
    let placement = Placement {
        paths: paths.into(),
    };
    let mut gauges = Gauges::open(&layout, &placement);
    let usage = gauges.memory_usage(&mut Scratch::default());
    assert_eq!(usage.unwrap(), None);
}

#[test]
fn a_cgroup_that_is_gone_has_vanished() {
    let placement = placement(V1, "/no-such-cgroup");
    let mut gauges = Gauges::open(&layout(V1), &placement);
    assert!(gauges.pids_current(&mut Scratch::default()).is_err());
}
