//! Memory that is taken back. The oracle is the kernel's usage.

use super::*;
use crate::support::{installed, skip};

const MIB: u64 = 1 << 20;

#[test]
fn file_cache_is_taken_back_and_counted() {
    let test = "file_cache_is_taken_back_and_counted";
    if !installed(test, "perl") {
        return;
    }
    let Some((kind, usage)) = memory() else {
        return skip(test, "no memory controller where own cgroups can be made");
    };
    let Some(mut own) = OwnCgroup::make(test, &[kind]) else {
        return;
    };
    // On a disk: the pages of a tmpfs go only to swap.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = directory.path().join("file");
    let script = format!(
        "open F, '>', '{}'; print F 'x' x (64 << 20); close F; system 'sync'",
        file.display()
    );
    own.run("perl", &["-e", &script]);
    let before = own.number(kind, usage);
    if before < 48 * MIB {
        return skip(test, "the file system keeps no cache");
    }
    let runner = Runner::start(Settings::default());
    let once = Once::Reclaim { bytes: 16 * MIB };
    let finished = runner.run(errand(1, &own.path(), control(&own, &[kind]), once));
    let text = done(&finished);
    let taken: u64 = text.split(' ').next().unwrap().parse().unwrap();
    let after = own.number(kind, usage);
    assert!((12 * MIB..=32 * MIB).contains(&taken), "{text}");
    let fell = before - after;
    assert!(
        fell.abs_diff(taken) <= 4 * MIB,
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
