//! Whole readings from files captured on real hosts: a fixture directory is a cgroup.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use super::*;
use crate::cgroup::{Controller, CpuReading, DeviceNumber, Hierarchy, HierarchyId, Throttling};

const V1: HierarchyId = HierarchyId(4);

fn hierarchy(id: HierarchyId, mount: PathBuf, controllers: &[Controller]) -> Hierarchy {
    let controllers = controllers.to_vec();
    Hierarchy {
        id,
        mount,
        root: "/".to_owned(),
        controllers,
        name: None,
    }
}

/// A host whose v1 and v2 hierarchies both show the fixtures' directory.
fn layout() -> Layout {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cgroup");
    let v1 = [
        Controller::Cpu,
        Controller::Cpuacct,
        Controller::Memory,
        Controller::Io,
        Controller::Pids,
        Controller::Freezer,
    ];
    Layout::from_hierarchies(vec![
        hierarchy(V1, fixtures.clone(), &v1),
        hierarchy(HierarchyId::V2, fixtures, &[]),
    ])
}

fn placement(paths: &[(HierarchyId, &str)]) -> Placement {
    Placement {
        paths: paths
            .iter()
            .map(|(id, path)| (*id, (*path).to_owned()))
            .collect(),
    }
}

fn read(paths: &[(HierarchyId, &str)]) -> Reading {
    let mut reader = Reader::open(&layout(), &placement(paths));
    let mut scratch = Scratch::default();
    let first = reader.read(&mut scratch).unwrap();
    assert_eq!(
        reader.read(&mut scratch).unwrap(),
        first,
        "kept files read the same again"
    );
    first
}

#[test]
fn v1_controllers() {
    let reading = read(&[(V1, "/v1-6.18")]);
    let throttling = Throttling {
        periods: 20,
        throttled_periods: 19,
        throttled_ns: 1_474_376_184,
        ..Default::default()
    };
    let cpu = CpuReading {
        usage_ns: 418_511_105,
        user_ns: 370_000_000,
        system_ns: 40_000_000,
        throttling: Some(throttling),
    };
    assert_eq!(reading.cpu, Some(cpu));

    let memory = reading.memory.unwrap();
    assert_eq!(memory.usage_bytes, 66_846_720);
    assert_eq!(memory.working_set_bytes, 66_846_720 - 35_680_256);
    assert_eq!(memory.rss_bytes, 26_611_712);
    assert_eq!(memory.cache_bytes, 38_871_040);
    assert_eq!(memory.mapped_file_bytes, 6_160_384);
    assert_eq!(memory.swap_bytes, Some(0));
    assert_eq!(memory.peak_bytes, Some(67_108_864));
    assert_eq!(memory.kernel_bytes, Some(1_015_808));
    assert_eq!(memory.active_file_bytes, 884_736);
    assert_eq!(memory.failures, Some(177));
    assert_eq!((memory.page_faults, memory.major_page_faults), (13_927, 26));
    assert_eq!(memory.workingset_refault_file, Some(6_127));
    assert_eq!((memory.pages_scanned, memory.events_high), (None, None));
    assert_eq!(memory.events_oom_kill, Some(0));

    let io = reading.io.unwrap();
    assert_eq!(io.len(), 1);
    assert_eq!(io[0].device, DeviceNumber { major: 7, minor: 0 });
    assert_eq!(
        (io[0].read_bytes, io[0].write_bytes),
        (1_110_016, 2_097_152)
    );
    assert_eq!((io[0].reads, io[0].writes), (58, 273));
    assert_eq!((io[0].discard_bytes, io[0].discards), (1_048_576, 1));
    assert_eq!(
        (io[0].sync_bytes, io[0].async_bytes),
        (Some(4_255_744), Some(0))
    );

    let pids = reading.pids.unwrap();
    assert_eq!((pids.current, pids.max), (4, Some(64)));
    assert_eq!(reading.cpu_pressure, None);
    let limits = Limits {
        cpu_quota_us: Some(20_000),
        cpu_period_us: Some(100_000),
        cpu_shares: Some(512),
        memory_max_bytes: Some(67_108_864),
        swap_max_bytes: Some(100_663_296 - 67_108_864),
        memory_high_bytes: None,
        memory_reservation_bytes: Some(33_554_432),
    };
    assert_eq!(reading.limits, limits);
}

#[test]
fn v2_without_controllers_has_cpu_time_and_pressure() {
    let reading = read(&[(HierarchyId::V2, "/v2-6.18-no-controllers")]);
    let cpu = reading.cpu.unwrap();
    assert_eq!((cpu.usage_ns, cpu.user_ns), (418_511_000, 373_167_000));
    assert_eq!(cpu.system_ns, 45_343_000);
    assert_eq!(cpu.throttling, None);
    assert_eq!(
        (reading.memory, reading.io, reading.pids),
        (None, None, None)
    );
    let pressure = reading.cpu_pressure.unwrap();
    assert_eq!(
        (pressure.some.total_us, pressure.full.unwrap().total_us),
        (1_475_561, 1_475_559)
    );
    assert_eq!(reading.memory_pressure.unwrap().some.total_us, 11_104);
    assert_eq!(reading.limits, Limits::default());
}

