//! What is refused, and what changes with what.

use super::*;
use crate::cgroup::DeviceNumber;

const DISK: DeviceNumber = DeviceNumber { major: 8, minor: 0 };

fn quota(quota_us: u64, period_us: u64) -> Setting {
    Setting::CpuMax(Quota {
        quota_us: Some(quota_us),
        period_us,
    })
}

#[test]
fn what_the_kernel_would_refuse_or_turn_around_is_not_written() {
    let caps = |wbps, wiops| {
        let caps = IoCaps {
            wbps,
            wiops,
            ..IoCaps::default()
        };
        Setting::IoMax(DISK, caps)
    };
    for tree in [Tree::v1(), Tree::v2()] {
        let control = tree.control();
        for wrong in [
            quota(999, 100_000),
            quota(50_000, 999),
            quota(50_000, 1_000_001),
            Setting::CpuWeight(0),
            Setting::CpuWeight(10_001),
            Setting::CpuShares(1),
            Setting::IoWeight(0),
            Setting::IoBfqWeight(1001),
            Setting::PidsMax(Some(5 << 20)),
            caps(Some(0), None),
            caps(None, Some(0)),
        ] {
            let now = control.read(wrong.knob()).unwrap();
            let error = control.write(&wrong).unwrap_err();
            assert!(
                matches!(error, ControlError::Invalid { .. }),
                "{wrong}: {error}"
            );
            assert_eq!(control.read(wrong.knob()).unwrap(), now);
        }
        // What no number of 32 bits can say is no limit.
        let most = caps(Some(1 << 20), Some(u64::from(u32::MAX)));
        assert_eq!(control.write(&most).unwrap(), caps(Some(1 << 20), None));
    }
}

#[test]
fn memory_is_not_limited_below_what_is_in_use() {
    for (tree, hierarchy, file) in [
        (Tree::v2(), "unified", "memory.current"),
        (Tree::v1(), "memory", "memory.usage_in_bytes"),
    ] {
        tree.put(hierarchy, file, "8388608");
        let control = tree.control();
        assert_eq!(control.memory_usage().unwrap(), 8 << 20);
        let error = control
            .write(&Setting::MemoryMax(Some(4 << 20)))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "8388608 bytes of memory are in use, more than the 4194304 wanted"
        );
        assert_eq!(
            control.read(Knob::MemoryMax).unwrap(),
            Setting::MemoryMax(None)
        );
        let fits = Setting::MemoryMax(Some((8 << 20) + 1));
        assert_eq!(
            control.write(&fits).unwrap(),
            Setting::MemoryMax(Some(8 << 20))
        );
    }
}

#[test]
fn a_quota_below_the_burst_takes_the_burst_along() {
    for (tree, hierarchy, file) in [
        (Tree::v2(), "unified", "cpu.max.burst"),
        (Tree::v1(), "cpu", "cpu.cfs_burst_us"),
    ] {
        let control = tree.control();
        control.write(&quota(80_000, 100_000)).unwrap();
        control.write(&Setting::CpuMaxBurst(60_000)).unwrap();
        let lower = quota(50_000, 100_000);
        let before = control.before(&lower).unwrap();
        assert_eq!(
            before,
            [quota(80_000, 100_000), Setting::CpuMaxBurst(60_000)]
        );
        control.write(&lower).unwrap();
        assert_eq!(tree.text(hierarchy, file), "50000");
        for setting in &before {
            control.write(setting).unwrap();
        }
        assert_eq!(tree.text(hierarchy, file), "60000");
    }
}

