//! Where cgroups are, whether they run, and that they end.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::libc;
use plimsoll::cgroup::{Layout, Reader, Scratch, placement_of, scan};

use super::{Ours, placement};
use crate::support::own_cgroup::{V2, mounted};
use crate::support::{OwnCgroup, poll};

/// The kernfs id of a directory, as `name_to_handle_at` tells it (fs/kernfs/mount.c
/// kernfs_encode_fh(), v6.12): not from `stat`.
fn kernfs_id(directory: &Path) -> u64 {
    #[repr(C)]
    struct Handle {
        header: libc::file_handle,
        id: [u8; 8],
    }
    let path = CString::new(directory.as_os_str().as_bytes()).unwrap();
    // SAFETY: all zeros are a valid value of this plain struct.
    let mut handle: Handle = unsafe { std::mem::zeroed() };
    handle.header.handle_bytes = 8;
    let mut mount = 0;
    let pointer = (&raw mut handle).cast::<libc::file_handle>();
    // SAFETY: the path ends in NUL, and the handle has the eight bytes after it that it announces.
    let failed =
        unsafe { libc::name_to_handle_at(libc::AT_FDCWD, path.as_ptr(), pointer, &mut mount, 0) };
    assert_eq!(failed, 0, "{}", std::io::Error::last_os_error());
    u64::from_ne_bytes(handle.id)
}

#[test]
fn scan_finds_cgroups_with_the_kernels_ids() {
    let hierarchies = mounted(&["memory", V2]);
    let Some(own) = OwnCgroup::make("scan_finds_cgroups_with_the_kernels_ids", &hierarchies) else {
        return;
    };
    let layout = Layout::detect().unwrap();
    for name in hierarchies {
        let (id, path) = placement(&own, &[name]).paths.pop_first().unwrap();
        let hierarchy = layout.hierarchy(id).unwrap();
        let found = scan(hierarchy).unwrap();
        assert_eq!(found[0].path, "/");
        assert_eq!(found[0].key.id, kernfs_id(&hierarchy.mount));
        let own_found = found.iter().find(|found| found.path == path).unwrap();
        assert_eq!(own_found.key.hierarchy, id);
        assert_eq!(own_found.key.id, kernfs_id(own.directory(name)));
        assert!(own_found.created.elapsed().unwrap().as_secs() < 60);
        let populated = if name == V2 { Some(false) } else { None };
        assert_eq!(own_found.populated, populated);
    }
}

#[test]
fn placement_names_the_own_cgroup() {
    let hierarchies = mounted(&["memory", "cpu", V2]);
    let Some(mut own) = OwnCgroup::make("placement_names_the_own_cgroup", &hierarchies) else {
        return;
    };
    let child = own.spawn("sleep", &["60"]).id();
    let expected = placement(&own, &hierarchies);
    poll("child in its cgroups", || {
        let found = placement_of(child).unwrap();
        expected
            .paths
            .iter()
            .all(|(id, path)| found.paths.get(id) == Some(path))
            .then_some(())
    });
}

#[test]
fn state_follows_the_freezers() {
    let hierarchies = mounted(&["freezer", V2]);
    let Some(mut own) = OwnCgroup::make("state_follows_the_freezers", &hierarchies) else {
        return;
    };
    let mut ours = Ours::of(&own, &hierarchies);
    let unified = hierarchies.contains(&V2);
    let mut wait = |populated: bool, frozen: bool| {
        poll("state", || {
            let state = ours.reader.state(&mut ours.scratch).unwrap();
            let expected = (unified.then_some(populated), Some(frozen));
            ((state.populated, state.frozen) == expected).then_some(())
        });
    };
    wait(false, false);
    own.spawn("sleep", &["60"]);
    wait(true, false);
    if unified {
        own.write(V2, "cgroup.freeze", "1");
        wait(true, true);
        own.write(V2, "cgroup.freeze", "0");
        wait(true, false);
    }
    if hierarchies.contains(&"freezer") {
        own.write("freezer", "freezer.state", "FROZEN");
        wait(true, true);
        own.write("freezer", "freezer.state", "THAWED");
        wait(true, false);
    }
}

#[test]
fn a_removed_cgroup_has_vanished_for_good() {
    let test = "a_removed_cgroup_has_vanished_for_good";
    let hierarchies = mounted(&["memory", V2]);
    let Some(mut own) = OwnCgroup::make(test, &hierarchies) else {
        return;
    };
    let placement = placement(&own, &hierarchies);
    let mut ours = Ours::of(&own, &hierarchies);
    ours.read();
    let directory = own.directory(hierarchies[0]).to_owned();
    own.remove();
    let gone = ours.reader.read(&mut ours.scratch).unwrap_err();
    assert_eq!(gone.path, own.path());
    // The same path again is another cgroup.
    std::fs::create_dir(&directory).unwrap();
    let after = ours.reader.read(&mut ours.scratch);
    std::fs::remove_dir(&directory).unwrap();
    assert!(after.is_err());
    let mut late = Reader::open(&Layout::detect().unwrap(), &placement);
    assert!(late.read(&mut Scratch::default()).is_err());
}

#[test]
fn one_hierarchy_gone_is_enough() {
    let hierarchies = ["memory", "pids"];
    let Some(own) = OwnCgroup::make("one_hierarchy_gone_is_enough", &hierarchies) else {
        return;
    };
    let mut ours = Ours::of(&own, &hierarchies);
    ours.read();
    std::fs::remove_dir(own.directory("memory")).unwrap();
    let gone = ours.reader.read(&mut ours.scratch).unwrap_err();
    let memory = Layout::detect().unwrap();
    let memory = memory.hierarchy(gone.hierarchy).unwrap();
    assert_eq!(memory.mount, own.directory("memory").parent().unwrap());
}
