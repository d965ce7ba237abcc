//! systemd's bloat, chill and munch (test/units/TEST-55-OOMD, v256), of ours: the one that makes memory
//! scarce goes, by the pressure that it makes; who is next to it and idle stays, and so does one that
//! makes as much but is not to be touched.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs::File;
use std::path::Path;

use super::Cell;
use crate::support::{Agent, Settings, poll, skip};

const MIB: u64 = 1 << 20;

/// Reads a file of three times what it may have in memory, again and again: each page it reads pushes
/// out one that it will want. The file is its own, and nothing but holes: whoever reads a page first
/// has it on its account.
fn munch(cell: &mut Cell, file: &Path) -> u32 {
    File::create(file).unwrap().set_len(48 * MIB).unwrap();
    cell.set_memory_max(16 * MIB);
    let script = format!("while :; do cat {} >/dev/null; done", file.display());
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
    // On a disk: what is read from a tmpfs is not pushed out without swap.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
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
    let left_alone = munch(&mut spared, &folder.path().join("spared"));
    munch(&mut bloat, &folder.path().join("bloat"));
    poll("end of the one that makes pressure", || {
        let killed = agent.say(&["actions", &bloat.path(), "--outcome", "done"]);
        (killed.contains("kill") && bloat.processes().is_empty()).then_some(())
    });
    let why = agent.say(&["why", &bloat.path()]);
    assert!(why.contains("memory.some"), "{why}");
    assert_eq!(chill.processes(), [calm]);
    assert!(spared.processes().contains(&left_alone));
    assert!(spared.memory_pressure_us() > 100_000, "it made none");
}