#[test]
fn what_goes_with_a_write_is_told_before() {
    let tree = Tree::v2();
    let control = tree.control();
    let idle = control.before(&Setting::CpuIdle(true)).unwrap();
    assert_eq!(idle, [Setting::CpuIdle(false), Setting::CpuWeight(100)]);
    let freeze = control.before(&Setting::Freeze(true)).unwrap();
    assert_eq!(freeze, [Setting::Freeze(false)]);
    control.write(&quota(50_000, 100_000)).unwrap();
    let freeze = control.before(&Setting::Freeze(true)).unwrap();
    assert_eq!(freeze, [Setting::Freeze(false), quota(50_000, 100_000)]);
    tree.put("unified", "memory.current", "8388608");
    let down = control.before(&Setting::MemoryMax(Some(4 << 20))).unwrap();
    assert_eq!(down, [Setting::MemoryMax(None), Setting::MemoryHigh(None)]);
    let up = control.before(&Setting::MemoryMax(Some(1 << 30))).unwrap();
    assert_eq!(up, [Setting::MemoryMax(None)]);
}

#[test]
fn v1_keeps_the_swap_allowance() {
    let tree = Tree::v1();
    let control = tree.control();
    let (mib, limit, both) = (
        1 << 20,
        "memory.limit_in_bytes",
        "memory.memsw.limit_in_bytes",
    );
    let swap = control
        .write(&Setting::MemorySwapMax(Some(4 * mib)))
        .unwrap_err();
    assert!(
        swap.to_string().contains("memory is unlimited here"),
        "{swap}"
    );
    control.write(&Setting::MemoryMax(Some(16 * mib))).unwrap();
    assert_eq!(tree.text("memory", both), UNLIMITED);
    control
        .write(&Setting::MemorySwapMax(Some(4 * mib)))
        .unwrap();
    assert_eq!(tree.text("memory", both), (20 * mib).to_string());
    for bytes in [64 * mib, 8 * mib] {
        control.write(&Setting::MemoryMax(Some(bytes))).unwrap();
        assert_eq!(tree.text("memory", both), (bytes + 4 * mib).to_string());
    }
    // Unlimited memory leaves no room for a limit of both, so that is told.
    let before = control.before(&Setting::MemoryMax(None)).unwrap();
    assert_eq!(
        before,
        [
            Setting::MemoryMax(Some(8 * mib)),
            Setting::MemorySwapMax(Some(4 * mib))
        ]
    );
    control.write(&Setting::MemoryMax(None)).unwrap();
    assert_eq!(tree.text("memory", both), UNLIMITED);
    for setting in &before {
        control.write(setting).unwrap();
    }
    assert_eq!(tree.text("memory", limit), (8 * mib).to_string());
    assert_eq!(tree.text("memory", both), (12 * mib).to_string());
}

#[test]
fn weights_are_set_in_the_unit_that_is_there() {
    let v1 = Tree::v1();
    let control = v1.control();
    assert_eq!(
        control.write(&Setting::CpuWeight(200)).unwrap(),
        Setting::CpuShares(2048)
    );
    assert_eq!(v1.text("cpu", "cpu.shares"), "2048");
    assert_eq!(
        control.write(&Setting::IoWeight(10_000)).unwrap(),
        Setting::IoBfqWeight(1000)
    );
    assert_eq!(
        control.read(Knob::CpuWeight).unwrap().in_v2_unit(),
        Setting::CpuWeight(200)
    );
    let v2 = Tree::v2();
    let control = v2.control();
    assert_eq!(
        control.write(&Setting::CpuShares(2048)).unwrap(),
        Setting::CpuWeight(200)
    );
    fs::rename(
        v2.file("unified", "io.weight"),
        v2.file("unified", "io.bfq.weight"),
    )
    .unwrap();
    assert_eq!(
        control.write(&Setting::IoWeight(50)).unwrap(),
        Setting::IoBfqWeight(50)
    );
    assert_eq!(v2.text("unified", "io.bfq.weight"), "default 50");
    fs::remove_file(v2.file("unified", "io.bfq.weight")).unwrap();
    let none = control.enforceable(Knob::IoWeight).unwrap_err();
    assert!(none.reason.contains("io.bfq.weight"), "{none}");
}

