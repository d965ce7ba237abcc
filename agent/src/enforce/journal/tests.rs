#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::cgroup::{CgroupKey, HierarchyId, Knob, Placement, Setting};
use crate::enforce::claims::{Claimed, Held, Owner, Slot, Thing, Value};
use crate::policy::{Claimant, OnConflict, Restore};

fn held(cgroup: u64, action: u64, pending: bool) -> Held {
    let cgroup = CgroupKey {
        hierarchy: HierarchyId::V2,
        id: cgroup,
    };
    let slot = Slot {
        cgroup,
        thing: Thing::Knob(Knob::PidsMax),
    };
    let value = |number| Value::Setting(Setting::PidsMax(Some(number)));
    let owner = Owner {
        id: "/a\n\"b\"".into(),
        name: "a".into(),
        placement: Placement {
            paths: [(HierarchyId::V2, "/a".to_owned())].into(),
        },
        keys: [(HierarchyId::V2, cgroup)].into(),
    };
    let mut held = Held::new(slot, Arc::new(owner), value(7)).with(Claimed {
        claimant: Claimant::Operator,
        value: value(action),
        action,
        since: SystemTime::UNIX_EPOCH,
        until: None,
        on_conflict: OnConflict::Yield,
        restore: Restore::OnExit,
    });
    held.pending = pending;
    held
}

fn open(directory: &tempfile::TempDir) -> (Journal, State) {
    Journal::open(directory.path(), Duration::ZERO).unwrap()
}

fn file(directory: &tempfile::TempDir) -> std::path::PathBuf {
    directory.path().join("journal")
}

fn boot() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    boot.trim().to_owned()
}

#[test]
fn what_is_written_is_read_by_the_next_holder() {
    let directory = tempfile::tempdir().unwrap();
    assert!(!Journal::exists(directory.path()));
    let (mut journal, state) = open(&directory);
    assert!(state.held.is_empty());
    let (one, two) = (held(1, 1, true), held(2, 2, true));
    journal.intend([&one, &two]).unwrap();
    journal.settle(two.slot, None).unwrap();
    drop(journal);
    assert!(Journal::exists(directory.path()));
    let (mut journal, state) = open(&directory);
    assert_eq!(state.held, BTreeMap::from([(one.slot, one.clone())]));
    assert!(state.next_action > 2, "{}", state.next_action);
    journal.compact([&one], state.next_action).unwrap();
    drop(journal);
    let (_, compacted) = open(&directory);
    assert_eq!(compacted, state);
}

#[test]
fn there_is_one_writer() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(&directory);
    let second = Journal::open(directory.path(), Duration::from_millis(5));
    assert!(
        matches!(second, Err(JournalError::Held { .. })),
        "{second:?}"
    );
    drop(journal);
    open(&directory);
}

#[test]
fn the_directory_is_for_root_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let below = directory.path().join("a/b");
    Journal::open(&below, Duration::ZERO).unwrap();
    let mode = fs::metadata(&below).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

/// A write that is cut short at any byte takes nothing with it but itself, and the next line is whole.
#[test]
fn torn_at_every_byte() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(&directory);
    let first = held(1, 1, false);
    journal.intend([&first]).unwrap();
    let whole = fs::metadata(file(&directory)).unwrap().len();
    journal
        .settle(first.slot, Some(&held(1, 2, false)))
        .unwrap();
    drop(journal);
    let text = fs::read(file(&directory)).unwrap();
    for length in usize::try_from(whole).unwrap()..text.len() {
        fs::write(file(&directory), &text[..length]).unwrap();
        let (mut journal, state) = open(&directory);
        assert_eq!(state.held[&first.slot], first, "cut at {length}");
        assert_eq!(state.torn_bytes, length as u64 - whole);
        assert!(state.damaged.is_empty());
        let next = held(2, 3, true);
        journal.intend([&next]).unwrap();
        drop(journal);
        let (_, state) = open(&directory);
        assert_eq!(state.held.len(), 2, "cut at {length}");
        assert_eq!((state.torn_bytes, state.damaged.len()), (0, 0));
    }
}

/// A damaged line is named, and the others are used.
#[test]
fn damaged_in_the_middle_at_every_byte() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(&directory);
    let all = [held(1, 1, false), held(2, 2, false), held(3, 3, false)];
    for held in &all {
        journal.settle(held.slot, Some(held)).unwrap();
    }
    let text = fs::read(file(&directory)).unwrap();
    let ends: Vec<usize> = (0..text.len()).filter(|at| text[*at] == b'\n').collect();
    for at in ends[0] + 1..ends[1] {
        let mut damaged = text.clone();
        damaged[at] ^= 0x08;
        let state = fold(&damaged, &boot());
        assert_eq!(state.damaged, [2], "at {at}");
        let slots: Vec<Slot> = state.held.keys().copied().collect();
        assert_eq!(slots, [all[0].slot, all[2].slot]);
    }
}

#[test]
fn another_boot_is_dropped_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(&directory);
    journal
        .intend([&held(1, 5, false), &held(2, 6, false)])
        .unwrap();
    journal.settle(held(2, 6, false).slot, None).unwrap();
    let text = fs::read(file(&directory)).unwrap();
    let state = fold(&text, "another");
    assert!(state.held.is_empty());
    assert_eq!(state.of_another_boot, 1);
    // Numbers of actions go on.
    assert!(state.next_action > 6);
}

proptest! {
    /// Any history, compacted or not, folds to the state it led to.
    #[test]
    fn histories_fold_to_their_state(
        steps in prop::collection::vec((0u64..4, 1u64..9, any::<bool>(), 0u8..3), 0..30),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(&directory);
        let mut model: BTreeMap<Slot, Held> = BTreeMap::new();
        for (cgroup, action, pending, what) in steps {
            let held = held(cgroup, action, pending);
            match what {
                0 => {
                    journal.intend([&held]).unwrap();
                    model.insert(held.slot, held);
                }
                1 => {
                    journal.settle(held.slot, None).unwrap();
                    model.remove(&held.slot);
                }
                _ => journal.compact(model.values(), 10).unwrap(),
            }
        }
        let text = fs::read(file(&directory)).unwrap();
        let state = fold(&text, &boot());
        prop_assert_eq!(state.held, model);
        prop_assert!(state.damaged.is_empty());
    }

    /// Any bytes can be read.
    #[test]
    fn any_bytes_fold(text in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = fold(&text, "boot");
    }
}
