//! Bytes and operations of the whole agent, exact, on a loop device of the test's own.
#![allow(clippy::unwrap_used)]

use crate::support::{Agent, LoopDevice, Metrics, OwnCgroup, Settings, installed};

const COUNTED: [(&str, &str, &str); 4] = [
    (
        "container_fs_reads_bytes_total",
        "blkio.throttle.io_service_bytes_recursive",
        "Read",
    ),
    (
        "container_fs_writes_bytes_total",
        "blkio.throttle.io_service_bytes_recursive",
        "Write",
    ),
    (
        "container_fs_reads_total",
        "blkio.throttle.io_serviced_recursive",
        "Read",
    ),
    (
        "container_fs_writes_total",
        "blkio.throttle.io_serviced_recursive",
        "Write",
    ),
];

/// The four counters, 0 without a series.
fn ours(metrics: &Metrics, id: &str, device: &str) -> [u64; 4] {
    COUNTED.map(|(name, ..)| {
        let value = metrics.find(name, &[("id", id), ("device", device)]);
        value.unwrap_or(0.0) as u64
    })
}

/// What the throttling code counted, 0 without a line.
fn oracle(own: &OwnCgroup, device: &LoopDevice) -> [u64; 4] {
    let (major, minor) = device.number();
    COUNTED.map(|(_, file, operation)| {
        let wanted = format!("{major}:{minor} {operation} ");
        let text = own.read("blkio", file);
        let line = text.lines().find_map(|line| line.strip_prefix(&wanted));
        line.map_or(0, |count| count.parse().unwrap())
    })
}

/// Whether the agent counts by itself, as it can from 5.12 on, or has the kernel's files.
fn is_probed(agent: &Agent) -> bool {
    let probes = agent.say(&["probes"]);
    let of_io = probes.lines().find(|line| line.contains("block_bio_queue"));
    of_io.unwrap().contains("attached")
}

fn write(own: &mut OwnCgroup, device: &LoopDevice, block: &str, count: u32) {
    let output = format!("of={}", device.path());
    let (block, count) = (format!("bs={block}"), format!("count={count}"));
    let how = ["oflag=direct", "conv=notrunc"];
    own.run(
        "dd",
        &["if=/dev/zero", &output, &block, &count, how[0], how[1]],
    );
}

fn read(own: &mut OwnCgroup, device: &LoopDevice, block: &str, count: u32) {
    let input = format!("if={}", device.path());
    let (block, count) = (format!("bs={block}"), format!("count={count}"));
    own.run(
        "dd",
        &[&input, "of=/dev/null", &block, &count, "iflag=direct"],
    );
}

#[test]
fn io_without_a_rule_is_what_was_done() {
    let test = "io_without_a_rule_is_what_was_done";
    let Some(mut own) = OwnCgroup::make(test, &["blkio"]) else {
        return;
    };
    let Some(device) = LoopDevice::make(test, 16 << 20) else {
        return;
    };
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let id = own.path();
    write(&mut own, &device, "64k", 48);
    read(&mut own, &device, "16k", 32);
    let done = [32 << 14, 48 << 16, 32, 48];
    assert_eq!(ours(&agent.fresh_scrape(), &id, device.path()), done);

    // A removed child stays in its parent's total.
    let mut child = own.nested("child");
    write(&mut child, &device, "4k", 100);
    child.remove();
    let is_probed = is_probed(&agent);
    let done = if is_probed {
        [32 << 14, (48 << 16) + (100 << 12), 32, 148]
    } else {
        // What the file adds up is of those that are there
        // (block/blk-cgroup-rwstat.c blkg_rwstat_recursive_sum(), v5.10).
        assert_eq!(oracle(&own, &device), done);
        done
    };
    let metrics = agent.fresh_scrape();
    assert_eq!(ours(&metrics, &id, device.path()), done);
    let child = ours(&metrics, &child.path(), device.path());
    let all = [0, 100 << 12, 0, 100];
    if is_probed {
        assert_eq!(child, all, "the removed child, until scraped");
    } else {
        // Its files went with it: what the last tick before had read is told.
        let told = child.iter().zip(all).all(|(told, done)| *told <= done);
        assert!(told, "more than was done: {child:?}");
    }
    assert_eq!(ours(&agent.fresh_scrape(), &id, device.path()), done);
    metrics.assert_nothing_lost();
}

#[test]
fn io_is_what_the_throttling_code_counts() {
    let test = "io_is_what_the_throttling_code_counts";
    if !installed(test, "fio") {
        return;
    }
    let Some(mut own) = OwnCgroup::make(test, &["blkio"]) else {
        return;
    };
    let Some(device) = LoopDevice::make(test, 16 << 20) else {
        return;
    };
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    // 6.1 counts only what a rule is for, and the parts of a large operation only where that is one
    // on operations (block/blk-throttle.h blk_throtl_bio(), v6.1): these slow nothing.
    let (major, minor) = device.number();
    let rule = format!("{major}:{minor} 4000000000");
    for file in ["read_iops_device", "write_iops_device"] {
        own.write("blkio", &format!("blkio.throttle.{file}"), &rule);
    }
    let random = [
        "--name=t",
        "--rw=randrw",
        "--bs=4k",
        "--size=1M",
        "--direct=1",
    ];
    let how = ["--ioengine=psync", "--filename", device.path()];
    own.run("fio", &[&random[..], &how[..]].concat());
    write(&mut own, &device, "256k", 12);
    let id = own.path();
    let counted = oracle(&own, &device);
    eprintln!("{test}: {counted:?}");
    assert!(counted.iter().all(|count| *count > 0), "{counted:?}");
    assert_eq!(ours(&agent.fresh_scrape(), &id, device.path()), counted);
    // Larger than a request of this disk may be: each part is an operation. Its bytes are what was
    // written: 6.1 counts those of a part twice.
    write(&mut own, &device, "4M", 3);
    let [_, _, reads, writes] = oracle(&own, &device);
    let [read_bytes, write_bytes, ..] = counted;
    assert_eq!(
        ours(&agent.fresh_scrape(), &id, device.path()),
        [read_bytes, write_bytes + (12 << 20), reads, writes]
    );
}
