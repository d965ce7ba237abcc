//! Archives of images, broken in all ways: none gets a word of panic out of the store.
#![allow(clippy::unwrap_used)]

use std::fs;

use proptest::prelude::*;

use super::super::Digest;
use super::*;

fn tarball(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_uid(rustix::process::getuid().as_raw().into());
        header.set_gid(rustix::process::getgid().as_raw().into());
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn archive(name: &str) -> Vec<u8> {
    let layer = tarball(&[("a", b"a"), ("b/c", &[7; 3000])]);
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [Digest::of(&layer)]},
    });
    let manifest = serde_json::json!([
        {"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}
    ]);
    tarball(&[
        ("manifest.json", manifest.to_string().as_bytes()),
        ("config.json", config.to_string().as_bytes()),
        ("layer.tar", &layer),
    ])
}

fn entries(store: &Path, name: &str) -> usize {
    fs::read_dir(store.join(name)).unwrap().count()
}

#[test]
fn an_image_is_loaded_named_and_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let loaded = store.load(&archive("a/b:1")[..]).unwrap();
    let [Loaded { id, names }] = &loaded[..] else {
        panic!("{loaded:?}");
    };
    assert_eq!(names, &[("a/b:1".parse().unwrap(), None)]);
    for name in [
        "a/b:1",
        "docker.io/a/b:1",
        &id.to_string(),
        &id.hex(),
        &id.short(),
    ] {
        assert_eq!(store.resolve(name).unwrap(), *id, "{name}");
    }
    let absent = store.resolve("a/b").unwrap_err();
    assert_eq!(absent.to_string(), "No such image: a/b:latest");
    let trees = store.layers(id).unwrap();
    assert_eq!(fs::read(trees[0].join("a")).unwrap(), b"a");
    assert_eq!(store.list().unwrap()[0].size, 3001);
    assert!(matches!(
        Store::open(dir.path()),
        Err(ImageError::StoreInUse { .. })
    ));
    drop(store);
    fs::create_dir_all(dir.path().join("tmp/left/fs")).unwrap();
    fs::create_dir_all(dir.path().join("layers").join("1".repeat(64))).unwrap();
    let again = Store::open(dir.path()).unwrap();
    assert_eq!(again.resolve("a/b:1").unwrap(), *id);
    assert_eq!(entries(dir.path(), "tmp"), 0);
    assert_eq!(
        entries(dir.path(), "layers"),
        1,
        "those of no image are gone"
    );
}

/// With a file among `members` for each of these documents, by digest; the descriptor of the last.
fn descriptor(kind: &str, text: &[u8], members: &mut Vec<(String, Vec<u8>)>) -> serde_json::Value {
    let digest = Digest::of(text);
    members.push((format!("blobs/sha256/{}", digest.hex()), text.to_vec()));
    let media_type = format!("application/vnd.oci.image.{kind}.v1+json");
    serde_json::json!({"mediaType": media_type, "digest": digest, "size": text.len()})
}

#[test]
fn a_small_archive_does_not_become_a_large_one_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let refused = |archive: &[u8]| {
        let error = store.load(archive).unwrap_err();
        assert!(matches!(error, ImageError::TooLarge { .. }), "{error}");
    };
    // One configuration, named often.
    let config = format!("{{}}{}", " ".repeat(1 << 20));
    let manifest = serde_json::json!({"Config": "c", "Layers": []});
    let manifests = serde_json::json!(vec![manifest; 10_000]).to_string();
    refused(&tarball(&[
        ("c", config.as_bytes()),
        ("manifest.json", manifests.as_bytes()),
    ]));
    // Indexes of the same index.
    let mut members = Vec::new();
    let other = serde_json::json!({"os": "linux", "architecture": "none"});
    let mut inner = descriptor("manifest", b"{}", &mut members);
    inner["platform"] = other;
    refused(&indexes(inner, members, 2, 2_000));
    // Or of one each, that lead ever deeper.
    let mut members = Vec::new();
    let inner = descriptor("manifest", b"{}", &mut members);
    refused(&indexes(inner, members, 6, 1));
}

