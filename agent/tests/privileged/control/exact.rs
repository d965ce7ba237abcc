//! What was there comes back to the byte, as the kernel shows it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use plimsoll::cgroup::{Control, DeviceNumber, IoCaps, Knob, Quota, Setting};

use super::World;
use crate::support::LoopDevice;

const MIB: u64 = 1 << 20;

/// Every file that is set, not counted, of the cgroup in all its hierarchies.
fn texts(world: &World, controllers: &[&'static str]) -> BTreeMap<PathBuf, String> {
    let prefixes = [
        "cpu.",
        "cpuset.",
        "memory.",
        "blkio.",
        "io.",
        "pids.",
        "freezer.",
        "cgroup.freeze",
    ];
    let counted = [
        "stat",
        "usage",
        "pressure",
        "events",
        "current",
        "peak",
        "failcnt",
        "effective",
        "slabinfo",
        "service",
        "serviced",
    ];
    let mut found = BTreeMap::new();
    for controller in controllers {
        for entry in fs::read_dir(world.directory(controller)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let set = prefixes.iter().any(|prefix| name.starts_with(prefix));
            if !set || counted.iter().any(|word| name.contains(word)) {
                continue;
            }
            if let Ok(text) = fs::read_to_string(&path) {
                found.insert(path, text);
            }
        }
    }
    found
}

fn settings(disk: DeviceNumber, first: bool) -> Vec<Setting> {
    let one = |first_value, other| if first { first_value } else { other };
    let caps = IoCaps {
        rbps: Some(one(7 * MIB, 3 * MIB)),
        wiops: first.then_some(77),
        wbps: (!first).then_some(5 * MIB),
        riops: None,
    };
    vec![
        Setting::CpuMax(Quota {
            quota_us: Some(one(34_567, 5_432)),
            period_us: one(98_765, 12_345),
        }),
        Setting::CpuMaxBurst(one(12_345, 1_234)),
        // No weight of v2 is 998 shares; on v2 it is rounded once.
        if first {
            Setting::CpuShares(998)
        } else {
            Setting::CpuWeight(7)
        },
        Setting::MemoryMax(Some(one(128 * MIB, 96 * MIB))),
        Setting::MemorySwapMax(Some(one(16 * MIB, 0))),
        Setting::MemoryHigh(Some(one(64 * MIB, 32 * MIB))),
        Setting::MemoryLow(Some(one(MIB, 2 * MIB))),
        Setting::MemoryMin(Some(one(4096, 8192))),
        Setting::MemoryOomGroup(first),
        Setting::PidsMax(Some(one(77, 3))),
        Setting::IoMax(disk, caps),
        Setting::IoWeight(one(77, 555)),
        Setting::CpuIdle(!first),
        Setting::Freeze(!first),
    ]
}

fn possible(control: &Control, settings: Vec<Setting>) -> Vec<Setting> {
    let mut settings = settings;
    settings.retain(|setting| control.enforceable(setting.knob()).is_ok());
    settings
}

#[test]
fn every_file_comes_back() {
    let test = "every_file_comes_back";
    let controllers = ["cpu", "memory", "blkio", "pids", "freezer"];
    let Some(world) = World::make(test, &controllers) else {
        return;
    };
    let Some(disk) = LoopDevice::make(test, 4 << 20) else {
        return;
    };
    let (major, minor) = disk.number();
    let disk = DeviceNumber {
        major: u32::try_from(major).unwrap(),
        minor: u32::try_from(minor).unwrap(),
    };
    let control = world.control();
    // As made, then from values that somebody set.
    for somebody in [Vec::new(), settings(disk, true)] {
        for setting in possible(&control, somebody) {
            control.write(&setting).unwrap();
        }
        let before = texts(&world, &controllers);
        assert!(before.len() >= 10, "{before:?}");
        let mut undo = Vec::new();
        for setting in possible(&control, settings(disk, false)) {
            undo.push(control.before(&setting).unwrap());
            control
                .write(&setting)
                .unwrap_or_else(|error| panic!("{setting}: {error}"));
        }
        assert_ne!(texts(&world, &controllers), before);
        for setting in undo.iter().rev().flatten() {
            assert_eq!(control.write(setting).unwrap(), *setting);
        }
        assert_eq!(texts(&world, &controllers), before);
    }
    assert_eq!(
        control.read(Knob::PidsMax).unwrap(),
        Setting::PidsMax(Some(77))
    );
}
