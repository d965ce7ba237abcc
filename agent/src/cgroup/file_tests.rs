//! Files that come, go and change, on a plain directory.
#![allow(clippy::unwrap_used)]

use std::fs;

use super::*;
use crate::cgroup::HierarchyId;

fn place(directory: &std::path::Path) -> Place {
    Place::open(HierarchyId::V2, "/test", directory.to_owned())
}

#[test]
fn kept_files_are_read_from_the_start_each_time() {
    let directory = tempfile::tempdir().unwrap();
    let (place, mut scratch) = (place(directory.path()), Scratch::default());
    let path = directory.path().join("cpu.stat");
    fs::write(&path, "one").unwrap();
    let mut file = KernFile::kept("cpu.stat");
    assert_eq!(file.read(&place, &mut scratch).unwrap(), Some(&b"one"[..]));
    assert!(matches!(file.state, State::Open(_)));
    fs::write(&path, "two, longer").unwrap();
    assert_eq!(
        file.read(&place, &mut scratch).unwrap(),
        Some(&b"two, longer"[..])
    );
}

#[test]
fn an_absent_file_is_looked_for_again_only_when_told() {
    let directory = tempfile::tempdir().unwrap();
    let (place, mut scratch) = (place(directory.path()), Scratch::default());
    let mut file = KernFile::kept("memory.peak");
    assert_eq!(file.read(&place, &mut scratch).unwrap(), None);
    fs::write(directory.path().join("memory.peak"), "5").unwrap();
    assert_eq!(file.read(&place, &mut scratch).unwrap(), None);
    file.retry();
    assert_eq!(file.read(&place, &mut scratch).unwrap(), Some(&b"5"[..]));
}

#[test]
fn texts_longer_than_the_buffer_are_read_whole() {
    let directory = tempfile::tempdir().unwrap();
    let (place, mut scratch) = (place(directory.path()), Scratch::default());
    let text = vec![b'x'; 3 * INITIAL_BYTES];
    fs::write(directory.path().join("io.stat"), &text).unwrap();
    let read = KernFile::kept("io.stat")
        .read(&place, &mut scratch)
        .unwrap()
        .unwrap()
        .len();
    assert_eq!(read, text.len());
}

#[test]
fn passing_files_keep_no_descriptor() {
    let directory = tempfile::tempdir().unwrap();
    let (place, mut scratch) = (place(directory.path()), Scratch::default());
    fs::write(directory.path().join("pids.max"), "64").unwrap();
    let mut file = KernFile::passing("pids.max");
    assert_eq!(file.read(&place, &mut scratch).unwrap(), Some(&b"64"[..]));
    assert!(matches!(file.state, State::Passing));
}

#[test]
fn a_directory_that_was_made_anew_is_not_the_same_cgroup() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("a");
    fs::create_dir(&directory).unwrap();
    let (place, mut scratch) = (place(&directory), Scratch::default());
    fs::rename(&directory, parent.path().join("b")).unwrap();
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("pids.max"), "64").unwrap();
    let gone = KernFile::passing("pids.max")
        .read(&place, &mut scratch)
        .unwrap_err();
    assert_eq!(
        gone,
        Vanished {
            hierarchy: HierarchyId::V2,
            path: "/test".to_owned()
        }
    );
}

#[test]
fn a_directory_that_was_never_there_has_vanished() {
    let (place, mut scratch) = (place("/nonexistent".as_ref()), Scratch::default());
    assert!(
        KernFile::kept("cpu.stat")
            .read(&place, &mut scratch)
            .is_err()
    );
}

#[test]
fn readers_leave_descriptors_to_others() {
    assert!(may_keep(0, 1024));
    assert!(may_keep(511, 1024));
    assert!(!may_keep(512, 1024));
    assert!(may_keep(19_000, 20_000));
    assert!(!may_keep(19_600, 20_000));
    assert!(!may_keep(128, 256));
    assert!(!may_keep(0, 0));
}