#[test]
fn a_cap_that_would_kill_with_the_memory_limit_is_found() {
    const MIB: u64 = 1 << 20;
    let caps = |wbps| {
        let caps = IoCaps {
            wbps,
            ..IoCaps::default()
        };
        Setting::IoMax(DISK, caps)
    };
    // MiB, KiB a second, and whether the kernel killed.
    let measured = [
        (16, 16_384, true),
        (16, 65_536, false),
        (32, 4_096, true),
        (32, 16_384, false),
        (64, 1_024, true),
        (64, 4_096, false),
        (128, 64, true),
        (128, 1_024, false),
        (512, 64, false),
    ];
    for (mib, kib, killed) in measured {
        let tree = Tree::v2();
        let control = tree.control();
        let (memory, io) = (Setting::MemoryMax(Some(mib * MIB)), caps(Some(kib << 10)));
        assert_eq!(control.hazard(&io, &[]), None);
        assert_eq!(control.hazard(&memory, &[]), None);
        // On its way is as good as there.
        let coming = std::slice::from_ref(&memory);
        assert_eq!(control.hazard(&io, coming).is_some(), killed);
        let coming = std::slice::from_ref(&io);
        assert_eq!(control.hazard(&memory, coming).is_some(), killed);
        control.write(&memory).unwrap();
        assert_eq!(
            control.hazard(&io, &[]).is_some(),
            killed,
            "{mib} MiB, {kib} KiB/s"
        );
        control.write(&Setting::MemoryMax(None)).unwrap();
        control.write(&io).unwrap();
        assert_eq!(
            control.hazard(&memory, &[]).is_some(),
            killed,
            "{mib} MiB, {kib} KiB/s"
        );
        assert_eq!(control.hazard(&caps(None), &[]), None);
        // A limit above counts too.
        let above = tree
            .file("unified", "")
            .parent()
            .unwrap()
            .join("memory.max");
        fs::write(above, (mib * MIB).to_string()).unwrap();
        assert_eq!(control.hazard(&io, &[]).is_some(), killed);
    }
    let tree = Tree::v2();
    tree.put("unified", "memory.max", "67108864");
    let told = tree.control().hazard(&caps(Some(MIB)), &[]).unwrap();
    assert!(told.starts_with("writes to disk 8:0 are capped at 1048576 bytes a second"));
    assert!(
        told.ends_with("with this cap, 128 MiB are enough"),
        "{told}"
    );
    // v1 does not cap what goes through the page cache.
    let v1 = Tree::v1();
    v1.control()
        .write(&Setting::MemoryMax(Some(16 * MIB)))
        .unwrap();
    assert_eq!(v1.control().hazard(&caps(Some(MIB)), &[]), None);
}

#[test]
fn a_file_that_is_not_understood_is_shown() {
    let tree = Tree::v2();
    tree.put("unified", "cpu.max", "lots");
    let odd = tree.control().read(Knob::CpuMax).unwrap_err().to_string();
    assert!(
        odd.ends_with("cpu.max has \"lots\", which is not understood"),
        "{odd}"
    );
}

#[test]
fn the_agent_freezes_and_kills_not_itself() {
    let tree = Tree::v2();
    let own = std::process::id();
    tree.put("unified", "cgroup.procs", &format!("0\n{own}\n1\n"));
    let control = tree.control();
    assert_eq!(control.processes(true).unwrap(), [1, own]);
    for refused in [
        control.write(&Setting::Freeze(true)).map(drop),
        control.kill_all().map(drop),
        control.signal_all(15).map(drop),
        control.signal(own, 15).map(drop),
    ] {
        assert!(
            matches!(refused, Err(ControlError::Own { .. })),
            "{refused:?}"
        );
    }
    // Named in the file, and yet elsewhere: its number is somebody else's now.
    tree.put("unified", "cgroup.procs", "1\n");
    assert_eq!(control.signal_all(0x0f).unwrap(), 0);
    assert!(matches!(
        control.signal_all(4711),
        Err(ControlError::NoSignal { signal: 4711 })
    ));
}
