//! Volumes come, are filled once, and go when nobody has them.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::os::unix::fs::{MetadataExt, symlink};

use super::*;
use crate::engine::rootfs::tree::tests::{DEEP, nest, on_a_small_stack};

fn nobody(_: &str) -> Vec<String> {
    Vec::new()
}

fn named(name: &str) -> VolumeCreateRequest {
    VolumeCreateRequest {
        name: Some(name.to_owned()),
        ..VolumeCreateRequest::default()
    }
}

fn volumes() -> (tempfile::TempDir, Volumes) {
    let dir = tempfile::tempdir().unwrap();
    let volumes = Volumes::open(&dir.path().join("volumes")).unwrap();
    (dir, volumes)
}

#[test]
fn a_volume_is_made_found_and_removed() {
    let (dir, volumes) = volumes();
    let mut request = named("data");
    request.labels = Some([("a".to_owned(), "b".to_owned())].into());
    let made = volumes.create(&request).unwrap();
    assert_eq!(made.driver, "local");
    assert!(Path::new(&made.mountpoint).is_dir());
    assert_eq!(volumes.create(&request).unwrap(), made);
    assert_eq!(volumes.create(&named("data")).unwrap(), made);
    request.labels = Some([("a".to_owned(), "c".to_owned())].into());
    let conflict = volumes.create(&request).unwrap_err();
    assert!(matches!(conflict, VolumeError::Exists { .. }), "{conflict}");
    let again = Volumes::open(&dir.path().join("volumes")).unwrap();
    assert_eq!(again.list().unwrap(), std::slice::from_ref(&made));
    assert_eq!(again.inspect("data").unwrap(), made);
    let used = volumes.remove("data", true, &|_| vec!["c1".to_owned(), "c2".to_owned()]);
    let words = "remove data: volume is in use - [c1, c2]";
    assert_eq!(used.unwrap_err().to_string(), words);
    volumes.remove("data", false, &nobody).unwrap();
    assert!(!Path::new(&made.mountpoint).exists());
    let gone = volumes.remove("data", false, &nobody).unwrap_err();
    assert_eq!(gone.to_string(), "get data: no such volume");
    volumes.remove("data", true, &nobody).unwrap();
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let (_dir, volumes) = volumes();
    let mut request = named("data");
    request.driver = Some("nfs".to_owned());
    let error = volumes.create(&request).unwrap_err();
    assert_eq!(
        error.to_string(),
        "error looking up volume plugin nfs: plugin \"nfs\" not found"
    );
    request.driver = Some("local".to_owned());
    request.driver_opts = Some([("type".to_owned(), "tmpfs".to_owned())].into());
    let error = volumes.create(&request).unwrap_err();
    assert!(error.to_string().contains("\"type\""), "{error}");
    for name in ["../x", "/x", "a/b", ".x", "a b"] {
        let error = volumes.create(&named(name)).unwrap_err();
        assert!(matches!(error, VolumeError::InvalidName(_)), "{error}");
    }
    assert_eq!(volumes.list().unwrap(), []);
}

#[test]
fn an_empty_volume_is_filled_once() {
    let (dir, volumes) = volumes();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("srv/sub")).unwrap();
    fs::write(root.join("srv/sub/file"), "from the image").unwrap();
    symlink("srv", root.join("link")).unwrap();
    symlink("/absent", root.join("srv/dangling")).unwrap();
    fs::set_permissions(root.join("srv"), fs::Permissions::from_mode(0o1770)).unwrap();
    let image = Inside::open(&root).unwrap();
    let data = PathBuf::from(volumes.create(&named("data")).unwrap().mountpoint);
    volumes
        .populate("data", &image, Path::new("/absent"))
        .unwrap();
    assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
    volumes
        .populate("data", &image, Path::new("/link"))
        .unwrap();
    let file = data.join("sub/file");
    assert_eq!(fs::read(&file).unwrap(), b"from the image");
    assert!(fs::read_link(data.join("dangling")).is_ok());
    assert_eq!(fs::metadata(&data).unwrap().mode() & 0o7777, 0o1770);
    fs::write(&file, "the workload's").unwrap();
    volumes.populate("data", &image, Path::new("/srv")).unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"the workload's");
    let usage = volumes.usage("data", &|_| vec!["c".to_owned()]).unwrap();
    let links_bytes = "/absent".len() as i64;
    assert_eq!((usage.size, usage.ref_count), (14 + links_bytes, 1));
}

#[test]
fn prune_takes_anonymous_ones_that_nobody_has() {
    let (_dir, volumes) = volumes();
    let anonymous = VolumeCreateRequest::default();
    let first = volumes.create(&anonymous).unwrap();
    let used = volumes.create(&anonymous).unwrap().name;
    volumes.create(&named("data")).unwrap();
    fs::write(Path::new(&first.mountpoint).join("f"), "12345").unwrap();
    let users = |name: &str| -> Vec<String> {
        (name == used).then(|| "c".to_owned()).into_iter().collect()
    };
    let none = volumes.prune(true, &|_labels| false, &users).unwrap();
    assert_eq!(none.volumes_deleted, Some(Vec::new()));
    let any = |_labels: &HashMap<String, String>| true;
    let pruned = volumes.prune(false, &any, &users).unwrap();
    assert_eq!(pruned.volumes_deleted, Some(vec![first.name]));
    assert_eq!(pruned.space_reclaimed, Some(5));
    let pruned = volumes.prune(true, &any, &users).unwrap();
    assert_eq!(pruned.volumes_deleted, Some(vec!["data".to_owned()]));
}

#[test]
fn a_volume_may_be_deeper_than_a_path_leads() {
    let (dir, volumes) = volumes();
    let data = PathBuf::from(volumes.create(&named("deep")).unwrap().mountpoint);
    nest(&data.join("tree"), DEEP);
    fs::write(data.join("file"), "12345").unwrap();
    assert!(volumes.usage("deep", &nobody).unwrap().size >= 5);
    on_a_small_stack(|| volumes.remove("deep", false, &nobody)).unwrap();
    nest(&dir.path().join("volumes/~other"), DEEP);
    on_a_small_stack(|| Volumes::open(&dir.path().join("volumes"))).unwrap();
    let left = fs::read_dir(dir.path().join("volumes")).unwrap();
    assert_eq!(left.count(), 0);
}

#[test]
fn what_is_half_made_is_no_volume() {
    let (dir, volumes) = volumes();
    let half_made = dir.path().join("volumes/~data/_data");
    fs::create_dir_all(&half_made).unwrap();
    assert_eq!(volumes.list().unwrap(), []);
    Volumes::open(&dir.path().join("volumes")).unwrap();
    assert!(!half_made.exists());
}