#[test]
fn hybrid_takes_controllers_from_v1_and_pressure_from_v2() {
    let v1 = read(&[(V1, "/v1-6.18")]);
    let v2 = read(&[(HierarchyId::V2, "/v2-6.18-no-controllers")]);
    let both = read(&[
        (V1, "/v1-6.18"),
        (HierarchyId::V2, "/v2-6.18-no-controllers"),
    ]);
    let expected = Reading {
        cpu_pressure: v2.cpu_pressure,
        memory_pressure: v2.memory_pressure,
        io_pressure: v2.io_pressure,
        ..v1
    };
    assert_eq!(both, expected);
}

#[test]
fn a_root_beside_an_own_cgroup_is_the_hosts_and_left_out() {
    let own = [(V1, "/v1-6.18")];
    assert_eq!(read(&[own[0], (HierarchyId::V2, "/")]), read(&own));
}

#[test]
fn refreshes_are_spread_over_the_interval() {
    let root = tempfile::tempdir().unwrap();
    let layout = Layout::from_hierarchies(vec![hierarchy(
        HierarchyId::V2,
        root.path().to_owned(),
        &[],
    )]);
    let mut scratch = Scratch::default();
    let mut intervals = std::collections::BTreeSet::new();
    for number in 0..20 {
        std::fs::create_dir(root.path().join(number.to_string())).unwrap();
        let path = format!("/{number}");
        let mut reader = Reader::open(&layout, &placement(&[(HierarchyId::V2, &path)]));
        let (first, before) = (reader.interval, Instant::now());
        reader.read(&mut scratch).unwrap();
        assert!(first >= FIRST_REFRESH && first < 2 * FIRST_REFRESH);
        assert!(reader.refresh_at.unwrap() >= before + first);
        assert_eq!(reader.interval, 2 * first);
        intervals.insert(first);
    }
    assert!(intervals.len() > 10, "{intervals:?}");
}

#[test]
fn limits_are_read_when_asked() {
    let root = tempfile::tempdir().unwrap();
    let own = root.path().join("a");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("memory.max"), "max\n").unwrap();
    std::fs::write(own.join("cpu.max"), "max 100000\n").unwrap();
    let layout = Layout::from_hierarchies(vec![hierarchy(
        HierarchyId::V2,
        root.path().to_owned(),
        &[],
    )]);
    let mut reader = Reader::open(&layout, &placement(&[(HierarchyId::V2, "/a")]));
    let mut scratch = Scratch::default();
    let limits = reader.read(&mut scratch).unwrap().limits;
    assert_eq!((limits.memory_max_bytes, limits.cpu_quota_us), (None, None));
    assert_eq!(limits.cpu_period_us, Some(100_000));
    std::fs::write(own.join("memory.max"), "4096\n").unwrap();
    assert_eq!(
        reader
            .refresh_limits(&mut scratch)
            .unwrap()
            .memory_max_bytes,
        Some(4096)
    );
    assert_eq!(
        reader.read(&mut scratch).unwrap().limits.memory_max_bytes,
        Some(4096)
    );
}

#[test]
fn state_of_both_freezers() {
    let root = tempfile::tempdir().unwrap();
    let own = root.path().join("a");
    std::fs::create_dir(&own).unwrap();
    let mount = root.path().to_owned();
    let layout = Layout::from_hierarchies(vec![
        hierarchy(HierarchyId::V2, mount.clone(), &[]),
        hierarchy(V1, mount, &[Controller::Freezer]),
    ]);
    let both = placement(&[(HierarchyId::V2, "/a"), (V1, "/a")]);
    let mut reader = Reader::open(&layout, &both);
    let mut scratch = Scratch::default();
    let mut state = |events: &str, freezer: &str| {
        std::fs::write(own.join("cgroup.events"), events).unwrap();
        std::fs::write(own.join("freezer.state"), freezer).unwrap();
        let state = reader.state(&mut scratch).unwrap();
        (state.populated, state.frozen)
    };
    assert_eq!(
        state("populated 1\nfrozen 0\n", "THAWED\n"),
        (Some(true), Some(false))
    );
    assert_eq!(
        state("populated 1\nfrozen 0\n", "FREEZING\n"),
        (Some(true), Some(false))
    );
    assert_eq!(
        state("populated 1\nfrozen 0\n", "FROZEN\n"),
        (Some(true), Some(true))
    );
    assert_eq!(
        state("populated 0\nfrozen 1\n", "THAWED\n"),
        (Some(false), Some(true))
    );
}
