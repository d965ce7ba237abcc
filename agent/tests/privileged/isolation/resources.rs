//! What a container may use.

use std::fs;

use plimsoll::cgroup::{Controller, Layout};
use plimsoll::launch::shim::Stdio;
use serde_json::json;

use super::workload::{Ready, specification, stop, told};
use crate::launch::bundle::Dock;
use crate::support::LoopDevice;

#[test]
fn limits_of_the_process_and_settings_of_the_kernel_are_its_own() {
    let Some(dock) = Dock::new("limits_of_the_process_and_settings_of_the_kernel_are_its_own")
    else {
        return;
    };
    let host = json!({
        "Ulimits": [{"Name": "nofile", "Soft": 100, "Hard": 200}, {"Name": "core", "Soft": 0, "Hard": 0}],
        "Sysctls": {"net.ipv4.ip_forward": "1", "kernel.msgmax": "4096"},
        "OomScoreAdj": 321
    });
    let line = "ulimit -Sn; ulimit -Hn; ulimit -c; cat /proc/sys/net/ipv4/ip_forward \
                /proc/sys/kernel/msgmax /proc/self/oom_score_adj \
                /proc/sys/net/ipv4/ip_unprivileged_port_start; \
                tr -s '\\t ' ' ' < /proc/sys/net/ipv4/ping_group_range";
    let said = told(&dock, "a", line, &host);
    assert_eq!(said, "100\n200\n0\n1\n4096\n321\n0\n0 2147483647\n");
}

#[test]
fn limits_are_in_the_cgroups_files() {
    let Some(dock) = Dock::new("limits_are_in_the_cgroups_files") else {
        return;
    };
    let layout = Layout::detect().unwrap();
    let body = json!({"HostConfig": {"Memory": 67_108_864, "MemoryReservation": 33_554_432,
        "MemorySwap": -1, "NanoCpus": 500_000_000, "CpusetCpus": "0", "PidsLimit": 77}});
    let (spec, _) = specification(&dock, "a", "sleep 1000", &body, &Ready::default());
    let mut held = dock
        .create("a", "", Stdio::Null, |given| *given = spec)
        .unwrap();
    held.start().unwrap();
    let cases = [
        (
            Controller::Memory,
            ["memory.limit_in_bytes", "memory.max"],
            ["67108864", "67108864"],
        ),
        (
            Controller::Memory,
            ["memory.soft_limit_in_bytes", "memory.low"],
            ["33554432", "33554432"],
        ),
        (
            Controller::Cpu,
            ["cpu.cfs_quota_us", "cpu.max"],
            ["50000", "50000 100000"],
        ),
        (
            Controller::Cpuset,
            ["cpuset.cpus", "cpuset.cpus"],
            ["0", "0"],
        ),
        (Controller::Pids, ["pids.max", "pids.max"], ["77", "77"]),
    ];
    for (controller, files, values) in cases {
        let hierarchy = layout.controller(controller).unwrap();
        let version = usize::from(hierarchy.is_unified());
        let directory = hierarchy.directory(&format!("{}/a", dock.parent)).unwrap();
        let value = fs::read_to_string(directory.join(files[version])).unwrap();
        assert_eq!(value.trim(), values[version], "{}", files[version]);
    }
    stop(held);
}

#[test]
fn a_disks_limit_is_in_the_cgroups_file() {
    let test = "a_disks_limit_is_in_the_cgroups_file";
    let Some(dock) = Dock::new(test) else {
        return;
    };
    let Some(disk) = LoopDevice::make(test, 1 << 20) else {
        return;
    };
    let layout = Layout::detect().unwrap();
    let body = json!({"HostConfig": {
        "BlkioDeviceWriteBps": [{"Path": disk.path(), "Rate": 1_048_576}]}});
    let (spec, _) = specification(&dock, "a", "sleep 1000", &body, &Ready::default());
    let mut held = dock
        .create("a", "", Stdio::Null, |given| *given = spec)
        .unwrap();
    held.start().unwrap();
    let hierarchy = layout.controller(Controller::Io).unwrap();
    let directory = hierarchy.directory(&format!("{}/a", dock.parent)).unwrap();
    let (major, minor) = disk.number();
    let (file, line) = if hierarchy.is_unified() {
        let line = format!("{major}:{minor} rbps=max wbps=1048576 riops=max wiops=max");
        ("io.max", line)
    } else {
        ("blkio.throttle.write_bps_device", disk.cap_of(1_048_576))
    };
    let set = fs::read_to_string(directory.join(file)).unwrap();
    assert_eq!(set.trim(), line);
    stop(held);
}
