//! Block I/O, on a loop device of the test's own.

use plimsoll::cgroup::{DeviceNumber, device_name};

use super::Ours;
use crate::support::{LoopDevice, OwnCgroup, installed};

/// The count of one device and operation in a v1 file, 0 without a line.
fn oracle(own: &OwnCgroup, file: &str, device: (u64, u64), operation: &str) -> u64 {
    let wanted = format!("{}:{} {operation} ", device.0, device.1);
    let text = own.read("blkio", file);
    let line = text.lines().find_map(|line| line.strip_prefix(&wanted));
    line.map_or(0, |count| count.parse().unwrap())
}

#[test]
fn bytes_and_operations_are_exact() {
    let test = "bytes_and_operations_are_exact";
    if !installed(test, "fio") {
        return;
    }
    let Some(mut own) = OwnCgroup::make(test, &["blkio"]) else {
        return;
    };
    let Some(device) = LoopDevice::make(test, 16 << 20) else {
        return;
    };
    let number = device.number();
    // Since 6.10 the kernel counts only on disks with a rule, and 6.1 only in the direction of a
    // rule: these slow nothing.
    let rule = format!("{}:{} 1099511627776", number.0, number.1);
    for direction in ["read", "write"] {
        let file = format!("blkio.throttle.{direction}_bps_device");
        own.write("blkio", &file, &rule);
    }
    let mut ours = Ours::of(&own, &["blkio"]);
    let idle = ours.read().io.unwrap();
    assert!(idle.iter().all(|io| io.reads + io.writes == 0), "{idle:?}");

    let path = device.path();
    let output = format!("of={path}");
    own.run(
        "dd",
        &[
            "if=/dev/zero",
            &output,
            "bs=64k",
            "count=64",
            "oflag=direct",
            "conv=notrunc",
        ],
    );
    let input = format!("if={path}");
    own.run(
        "dd",
        &[&input, "of=/dev/null", "bs=16k", "count=32", "iflag=direct"],
    );
    own.run(
        "fio",
        &[
            "--name=t",
            "--rw=randwrite",
            "--bs=4k",
            "--size=1M",
            "--direct=1",
            "--ioengine=psync",
            "--filename",
            path,
        ],
    );

    let device = DeviceNumber {
        major: number.0 as u32,
        minor: number.1 as u32,
    };
    let io = ours.read().io.unwrap();
    let found = io.iter().find(|io| io.device == device).unwrap();
    let bytes = "blkio.throttle.io_service_bytes_recursive";
    let operations = "blkio.throttle.io_serviced_recursive";
    for (what, ours, file, operation) in [
        ("read bytes", found.read_bytes, bytes, "Read"),
        ("write bytes", found.write_bytes, bytes, "Write"),
        ("sync bytes", found.sync_bytes.unwrap(), bytes, "Sync"),
        ("async bytes", found.async_bytes.unwrap(), bytes, "Async"),
        ("discard bytes", found.discard_bytes, bytes, "Discard"),
        ("reads", found.reads, operations, "Read"),
        ("writes", found.writes, operations, "Write"),
    ] {
        assert_eq!(ours, oracle(&own, file, number, operation), "{what}");
    }
    // What the programs were told to do; the rest would be theirs to read (partition tables).
    assert_eq!(found.write_bytes, (64 << 16) + (1 << 20));
    assert_eq!(found.writes, 64 + 256);
    assert!(found.read_bytes >= 32 << 14, "{}", found.read_bytes);
    assert_eq!(device_name(device).as_deref(), Some(path));
}
