//! systemd's bloat, chill and munch (test/units/TEST-55-OOMD, v256), of ours: the one that makes memory
//! scarce goes, by the pressure that it makes; who is next to it and idle stays, and so does one that
//! makes as much but is not to be touched.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use super::Cell;
use crate::support::{Agent, LoopDevice, Settings, poll, skip};

const MIB: u64 = 1 << 20;

/// A disk of three times what it may have in memory.
const DISK: u64 = 48 * MIB;

/// Reads a disk again and again: each page it reads pushes out one that it will want. The disk is its own:
/// whoever reads a page first has it on its account. The last one to close a disk drops its cache.
fn munch(cell: &mut Cell, disk: &LoopDevice) -> u32 {
    cell.set_memory_max(DISK / 3);
    let disk = disk.path();
    let script = format!("exec 3<{disk}; while :; do cat {disk} >/dev/null; done");
    cell.spawn("sh", &["-c", &script]).id()
}

#[test]
fn who_makes_pressure_goes_and_who_is_excepted_stays() {
    let test = "who_makes_pressure_goes_and_who_is_excepted_stays";
    if !Path::new("/proc/pressure/memory").exists() {
        return skip(test, "the kernel counts no pressure");
    }
    let cells = (Cell::make(test), Cell::make(test), Cell::make(test));
    let (Some(mut bloat), Some(mut chill), Some(mut spared)) = cells else {
        return;
    };
    let disks = (LoopDevice::make(test, DISK), LoopDevice::make(test, DISK));
    let (Some(bloats), Some(spareds)) = disks else {
        return;
    };
    let policy = format!(
        r#"version = 1
[[policy]]
name = "oomd"
match = {{ cgroup = ["{bloat}", "{chill}", "{spared}"] }}
exclude = {{ cgroup = "{spared}" }}
[[policy.rule]]
name = "pressure"
any = [{{ psi = "memory.some", above = "5%", window = "1s" }}]
for = "500ms"
then = [{{ kill = {{ scope = "cgroup", signal = "KILL" }} }}]
"#,
        bloat = bloat.path(),
        chill = chill.path(),
        spared = spared.path()
    );
    let Some(agent) = Agent::start_with_policy(test, &Settings::default(), &policy) else {
        return;
    };
    let calm = chill.spawn("sleep", &["1000"]).id();
    let left_alone = munch(&mut spared, &spareds);
    munch(&mut bloat, &bloats);
    poll("end of the one that makes pressure", || {
        let killed = agent.say(&["actions", &bloat.path(), "--outcome", "done"]);
        (killed.contains("kill") && bloat.processes().is_empty()).then_some(())
    });
    let why = agent.say(&["why", &bloat.path()]);
    assert!(why.contains("memory.some"), "{why}");
    assert_eq!(chill.processes(), [calm]);
    assert!(spared.processes().contains(&left_alone));
    poll("pressure that the other one makes", || {
        (spared.memory_pressure_us() > 100_000).then_some(())
    });
}
