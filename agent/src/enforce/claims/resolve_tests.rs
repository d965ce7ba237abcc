#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::cgroup::{DeviceNumber, IoCaps, Quota};

const MIB: u64 = 1 << 20;
const MACHINE: Machine = Machine {
    cpus: 4,
    memory_bytes: 8 << 30,
};

fn cores(quota_us: Option<u64>) -> Setting {
    Setting::CpuMax(Quota {
        quota_us,
        period_us: 50_000,
    })
}

fn max(bytes: Option<u64>) -> Setting {
    Setting::MemoryMax(bytes)
}

/// With the current value, and `memory.max` at 512 MiB, `cpu.max` at one core.
fn come_to(
    current: &Setting,
    amount: Amount,
    ceiling: Option<Amount>,
    floor: Option<Amount>,
) -> Result<Setting, ResolveError> {
    let wanted = Wanted {
        knob: current.knob(),
        amount,
        ceiling,
        floor,
    };
    let other = |knob| match knob {
        Knob::MemoryMax => Ok(max(Some(512 * MIB))),
        Knob::CpuMax => Ok(cores(Some(50_000))),
        Knob::MemorySwapMax => Ok(Setting::MemorySwapMax(None)),
        _ => Err("no such file".to_owned()),
    };
    let ground = Ground {
        current,
        original: &max(Some(100 * MIB)),
        other: &other,
        machine: MACHINE,
    };
    resolve(&wanted, &ground)
}

fn percent_of(knob: Knob, percent: f64) -> Amount {
    Amount::PercentOf { knob, percent }
}

fn by(factor: f64) -> Amount {
    Amount::Change(Change::OfCurrent(factor))
}

#[test]
fn shares_of_another_knob() {
    let high = Setting::MemoryHigh(None);
    let got = come_to(&high, percent_of(Knob::MemoryMax, 80.0), None, None);
    // 409.6 MiB, down to a page.
    assert_eq!(got, Ok(Setting::MemoryHigh(Some(429_494_272))));
    let burst = Setting::CpuMaxBurst(0);
    let got = come_to(&burst, percent_of(Knob::CpuMax, 50.0), None, None);
    assert_eq!(got, Ok(Setting::CpuMaxBurst(25_000)));
    let got = come_to(&high, percent_of(Knob::MemorySwapMax, 50.0), None, None);
    let knob = Knob::MemorySwapMax;
    assert_eq!(got, Err(ResolveError::Unlimited { knob }));
    let got = come_to(&high, percent_of(Knob::CpuMax, 50.0), None, None);
    let (knob, of) = (Knob::MemoryHigh, Knob::CpuMax);
    assert_eq!(got, Err(ResolveError::OtherKind { knob, of }));
    let got = come_to(&high, percent_of(Knob::PidsMax, 50.0), None, None);
    assert!(matches!(got, Err(ResolveError::Unread { .. })), "{got:?}");
}

#[test]
fn changes_climb_within_ceiling_and_floor() {
    let ceiling = || Some(Amount::Exactly(max(Some(160 * MIB))));
    let got = come_to(&max(Some(100 * MIB)), by(1.25), ceiling(), None);
    assert_eq!(got, Ok(max(Some(125 * MIB))));
    let got = come_to(&max(Some(140 * MIB)), by(1.25), ceiling(), None);
    assert_eq!(got, Ok(max(Some(160 * MIB))));
    // More of `max` is `max`, and the ceiling bounds it.
    let got = come_to(&max(None), by(1.25), ceiling(), None);
    assert_eq!(got, Ok(max(Some(160 * MIB))));
    let floor = Some(Amount::Change(Change::OfOriginal(0.5)));
    let got = come_to(&max(Some(60 * MIB)), by(0.5), None, floor);
    assert_eq!(got, Ok(max(Some(50 * MIB))));
    let thrice = Amount::Change(Change::OfOriginal(3.0));
    let got = come_to(&max(Some(1)), thrice, None, None);
    assert_eq!(got, Ok(max(Some(300 * MIB))));
}

