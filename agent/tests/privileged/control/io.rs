//! Caps of a disk, and the disk under a path.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use plimsoll::cgroup::{DeviceNumber, DiskError, IoCaps, Knob, Setting, disk_of};

use super::{World, with_tolerance};
use crate::support::{LoopDevice, installed, skip};

/// Twice what a quiet host shows: others run beside it.
const TOLERANCE: f64 = 0.05;

fn number(disk: &LoopDevice) -> DeviceNumber {
    let (major, minor) = disk.number();
    DeviceNumber {
        major: u32::try_from(major).unwrap(),
        minor: u32::try_from(minor).unwrap(),
    }
}

/// Bytes and operations of the cgroup on the disk so far, as the kernel counts them.
fn counted(world: &World, disk: &LoopDevice, write: bool) -> [u64; 2] {
    let (major, minor) = disk.number();
    let device = format!("{major}:{minor} ");
    // `Write 4096` on v1, `wbytes=4096` among others on v2.
    let number = |text: &str, key: &str| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(&device));
        let after = lines
            .find_map(|line| line.split_once(key))
            .map(|(_, after)| after);
        let digits = after.and_then(|after| after.get(1..)?.split(' ').next());
        digits.map_or(0, |digits| digits.parse().unwrap())
    };
    if World::is_v1("blkio") {
        let key = if write { "Write" } else { "Read" };
        let files = [
            "blkio.throttle.io_service_bytes",
            "blkio.throttle.io_serviced",
        ];
        return files.map(|file| number(&world.text("blkio", file, file), key));
    }
    let text = world.text("blkio", "", "io.stat");
    let keys = if write {
        ["wbytes", "wios"]
    } else {
        ["rbytes", "rios"]
    };
    keys.map(|key| number(&text, key))
}

/// Direct transfers under the caps for two seconds: bytes and operations a second, and how much
/// that may be off.
fn rates(
    world: &mut World,
    disk: &LoopDevice,
    caps: IoCaps,
    write: bool,
    block: u64,
) -> ([f64; 2], f64) {
    let control = world.control();
    let setting = Setting::IoMax(number(disk), caps);
    assert_eq!(control.write(&setting).unwrap(), setting);
    let (file, size) = (
        format!("--filename={}", disk.path()),
        format!("--bs={block}"),
    );
    let how = if write { "--rw=write" } else { "--rw=read" };
    let options = "--name=x --direct=1 --ioengine=psync --thread --time_based --runtime=60";
    // Many at once: what one is late after a busy host's pause, others have made up for.
    let mut arguments: Vec<_> = options.split(' ').collect();
    arguments.extend(["--numjobs=16", how, file.as_str(), size.as_str()]);
    world.own.spawn("fio", &arguments);
    let next = |world: &World| {
        let before = counted(world, disk, write);
        // The moment matters: one operation in a hundred is one percent.
        loop {
            let now = counted(world, disk, write);
            if now != before {
                return (now, Instant::now());
            }
            std::thread::sleep(Duration::from_micros(300));
        }
    };
    next(world);
    // The kernel grants its first slice at once (block/blk-throttle.c, v6.12).
    std::thread::sleep(Duration::from_millis(500));
    let (((before, start), (after, end)), tolerance) = with_tolerance(TOLERANCE, || {
        let before = next(world);
        std::thread::sleep(Duration::from_secs(2));
        (before, next(world))
    });
    let seconds = (end - start).as_secs_f64();
    let none = Setting::IoMax(number(disk), IoCaps::default());
    control.write(&none).unwrap();
    assert_eq!(
        world.text("blkio", "blkio.throttle.write_bps_device", "io.max"),
        ""
    );
    let rates = [0, 1].map(|at| (after[at] - before[at]) as f64 / seconds);
    (rates, tolerance)
}

#[track_caller]
fn assert_near(rate: f64, cap: f64, tolerance: f64) {
    let off = rate / cap - 1.0;
    eprintln!("{off} off the cap, within {tolerance}");
    assert!(
        off.abs() <= tolerance,
        "{rate} a second under a cap of {cap}"
    );
}

