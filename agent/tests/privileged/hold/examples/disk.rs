//! Noisy neighbour on disk.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use super::{Engine, example};
use crate::support::{LoopDevice, installed, poll};

pub(super) const FILE: &str = "noisy-disk-neighbour.toml";
const MIB: u64 = 1 << 20;
/// What the neighbour writes a second, if it may.
const NOISE: u64 = 120 * MIB;

#[test]
fn who_writes_most_gives_way() {
    let test = "who_writes_most_gives_way";
    if !installed(test, "fio") {
        return;
    }
    let Some(disk) = LoopDevice::make(test, 256 * MIB) else {
        return;
    };
    let engine = Engine::new();
    let Some(mut cell) = engine.container(test, ("io.class", "bulk")) else {
        return;
    };
    let Some(agent) = engine.agent(test, &example(FILE, &[])) else {
        return;
    };
    let file = format!("--filename={}", disk.path());
    let rate = format!("--rate={}", NOISE / 4);
    let options = "--name=x --rw=write --direct=1 --sync=1 --ioengine=psync --bs=64k --thread \
                   --numjobs=4 --time_based --runtime=100";
    let mut arguments: Vec<_> = options.split_whitespace().collect();
    arguments.extend([file.as_str(), rate.as_str()]);
    cell.spawn("fio", &arguments);

    let device = disk.cap_of(0);
    let (device, _) = device.split_once(' ').unwrap();
    let cap = || {
        let caps = cell.write_caps();
        let of_disk = caps.iter().find_map(|cap| cap.strip_prefix(device));
        of_disk.map(|cap| cap.trim().parse::<u64>().unwrap())
    };
    let first = poll("cap", cap);
    // Half of what it used.
    assert!((2 * MIB..=NOISE * 6 / 10).contains(&first), "{first}");
    let told = agent.say(&["why", &cell.path()]);
    assert!(
        told.contains("io.some pressure of host above 20%"),
        "{told}"
    );
    // The kernel grants its first slice at once, and counts where there is a cap.
    std::thread::sleep(Duration::from_millis(500));
    let (began, before) = (Instant::now(), cell.written(device));
    std::thread::sleep(Duration::from_secs(2));
    let rate = (cell.written(device) - before) as f64 / began.elapsed().as_secs_f64();
    assert!(
        rate > 0.0 && rate <= first as f64 * 1.1,
        "{rate} under {first}"
    );
}