#[test]
fn less_of_unlimited_is_less_of_the_machine() {
    assert_eq!(
        come_to(&cores(None), by(0.5), None, None),
        Ok(cores(Some(100_000)))
    );
    assert_eq!(
        come_to(&max(None), by(0.5), None, None),
        Ok(max(Some(4 << 30)))
    );
    let pids = Setting::PidsMax(None);
    let knob = Knob::PidsMax;
    let got = come_to(&pids, by(0.5), None, None);
    assert_eq!(got, Err(ResolveError::Unlimited { knob }));
}

#[test]
fn io_caps_change_each_on_its_own() {
    let disk = DeviceNumber { major: 8, minor: 0 };
    let caps = |rbps, wiops| {
        Setting::IoMax(
            disk,
            IoCaps {
                rbps,
                wiops,
                ..IoCaps::default()
            },
        )
    };
    let ceiling = Some(Amount::Exactly(caps(Some(110), None)));
    let got = come_to(&caps(Some(100), Some(10)), by(1.2), ceiling, None);
    assert_eq!(got, Ok(caps(Some(110), Some(12))));
    let got = come_to(&caps(Some(1), None), by(0.1), None, None);
    assert_eq!(got, Ok(caps(Some(1), None)));
}

#[test]
fn what_makes_no_sense_is_said() {
    let freeze = Setting::Freeze(false);
    let knob = Knob::Freeze;
    assert_eq!(
        come_to(&freeze, by(0.5), None, None),
        Err(ResolveError::NoQuantity { knob })
    );
    let given = Amount::Exactly(Setting::PidsMax(Some(3)));
    let got = come_to(&max(None), given, None, None);
    assert!(
        matches!(got, Err(ResolveError::OtherKnob { .. })),
        "{got:?}"
    );
    let ceiling = Some(Amount::Exactly(max(Some(MIB))));
    let floor = Some(Amount::Exactly(max(Some(2 * MIB))));
    let got = come_to(&max(None), by(2.0), ceiling, floor);
    assert_eq!(got, Err(ResolveError::FloorAboveCeiling));
}

#[test]
fn the_kernels_least_is_kept() {
    let got = come_to(&cores(Some(2_000)), by(0.1), None, None);
    assert_eq!(got, Ok(cores(Some(1_000))));
    let weight = Setting::CpuWeight(9_000);
    assert_eq!(
        come_to(&weight, by(3.0), None, None),
        Ok(Setting::CpuWeight(10_000))
    );
}

proptest! {
    /// Whatever the change: never above the ceiling, never below the floor, whole pages.
    #[test]
    fn bounds_hold(
        current in prop::option::of(0u64..1 << 40),
        factor in 0.0f64..8.0,
        low in 0u64..1 << 30,
        more in 0u64..1 << 30,
    ) {
        let (low, high) = (low - low % 4_096, low + more + 4_096);
        let exactly = |bytes| Some(Amount::Exactly(max(Some(bytes))));
        let got = come_to(&max(current), by(factor), exactly(high), exactly(low));
        let Ok(Setting::MemoryMax(Some(bytes))) = got else {
            return Err(TestCaseError::fail(format!("{got:?}")));
        };
        prop_assert!((low..=high).contains(&bytes), "{low} {bytes} {high}");
        prop_assert_eq!(bytes % 4_096, 0);
    }

    /// Scaling up and down again never climbs.
    #[test]
    fn there_and_back_is_no_gain(quota in 1_000u64..400_000, factor in 1.0f64..4.0) {
        let up = come_to(&cores(Some(quota)), by(factor), None, None).unwrap();
        let back = come_to(&up, by(1.0 / factor), None, None).unwrap();
        let Setting::CpuMax(Quota { quota_us: Some(back), .. }) = back else {
            return Err(TestCaseError::fail("unlimited"));
        };
        prop_assert!(back.abs_diff(quota) <= 1, "{quota} {back}");
    }
}