#[test]
fn direct_writes_are_as_fast_as_the_cap() {
    let test = "direct_writes_are_as_fast_as_the_cap";
    if !installed(test, "fio") {
        return;
    }
    let Some(mut world) = World::make(test, &["blkio"]) else {
        return;
    };
    let Some(disk) = LoopDevice::make(test, 64 << 20) else {
        return;
    };
    let caps = IoCaps {
        wbps: Some(2 << 20),
        ..IoCaps::default()
    };
    let ([bytes, _], tolerance) = rates(&mut world, &disk, caps, true, 16 << 10);
    assert_near(bytes, f64::from(2 << 20), tolerance);
}

#[test]
fn direct_reads_are_as_many_as_the_cap() {
    let test = "direct_reads_are_as_many_as_the_cap";
    if !installed(test, "fio") {
        return;
    }
    let Some(mut world) = World::make(test, &["blkio"]) else {
        return;
    };
    let Some(disk) = LoopDevice::make(test, 64 << 20) else {
        return;
    };
    let caps = IoCaps {
        rbps: Some(16 << 20),
        riops: Some(100),
        ..IoCaps::default()
    };
    let ([_, operations], tolerance) = rates(&mut world, &disk, caps, false, 4 << 10);
    assert_near(operations, 100.0, tolerance);
}

#[test]
fn a_disk_that_is_not_there_is_named() {
    let Some(world) = World::make("a_disk_that_is_not_there_is_named", &["blkio"]) else {
        return;
    };
    let device = DeviceNumber {
        major: 8,
        minor: 4095,
    };
    let caps = IoCaps {
        rbps: Some(1 << 20),
        ..IoCaps::default()
    };
    let error = world
        .control()
        .write(&Setting::IoMax(device, caps))
        .unwrap_err();
    assert!(
        error.to_string().ends_with("there is no such disk"),
        "{error}"
    );
}

#[test]
fn weights_are_set_where_a_scheduler_has_them() {
    let test = "weights_are_set_where_a_scheduler_has_them";
    let Some(world) = World::make(test, &["blkio"]) else {
        return;
    };
    let control = world.control();
    if let Err(refused) = control.enforceable(Knob::IoWeight) {
        return skip(test, &refused.reason);
    }
    let found = control.write(&Setting::IoWeight(50)).unwrap();
    assert_eq!(found.in_v2_unit(), Setting::IoWeight(50));
    let files = control.files(Knob::IoWeight);
    let text = std::fs::read_to_string(&files[0]).unwrap();
    assert_eq!(
        text.lines().next().unwrap().trim_start_matches("default "),
        "50"
    );
    assert!(control.caveat(Knob::IoWeight).is_some());
}

#[test]
fn the_disk_under_a_path_is_found() {
    let test = "the_disk_under_a_path_is_found";
    let Some(disk) = LoopDevice::make(test, 4 << 20) else {
        return;
    };
    assert_eq!(disk_of(Path::new(disk.path())).unwrap(), number(&disk));
    let error = disk_of(Path::new("/dev/shm")).unwrap_err();
    assert!(
        matches!(error, DiskError::NoDisk { ref kind, .. } if kind.contains("tmpfs")),
        "{error}"
    );
    // Every partition that this host has is on the disk that sysfs puts it in.
    let block = std::fs::read_dir("/sys/class/block").unwrap();
    for entry in block.map(Result::unwrap) {
        let directory = entry.path().canonicalize().unwrap();
        let node = Path::new("/dev").join(entry.file_name());
        if !directory.join("partition").exists() || !node.exists() {
            continue;
        }
        let parent = std::fs::read_to_string(directory.parent().unwrap().join("dev")).unwrap();
        let found = disk_of(&node).unwrap();
        assert_eq!(format!("{}:{}", found.major, found.minor), parent.trim());
        assert_ne!(
            u64::from(found.minor),
            nix::sys::stat::minor(std::fs::metadata(&node).unwrap().rdev())
        );
    }
}
