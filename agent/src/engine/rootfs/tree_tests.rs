//! Names that stay inside, and trees that are removed whole.
#![allow(clippy::unwrap_used)]

use std::fs;

use proptest::prelude::*;

use super::*;

#[test]
fn a_link_is_followed_inside_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("root/etc")).unwrap();
    fs::create_dir(dir.path().join("etc")).unwrap();
    std::os::unix::fs::symlink("/../etc", dir.path().join("root/link")).unwrap();
    let root = dir.path().join("root");
    let refusing = Tree::open(&root, Links::Refuse).unwrap();
    assert!(refusing.directory(Path::new("link")).is_err());
    let following = Tree::open(&root, Links::Follow).unwrap();
    following.make_directory(Path::new("link/new")).unwrap();
    assert!(root.join("etc/new").is_dir());
    assert!(!dir.path().join("etc/new").exists());
}

#[test]
fn deep_trees_are_removed_and_links_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let mut path = dir.path().join("tree");
    for _ in 0..300 {
        path.push("d");
    }
    fs::create_dir_all(&path).unwrap();
    fs::write(dir.path().join("kept"), "x").unwrap();
    std::os::unix::fs::symlink(dir.path(), path.join("up")).unwrap();
    let tree = Tree::open(dir.path(), Links::Refuse).unwrap();
    remove(tree.root(), OsStr::new("tree")).unwrap();
    remove(tree.root(), OsStr::new("tree")).unwrap();
    assert_eq!(names(tree.root()).unwrap(), ["kept"]);
}

/// Of directories in one another: a path leads to some forty of them.
pub(crate) const NESTED: [u8; 100] = [b'd'; 100];

/// Directories in one another, as a workload makes them: deeper than a path leads.
pub(crate) fn nest(top: &Path, levels: usize) {
    fs::create_dir(top).unwrap();
    let mut directory = fs::File::open(top).unwrap();
    for _ in 0..levels {
        rustix::fs::mkdirat(&directory, &NESTED[..], Mode::RWXU).unwrap();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let inside = rustix::fs::openat(&directory, &NESTED[..], flags, Mode::empty());
        directory = inside.unwrap().into();
    }
    rustix::fs::symlinkat("/", &directory, "up").unwrap();
}

/// Levels for which neither a small stack nor a process's descriptors would do, one for each.
pub(crate) const DEEP: usize = 2_000;

/// As if they were more by far.
pub(crate) fn on_a_small_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(128 << 10);
        thread.spawn_scoped(scope, work).unwrap().join().unwrap()
    })
}

#[test]
fn trees_are_removed_that_are_deeper_than_paths_and_descriptors_go() {
    let dir = tempfile::tempdir().unwrap();
    nest(&dir.path().join("tree"), DEEP);
    fs::create_dir_all(dir.path().join("tree/beside/it")).unwrap();
    on_a_small_stack(|| remove_in(dir.path(), OsStr::new("tree"))).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// Between two steps of a removal a workload may do anything.
#[test]
fn only_the_way_that_was_come_is_gone_on_and_back() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["above/inside", "elsewhere"] {
        fs::create_dir_all(dir.path().join(name)).unwrap();
    }
    let above = fs::File::open(dir.path().join("above")).unwrap();
    let inside = enter(above.as_fd(), OsStr::new("inside")).unwrap();
    let way = identity(above.as_fd()).unwrap();
    parent(inside.as_fd(), way).unwrap();
    let moved = dir.path().join("elsewhere/inside");
    fs::rename(dir.path().join("above/inside"), moved).unwrap();
    assert!(parent(inside.as_fd(), way).is_err());
    std::os::unix::fs::symlink("../elsewhere", dir.path().join("above/inside")).unwrap();
    for name in ["inside", ".."] {
        assert!(enter(above.as_fd(), OsStr::new(name)).is_err(), "{name}");
    }
}

#[test]
fn as_many_directories_are_made_as_a_path_has() {
    let dir = tempfile::tempdir().unwrap();
    let tree = Tree::open(dir.path(), Links::Refuse).unwrap();
    let path: PathBuf = std::iter::repeat_n("d", 2_000).collect();
    tree.make_directory(&path).unwrap();
    assert!(tree.make_directory(&path.join(&path)).is_err());
    remove(tree.root(), OsStr::new("d")).unwrap();
}

#[test]
fn what_is_mounted_in_a_tree_is_not_removed() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("tree/mounted")).unwrap();
    fs::create_dir(dir.path().join("other")).unwrap();
    fs::write(dir.path().join("other/kept"), "x").unwrap();
    let error = super::super::apart(|| {
        let at = dir.path().join("tree/mounted");
        rustix::mount::mount_bind(dir.path().join("other"), at).unwrap();
        remove_in(dir.path(), OsStr::new("tree")).unwrap_err()
    });
    assert_eq!(error.unwrap().kind(), io::ErrorKind::ResourceBusy);
    assert!(dir.path().join("other/kept").exists());
}

proptest! {
    #[test]
    fn a_name_is_below_or_refused(path in "[./a\\x00]{0,12}") {
        match relative(path.as_bytes()) {
            Ok(path) => prop_assert!(path.components().all(|c| matches!(c, Component::Normal(_)))),
            Err(_) => prop_assert!(path.contains("..") || path.contains('\0')),
        }
    }
}
