//! What was there comes back to the byte, whatever was written in between.

use proptest::prelude::*;

use super::*;
use crate::cgroup::DeviceNumber;

const DISK: DeviceNumber = DeviceNumber { major: 8, minor: 0 };
const PAGE: u64 = 4096;

fn limit(least: u64, most: u64) -> impl Strategy<Value = Option<u64>> {
    prop::option::of(least..most)
}

fn pages() -> impl Strategy<Value = Option<u64>> {
    limit(0, 1 << 40).prop_map(|pages| pages.map(|pages| pages * PAGE))
}

fn list() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..4u32).prop_map(|one| one.to_string()),
        (0..4u32, 5..9u32).prop_map(|(one, other)| format!("{one},{other}")),
        (0..4u32, 5..9u32).prop_map(|(first, last)| format!("{first}-{last}")),
    ]
}

fn caps() -> impl Strategy<Value = IoCaps> {
    let bytes = || limit(1, 1 << 40);
    let operations = || limit(1, u64::from(u32::MAX));
    (bytes(), bytes(), operations(), operations()).prop_map(|(rbps, wbps, riops, wiops)| IoCaps {
        rbps,
        wbps,
        riops,
        wiops,
    })
}

/// What both versions can hold.
fn common() -> impl Strategy<Value = Setting> {
    let quota = (limit(1_000, 1 << 40), 1_000..=1_000_000u64);
    prop_oneof![
        quota.prop_map(|(quota_us, period_us)| Setting::CpuMax(Quota {
            quota_us,
            period_us
        })),
        (0..1_000u64).prop_map(Setting::CpuMaxBurst),
        (1..=10_000u64).prop_map(Setting::CpuWeight),
        (2..=262_144u64).prop_map(Setting::CpuShares),
        any::<bool>().prop_map(Setting::CpuIdle),
        list().prop_map(Setting::CpusetCpus),
        list().prop_map(Setting::CpusetMems),
        pages().prop_map(Setting::MemoryMax),
        limit(0, 4 << 20).prop_map(Setting::PidsMax),
        caps().prop_map(|caps| Setting::IoMax(DISK, caps)),
        (1..=10_000u64).prop_map(Setting::IoWeight),
    ]
}

fn v2() -> impl Strategy<Value = Setting> {
    prop_oneof![
        4 => common(),
        1 => pages().prop_map(Setting::MemoryHigh),
        1 => pages().prop_map(Setting::MemoryLow),
        1 => pages().prop_map(Setting::MemoryMin),
        1 => pages().prop_map(Setting::MemorySwapMax),
        1 => any::<bool>().prop_map(Setting::MemoryOomGroup),
    ]
}

/// What the kernel makes of what was written: no line for a disk without caps, no empty list.
fn as_kernel_shows(text: String) -> String {
    match text.as_str() {
        "8:0 0" | "8:0 rbps=max wbps=max riops=max wiops=max" | "\n" => String::new(),
        _ => text,
    }
}

fn all(tree: &Tree, files: &[(&str, &str)]) -> Vec<String> {
    let texts = files
        .iter()
        .map(|(hierarchy, file)| tree.text(hierarchy, file));
    texts.map(as_kernel_shows).collect()
}

/// Sets the first, then the second, and goes back: every file is as after the first.
fn back_and_forth(tree: &Tree, files: &[(&str, &str)], first: &[Setting], then: &[Setting]) {
    let control = tree.control();
    for setting in first {
        // A swap limit needs a memory limit on v1, and the like: whatever is in force counts.
        let _ = control.write(setting);
    }
    let texts = all(tree, files);
    let mut undo = Vec::new();
    for setting in then {
        undo.push(control.before(setting).unwrap());
        control.write(setting).unwrap();
        assert!(control.read(setting.knob()).is_ok());
    }
    for setting in undo.iter().rev().flatten() {
        assert_eq!(control.write(setting).unwrap(), *setting);
    }
    assert_eq!(all(tree, files), texts);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn on_v2(first in prop::collection::vec(v2(), 0..6), then in prop::collection::vec(v2(), 1..6)) {
        let files: Vec<_> = V2_FILES.iter().map(|(file, _)| ("unified", *file)).collect();
        back_and_forth(&Tree::v2(), &files, &first, &then);
    }

    #[test]
    fn on_v1(
        shares in 2..=262_144u64,
        swap in pages(),
        first in prop::collection::vec(common(), 0..6),
        then in prop::collection::vec(common(), 1..6),
    ) {
        let files: Vec<_> = V1_FILES.iter().map(|(name, file, _)| (*name, *file)).collect();
        let tree = Tree::v1();
        tree.put("cpu", "cpu.shares", &shares.to_string());
        let first = [first, vec![Setting::MemorySwapMax(swap)]].concat();
        back_and_forth(&tree, &files, &first, &then);
    }
}
