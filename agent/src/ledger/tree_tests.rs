#![allow(clippy::unwrap_used)]

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn key(hierarchy: u32, id: u64) -> CgroupKey {
    CgroupKey {
        hierarchy: HierarchyId(hierarchy),
        id,
    }
}

fn tree() -> Tree {
    let mut tree = Tree::new(vec![HierarchyId(0), HierarchyId(1)]);
    for hierarchy in [0, 1, 4] {
        tree.insert(key(hierarchy, 1), "/", SystemTime::UNIX_EPOCH);
    }
    tree
}

fn insert(tree: &mut Tree, hierarchy: u32, id: u64, path: &str) -> Inserted {
    tree.insert(key(hierarchy, id), path, SystemTime::UNIX_EPOCH)
}

#[test]
fn equal_paths_are_one_workload() {
    let mut tree = tree();
    let first = insert(&mut tree, 4, 9, "/a").account();
    assert_eq!(insert(&mut tree, 0, 7, "/a"), Inserted::Joined(first));
    assert_eq!(insert(&mut tree, 0, 7, "/a"), Inserted::Known(first));
    assert_eq!(tree.get(first).unwrap().home, HierarchyId(0));
}

#[test]
fn a_container_is_one_workload_wherever_its_paths_lead() {
    let mut tree = tree();
    let v1 = insert(&mut tree, 4, 9, &format!("/outer/docker/{ID}")).account();
    let scope = format!("/system.slice/docker-{ID}.scope");
    assert_eq!(insert(&mut tree, 0, 7, &scope), Inserted::Joined(v1));
    assert_eq!(tree.get(v1).unwrap().identity.id, scope);
    let inner = insert(&mut tree, 4, 10, &format!("/outer/docker/{ID}/init.scope")).account();
    assert_ne!(inner, v1);
    let inner_v2 = insert(&mut tree, 0, 8, &format!("{scope}/init.scope"));
    assert_eq!(inner_v2, Inserted::Joined(inner));
}

#[test]
fn a_process_in_both_joins_nested_cgroups() {
    let mut tree = tree();
    let v2 = insert(&mut tree, 0, 7, "/job").account();
    let v1 = insert(&mut tree, 4, 9, "/caller/job").account();
    assert_ne!(v1, v2);
    let paths = [
        (HierarchyId(0), "/job".to_owned()),
        (HierarchyId(4), "/caller/job".to_owned()),
    ];
    assert!(tree.place(
        v2,
        &Placement {
            paths: paths.into()
        }
    ));
    assert_eq!(tree.by_cgroup(key(4, 9)), Some(v2));
    assert!(tree.get(v1).is_none());
    assert_eq!(tree.get(v2).unwrap().identity.id, "/job");
}

#[test]
fn a_process_in_a_differently_named_cgroup_joins_nothing() {
    let mut tree = tree();
    let v2 = insert(&mut tree, 0, 7, "/job").account();
    insert(&mut tree, 4, 9, "/caller");
    let paths = [
        (HierarchyId(0), "/job".to_owned()),
        (HierarchyId(4), "/caller".to_owned()),
    ];
    assert!(!tree.place(
        v2,
        &Placement {
            paths: paths.into()
        }
    ));
}

#[test]
fn a_workload_of_its_own_keeps_its_cgroups() {
    let mut tree = tree();
    let one = insert(&mut tree, 0, 7, "/job").account();
    insert(&mut tree, 0, 8, "/other/job");
    let other = insert(&mut tree, 4, 9, "/other/job").account();
    let paths = [(HierarchyId(4), "/other/job".to_owned())];
    assert!(!tree.place(
        one,
        &Placement {
            paths: paths.into()
        }
    ));
    assert_eq!(tree.by_cgroup(key(4, 9)), Some(other));
}

#[test]
fn dead_with_its_last_cgroup_and_revived_with_the_next() {
    let mut tree = tree();
    let id = insert(&mut tree, 0, 7, "/a").account();
    insert(&mut tree, 1, 8, "/a");
    tree.remove(key(0, 7), SystemTime::UNIX_EPOCH);
    assert!(!tree.get(id).unwrap().is_dead());
    tree.remove(key(1, 8), SystemTime::UNIX_EPOCH);
    assert!(tree.get(id).unwrap().is_dead());
    assert_eq!(insert(&mut tree, 0, 17, "/a"), Inserted::Revived(id));
}

#[test]
fn a_path_made_anew_before_the_removal_was_told_replaces_it() {
    let mut tree = tree();
    let id = insert(&mut tree, 0, 7, "/a").account();
    assert_eq!(insert(&mut tree, 0, 8, "/a"), Inserted::Revived(id));
    assert_eq!(tree.remove(key(0, 7), SystemTime::UNIX_EPOCH), None);
    assert!(!tree.get(id).unwrap().is_dead());
}

#[test]
fn lineage_goes_up_to_the_host() {
    let mut tree = tree();
    let a = insert(&mut tree, 0, 7, "/a").account();
    let b = insert(&mut tree, 0, 8, "/a/b").account();
    assert_eq!(tree.lineage(b), [b, a, tree.host().unwrap()]);
    assert_eq!(tree.deepest_first()[0], b);
}
