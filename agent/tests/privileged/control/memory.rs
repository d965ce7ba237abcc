//! Memory limits, the way down to them, and taking memory back.

use std::fs::File;
use std::time::{Duration, Instant};

use plimsoll::cgroup::{Control, ControlError, Knob, Progress, Setting};

use super::World;
use crate::support::{LoopDevice, poll, skip};

const MIB: u64 = 1 << 20;
/// Somebody else's machine: the way down takes milliseconds on an idle one.
const PATIENCE: Duration = Duration::from_secs(5);

impl World {
    fn usage(&self) -> u64 {
        self.number("memory", "memory.usage_in_bytes", "memory.current")
    }

    fn peak(&self) -> Option<u64> {
        let v2 = self.directory("memory").join("memory.peak");
        let there = Self::is_v1("memory") || v2.exists();
        there.then(|| self.number("memory", "memory.max_usage_in_bytes", "memory.peak"))
    }

    fn kills(&self) -> u64 {
        if Self::is_v1("memory") {
            self.field("memory", "memory.oom_control", "oom_kill")
        } else {
            self.field("memory", "memory.events", "oom_kill")
        }
    }

    /// Reads a disk through the page cache: memory that can be taken back, until the file is closed.
    fn fill_cache(&mut self, disk: &LoopDevice, mib: u64) -> File {
        // The last one to close a disk drops its cache.
        let open = File::open(disk.path()).unwrap();
        let input = format!("if={}", disk.path());
        self.own.run(
            "dd",
            &[&input, "of=/dev/null", "bs=1M", &format!("count={mib}")],
        );
        let usage = self.usage();
        assert!(usage >= mib * MIB * 9 / 10, "{usage} bytes cached");
        open
    }

    /// A process that holds a block in its memory, and does not end.
    fn hold(&mut self, mib: u64) {
        let hold = format!("dd if=/dev/zero bs={mib}M 2>/dev/null | sleep 60");
        self.own.spawn("sh", &["-c", &hold]);
        poll("memory in use", || {
            (self.usage() >= mib * MIB).then_some(())
        });
    }

    fn has_swap() -> bool {
        let swaps = std::fs::read_to_string("/proc/swaps").unwrap();
        swaps.lines().count() > 1
    }
}

