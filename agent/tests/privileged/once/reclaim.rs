//! Memory that is taken back. The oracle is the kernel's usage.

use std::fs::File;

use super::*;
use crate::support::{LoopDevice, skip};

const MIB: u64 = 1 << 20;

#[test]
fn cache_is_taken_back_and_counted() {
    let test = "cache_is_taken_back_and_counted";
    let Some((kind, usage)) = memory() else {
        return skip(test, "no memory controller where own cgroups can be made");
    };
    let Some(mut own) = OwnCgroup::make(test, &[kind]) else {
        return;
    };
    let Some(disk) = LoopDevice::make(test, 32 * MIB) else {
        return;
    };
    // What is cached of a device goes when nobody has it open.
    let open = File::open(disk.path()).unwrap();
    let to = format!("of={}", disk.path());
    own.run(
        "dd",
        &["if=/dev/zero", &to, "bs=1M", "count=32", "conv=fsync"],
    );
    let before = own.number(kind, usage);
    assert!(before > 30 * MIB, "{before}");
    let runner = Runner::start(Settings::default());
    let once = Once::Reclaim { bytes: 8 * MIB };
    let finished = runner.run(errand(1, &own.path(), control(&own, &[kind]), once));
    let text = done(&finished);
    let taken: u64 = text.split(' ').next().unwrap().parse().unwrap();
    let after = own.number(kind, usage);
    assert!((6 * MIB..=16 * MIB).contains(&taken), "{text}");
    let fell = before - after;
    assert!(
        fell.abs_diff(taken) <= 2 * MIB,
        "{fell} by the kernel: {text}"
    );
    let said = finished.before.as_deref().unwrap_or_default();
    let said: u64 = said
        .strip_prefix("memory.current ")
        .unwrap()
        .parse()
        .unwrap();
    // What the kernel keeps ready for each CPU comes and goes.
    assert!(said.abs_diff(before) <= MIB, "{said}, {before}");
    drop(open);
}

#[test]
fn where_there_is_nothing_that_is_said() {
    let test = "where_there_is_nothing_that_is_said";
    let Some((kind, _)) = memory() else {
        return skip(test, "no memory controller where own cgroups can be made");
    };
    let Some(own) = OwnCgroup::make(test, &[kind]) else {
        return;
    };
    let runner = Runner::start(Settings::default());
    let once = Once::Reclaim { bytes: MIB };
    let finished = runner.run(errand(1, &own.path(), control(&own, &[kind]), once.clone()));
    let nothing = "the kernel finds nothing to take back";
    assert_eq!(finished.outcome, Outcome::Failed(nothing.into()));

    let finished = runner.run(errand(2, "/x", nowhere(), once));
    let Outcome::Refused(reason) = &finished.outcome else {
        panic!("{finished:?}");
    };
    assert!(reason.contains("not enforceable"), "{reason}");
}

/// Where the memory controller is, and its file of the usage.
fn memory() -> Option<(&'static str, &'static str)> {
    match *mounted(&["memory"]) {
        ["memory"] => Some(("memory", "memory.usage_in_bytes")),
        _ => {
            let layout = Layout::detect().unwrap();
            let there = layout.controller(Controller::Memory)?;
            there.is_unified().then_some((V2, "memory.current"))
        }
    }
}
