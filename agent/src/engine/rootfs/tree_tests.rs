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

proptest! {
    #[test]
    fn a_name_is_below_or_refused(path in "[./a\\x00]{0,12}") {
        match relative(path.as_bytes()) {
            Ok(path) => prop_assert!(path.components().all(|c| matches!(c, Component::Normal(_)))),
            Err(_) => prop_assert!(path.contains("..") || path.contains('\0')),
        }
    }
}