/// A layout whose indexes have the next one so often; what the last ones have is among the members.
fn indexes(
    mut inner: serde_json::Value,
    mut members: Vec<(String, Vec<u8>)>,
    levels: usize,
    often: usize,
) -> Vec<u8> {
    for _ in 0..levels {
        let manifests = vec![inner; often];
        let index = serde_json::json!({"schemaVersion": 2, "manifests": manifests}).to_string();
        inner = descriptor("index", index.as_bytes(), &mut members);
    }
    let (_, index) = members.pop().unwrap();
    members.push(("index.json".to_owned(), index));
    let members: Vec<_> = members
        .iter()
        .map(|(name, text)| (name.as_str(), &text[..]))
        .collect();
    tarball(&members)
}

#[test]
fn an_image_goes_with_its_last_name_and_its_layers_with_the_last_image() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let id = store.load(&archive("a:1")[..]).unwrap()[0].id;
    store.tag("a:1", "b").unwrap();
    let nobody = |_: &ImageId| None;
    let many = store.remove(&id.hex(), false, &nobody).unwrap_err();
    assert_eq!(
        many.to_string(),
        format!(
            "conflict: unable to delete {} (must be forced) - image is referenced in multiple \
             repositories",
            id.short()
        )
    );
    let items = store.remove("b", false, &nobody).unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].untagged.as_deref(), Some("b:latest"));
    let used = |running| {
        move |_: &ImageId| {
            Some(super::super::User {
                container: "c0ffee".to_owned(),
                running,
            })
        }
    };
    let error = store.remove("a:1", false, &used(false)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "conflict: unable to remove repository reference \"a:1\" (must force) - container \
             c0ffee is using its referenced image {}",
            id.short()
        )
    );
    let error = store.remove(&id.short(), true, &used(true)).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("(cannot be forced) - image is being used by running container c0ffee")
    );
    let error = store.remove(&id.short(), false, &used(false)).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("(must be forced) - image is being used by stopped container c0ffee")
    );
    let items = store.remove("a:1", true, &used(true)).unwrap();
    assert_eq!(items.len(), 1, "it stays for its container");
    assert_eq!(store.list().unwrap()[0].repo_tags, [""; 0]);
    let items = store.remove(&id.short(), false, &nobody).unwrap();
    let deleted: Vec<_> = items.into_iter().filter_map(|item| item.deleted).collect();
    assert_eq!(deleted[0], id.to_string());
    assert_eq!(deleted.len(), 2);
    for name in ["tmp", "layers", "configs"] {
        assert_eq!(entries(dir.path(), name), 0, "{name}");
    }
}

#[test]
fn what_is_saved_is_loaded_again() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::open(dir.path()).unwrap();
    let id = store.load(&archive("a:1")[..]).unwrap()[0].id;
    store.tag("a:1", "a:2").unwrap();
    store.tag("a:1", "other").unwrap();
    let other = Store::open(other.path()).unwrap();
    let mut saved = Vec::new();
    store.save(&["a"], &mut saved).unwrap();
    let loaded = other.load(&saved[..]).unwrap();
    assert_eq!(loaded[0].id, id);
    let names: Vec<_> = loaded[0]
        .names
        .iter()
        .map(|(name, _)| name.to_string())
        .collect();
    assert_eq!(names, ["a:1", "a:2"], "all tags of the repository");
    let mut saved = Vec::new();
    store.save(&[&id.short(), "other"], &mut saved).unwrap();
    let loaded = other.load(&saved[..]).unwrap();
    assert_eq!(loaded.len(), 1);
    assert_eq!(loaded[0].names[0].0.to_string(), "other:latest");
    assert!(matches!(
        store.save(&["absent"], &mut Vec::new()),
        Err(ImageError::NotFound(_))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn no_bytes_leave_anything_behind(
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6),
        length in any::<usize>(),
        cut in any::<bool>(),
        packed in any::<bool>(),
    ) {
        let mut archive = archive("a:1");
        let change = |bytes: &mut Vec<u8>| {
            for (at, byte) in &changes {
                let at = at % bytes.len();
                bytes[at] = *byte;
            }
            if cut {
                bytes.truncate(length % bytes.len());
            }
        };
        if packed {
            archive = zstd::encode_all(&archive[..], 1).unwrap();
        }
        change(&mut archive);
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let images = store.load(&archive[..]).map_or(0, |loaded| loaded.len());
        prop_assert_eq!(entries(dir.path(), "tmp"), 0);
        prop_assert_eq!(entries(dir.path(), "configs"), images);
        prop_assert_eq!(entries(dir.path(), "layers"), images.min(1));
    }
}
