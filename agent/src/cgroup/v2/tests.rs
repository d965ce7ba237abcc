//! Readings from cgroups of pure v2 hosts, captured on the kernels in the fixtures' names. Each
//! had a quota of 20 %, a memory limit of 64 MiB, and wrote 1 MiB and read 61 MiB of one disk.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use crate::cgroup::{
    Controller, DeviceIo, DeviceNumber, Hierarchy, HierarchyId, Layout, Limits, MemoryReading,
    Placement, Reader, Reading, Scratch, Throttling,
};

fn read(mount: &str, path: &str) -> Reading {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cgroup");
    let layout = Layout::from_hierarchies(vec![Hierarchy {
        id: HierarchyId::V2,
        mount: fixtures.join(mount),
        root: "/".to_owned(),
        controllers: vec![
            Controller::Cpu,
            Controller::Memory,
            Controller::Io,
            Controller::Pids,
        ],
        name: None,
    }]);
    let placement = Placement {
        paths: [(HierarchyId::V2, path.to_owned())].into(),
    };
    Reader::open(&layout, &placement)
        .read(&mut Scratch::default())
        .unwrap()
}

#[test]
fn what_every_kernel_has() {
    for (kernel, reads) in [("/v2-5.10", 101), ("/v2-6.1", 78), ("/v2-6.12", 85)] {
        let reading = read("", kernel);
        let limits = Limits {
            cpu_quota_us: Some(20_000),
            cpu_period_us: Some(100_000),
            cpu_shares: Some(998),
            memory_max_bytes: Some(64 << 20),
            swap_max_bytes: Some(16 << 20),
            memory_high_bytes: Some(48 << 20),
            memory_reservation_bytes: Some(48 << 20),
        };
        assert_eq!(reading.limits, limits, "{kernel}");
        let io = DeviceIo {
            device: DeviceNumber {
                major: 254,
                minor: 0,
            },
            read_bytes: 64_004_096,
            write_bytes: 1_048_576,
            reads,
            writes: 16,
            ..DeviceIo::default()
        };
        assert_eq!(reading.io, Some(vec![io]), "{kernel}");
        let pids = reading.pids.unwrap();
        assert_eq!((pids.current, pids.max), (1, Some(64)), "{kernel}");
        let throttling = reading.cpu.unwrap().throttling.unwrap();
        assert_eq!(
            (throttling.periods, throttling.throttled_periods),
            (60, 60),
            "{kernel}"
        );
        assert_eq!(reading.memory.unwrap().swap_bytes, Some(0), "{kernel}");
        assert!(reading.io_pressure.unwrap().full.is_some(), "{kernel}");
    }
}

#[test]
fn linux_5_10_lacks_peak_kernel_and_full_cpu_pressure() {
    let reading = read("", "/v2-5.10");
    let memory = MemoryReading {
        usage_bytes: 4_931_584,
        working_set_bytes: 4_931_584 - 73_728,
        rss_bytes: 4_173_824,
        inactive_file_bytes: 73_728,
        swap_bytes: Some(0),
        file_dirty_bytes: Some(0),
        file_writeback_bytes: Some(0),
        failures: Some(0),
        page_faults: 1_650,
        pages_scanned: Some(3_685),
        pages_stolen: Some(3_685),
        workingset_refault_file: Some(0),
        workingset_refault_anon: Some(0),
        events_high: Some(14),
        events_max: Some(0),
        events_oom_kill: Some(0),
        ..MemoryReading::default()
    };
    assert_eq!(reading.memory, Some(memory));
    let cpu = reading.cpu.unwrap();
    assert_eq!((cpu.usage_ns, cpu.system_ns), (1_223_470_000, 405_969_000));
    assert_eq!(cpu.throttling.unwrap().throttled_ns, 7_500_663_000);
    let pressure = reading.cpu_pressure.unwrap();
    assert_eq!(
        (pressure.some.avg10, pressure.some.total_us),
        (29.14, 3_974_519)
    );
    assert_eq!(pressure.full, None);
}

#[test]
fn linux_6_12_has_them() {
    let reading = read("", "/v2-6.12");
    let memory = reading.memory.unwrap();
    assert_eq!(memory.usage_bytes, 4_259_840);
    assert_eq!(
        (memory.peak_bytes, memory.kernel_bytes),
        (Some(50_614_272), Some(12_288))
    );
    assert_eq!(memory.events_high, Some(30));
    let throttling = Throttling {
        periods: 60,
        throttled_periods: 60,
        throttled_ns: 6_203_705_000,
        burst_periods: 0,
        burst_ns: 0,
    };
    assert_eq!(reading.cpu.unwrap().throttling, Some(throttling));
    assert_eq!(
        reading.cpu_pressure.unwrap().full.unwrap().total_us,
        3_584_077
    );
}

#[test]
fn the_root_has_less() {
    for kernel in ["v2-5.10-root", "v2-6.1-root", "v2-6.12-root"] {
        let reading = read(kernel, "/");
        let memory = reading.memory.unwrap();
        assert_eq!(
            memory.usage_bytes,
            memory.rss_bytes + memory.cache_bytes,
            "{kernel}"
        );
        assert!(memory.rss_bytes > 4_000_000, "{kernel}");
        assert_eq!(
            (memory.peak_bytes, memory.failures),
            (None, None),
            "{kernel}"
        );
        assert_eq!(
            (reading.pids, reading.limits),
            (None, Limits::default()),
            "{kernel}"
        );
        assert!(reading.cpu.unwrap().usage_ns > 2_000_000_000, "{kernel}");
        assert_eq!(reading.io.unwrap()[0].read_bytes, 64_008_192, "{kernel}");
    }
}