fn walk(control: &Control, target: u64, at_most: Duration) -> Result<Setting, ControlError> {
    let mut lowering = control.lower_memory_max(target, at_most)?;
    let deadline = Instant::now() + at_most + PATIENCE;
    loop {
        let start = Instant::now();
        match lowering.step()? {
            Progress::Done(setting) => return Ok(setting),
            Progress::Waiting { usage } => assert!(usage > 0),
        }
        assert!(start.elapsed() < Duration::from_millis(250), "a step waits");
        assert!(Instant::now() < deadline, "no end");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn no_more_memory_than_the_limit_is_used() {
    let test = "no_more_memory_than_the_limit_is_used";
    let Some(mut world) = World::make(test, &["memory"]) else {
        return;
    };
    let control = world.control();
    let limit = Setting::MemoryMax(Some(32 * MIB));
    assert_eq!(
        control
            .write(&Setting::MemoryMax(Some(32 * MIB + 7)))
            .unwrap(),
        limit
    );
    if control.enforceable(Knob::MemorySwapMax).is_ok() {
        control.write(&Setting::MemorySwapMax(Some(0))).unwrap();
    }
    let hog = world
        .own
        .spawn("dd", &["if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"]);
    assert!(!hog.wait().unwrap().success());
    assert_eq!(world.kills(), 1);
    if let Some(peak) = world.peak() {
        assert!((16 * MIB..=32 * MIB).contains(&peak), "{peak}");
    }
}

#[test]
fn a_limit_goes_below_what_can_be_taken_back() {
    let test = "a_limit_goes_below_what_can_be_taken_back";
    let Some(mut world) = World::make(test, &["memory"]) else {
        return;
    };
    let Some(disk) = LoopDevice::make(test, 64 * MIB) else {
        return;
    };
    let control = world.control();
    let _cached = world.fill_cache(&disk, 40);
    let refused = control
        .write(&Setting::MemoryMax(Some(16 * MIB)))
        .unwrap_err();
    assert!(
        matches!(refused, ControlError::BelowUsage { .. }),
        "{refused}"
    );
    let before = control.before(&Setting::MemoryMax(Some(16 * MIB))).unwrap();
    assert_eq!(before[0], Setting::MemoryMax(None));
    let done = walk(&control, 16 * MIB, PATIENCE).unwrap();
    assert_eq!(done, Setting::MemoryMax(Some(16 * MIB)));
    let text = world.text("memory", "memory.limit_in_bytes", "memory.max");
    assert_eq!(text, (16 * MIB).to_string());
    assert!(world.usage() <= 16 * MIB);
    assert_eq!(world.kills(), 0);
    if !World::is_v1("memory") {
        assert_eq!(
            control.read(Knob::MemoryHigh).unwrap(),
            Setting::MemoryHigh(None)
        );
    }
    // Nothing more to walk: at once.
    let done = walk(&control, 24 * MIB, Duration::ZERO).unwrap();
    assert_eq!(done, Setting::MemoryMax(Some(24 * MIB)));
}

#[test]
fn a_limit_below_what_cannot_be_taken_back_is_given_up() {
    let test = "a_limit_below_what_cannot_be_taken_back_is_given_up";
    let Some(mut world) = World::make(test, &["memory"]) else {
        return;
    };
    if World::has_swap() {
        return skip(test, "with swap, anonymous memory can be taken back");
    }
    world.hold(24);
    let control = world.control();
    control.write(&Setting::MemoryMax(Some(128 * MIB))).unwrap();
    let start = Instant::now();
    let error = walk(&control, 8 * MIB, Duration::from_millis(300)).unwrap_err();
    let ControlError::BelowUsage { usage, wanted } = error else {
        panic!("{error}");
    };
    assert!(usage >= 24 * MIB && wanted == 8 * MIB, "{usage} {wanted}");
    assert!(start.elapsed() >= Duration::from_millis(300));
    // Nobody died, and all is as it was, now and when the kernel's last attempt has ended.
    for _ in 0..2 {
        assert_eq!(world.kills(), 0);
        let limit = control.read(Knob::MemoryMax).unwrap();
        assert_eq!(limit, Setting::MemoryMax(Some(128 * MIB)));
        if !World::is_v1("memory") {
            assert_eq!(
                control.read(Knob::MemoryHigh).unwrap(),
                Setting::MemoryHigh(None)
            );
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    // Dropped on the way is given up too.
    drop(control.lower_memory_max(8 * MIB, PATIENCE).unwrap());
    assert_eq!(
        control.read(Knob::MemoryMax).unwrap(),
        Setting::MemoryMax(Some(128 * MIB))
    );
    assert!(control.processes(true).unwrap().len() >= 2);
}

#[test]
fn setting_a_high_limit_does_not_wait_for_reclaim() {
    let test = "setting_a_high_limit_does_not_wait_for_reclaim";
    let Some(mut world) = World::make(test, &["memory"]) else {
        return;
    };
    let control = world.control();
    if World::is_v1("memory") {
        let refused = control.write(&Setting::MemoryHigh(Some(MIB))).unwrap_err();
        assert!(
            matches!(refused, ControlError::NotEnforceable(_)),
            "{refused}"
        );
        return skip(
            test,
            "the memory controller is on v1, which has no memory.high",
        );
    }
    world.hold(48);
    let start = Instant::now();
    let set = control.write(&Setting::MemoryHigh(Some(8 * MIB))).unwrap();
    assert!(
        start.elapsed() < Duration::from_millis(100),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(set, Setting::MemoryHigh(Some(8 * MIB)));
    control.write(&Setting::MemoryHigh(None)).unwrap();
    assert_eq!(world.kills(), 0);
}

#[test]
fn memory_is_taken_back() {
    let test = "memory_is_taken_back";
    let Some(mut world) = World::make(test, &["memory"]) else {
        return;
    };
    let Some(disk) = LoopDevice::make(test, 64 * MIB) else {
        return;
    };
    let control = world.control();
    control.write(&Setting::MemoryMax(Some(96 * MIB))).unwrap();
    let _cached = world.fill_cache(&disk, 40);
    let before = control.before_reclaim().unwrap();
    let usage = control.memory_usage().unwrap();
    let taken = control.reclaim(16 * MIB, PATIENCE).unwrap();
    let less = usage - world.usage();
    assert!((14 * MIB..=20 * MIB).contains(&taken), "{taken} taken");
    assert!(
        less.abs_diff(taken) <= 2 * MIB,
        "{taken} taken, {less} less in use"
    );
    for setting in &before {
        assert_eq!(control.read(setting.knob()).unwrap(), *setting);
    }
    assert_eq!(
        control.read(Knob::MemoryMax).unwrap(),
        Setting::MemoryMax(Some(96 * MIB))
    );
    assert_eq!(world.kills(), 0);
    // All that is there, not all that was asked for.
    let taken = control.reclaim(1 << 30, PATIENCE).unwrap();
    assert!((10 * MIB..=32 * MIB).contains(&taken), "{taken} taken");
}
