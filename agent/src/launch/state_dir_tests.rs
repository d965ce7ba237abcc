//! State on disk: made at once, replaced whole.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::cgroup::Placement;
use crate::launch::state::{Phase, now};

fn state(id: &str) -> State {
    State {
        id: id.parse().unwrap(),
        phase: Phase::Creating,
        init: None,
        shim: None,
        pumped: false,
        terminal: false,
        bundle: "/bundle".into(),
        rootfs: "/bundle/rootfs".into(),
        created: now(),
        annotations: [("key".to_owned(), "value".to_owned())].into(),
        cgroups: Placement::default(),
        capabilities: None,
    }
}

#[test]
fn a_state_is_read_as_it_was_written() {
    let root = tempfile::tempdir().unwrap();
    let mut state = state("a");
    let dir = StateDir::new(root.path(), &state.id);
    assert_eq!(dir.state().unwrap(), None);
    dir.make(&state.id, &state).unwrap();
    assert_eq!(dir.state().unwrap().as_ref(), Some(&state));
    state.phase = Phase::Running;
    dir.write_state(&state).unwrap();
    assert_eq!(dir.state().unwrap().as_ref(), Some(&state));
    assert_eq!(
        StateDir::all(root.path()).unwrap(),
        [(state.id, dir.clone())]
    );
    dir.remove().unwrap();
    dir.remove().unwrap();
    assert_eq!(StateDir::all(root.path()).unwrap(), []);
}

#[test]
fn an_id_is_taken_once() {
    let root = tempfile::tempdir().unwrap();
    let state = state("a");
    let dir = StateDir::new(root.path(), &state.id);
    dir.make(&state.id, &state).unwrap();
    let error = dir.make(&state.id, &state).unwrap_err();
    assert!(matches!(error, LaunchError::Exists(id) if id == state.id));
    let entries = fs::read_dir(root.path()).unwrap().count();
    assert_eq!(entries, 1, "nothing half made stays");
}

#[test]
fn what_is_half_made_is_no_workload() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("~a-1")).unwrap();
    assert_eq!(StateDir::all(root.path()).unwrap(), []);
    assert_eq!(StateDir::all(&root.path().join("absent")).unwrap(), []);
}

#[test]
fn only_the_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().unwrap();
    let state = state("a");
    let dir = StateDir::new(&root.path().join("made"), &state.id);
    dir.make(&state.id, &state).unwrap();
    for path in [
        dir.path().parent().unwrap(),
        dir.path(),
        &dir.file("state.json"),
    ] {
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
}
