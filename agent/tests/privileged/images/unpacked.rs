//! What GNU tar packs is there again, in overlay form.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::thread;

use plimsoll::engine::image::Store;

use super::archive::{files, honest, left, listing, run, store};
use crate::support::installed;

/// A tree with what a layer may have.
fn make_tree(root: &Path) {
    let script = r#"
        set -e
        cd "$1"
        mkdir -p bin d/e "long/$(printf 'n%.0s' $(seq 150))/$(printf 'm%.0s' $(seq 150))"
        printf '#!/bin/sh\n' > bin/tool; chmod 4755 bin/tool; chown 3:4 bin/tool
        ln bin/tool d/twin; ln -s ../bin/tool d/link; ln -s /nowhere d/dangling
        mkfifo d/pipe; mknod d/null c 1 3; mknod d/disk b 7 0; chmod 1777 d/e
        printf x > "long/$(printf 'n%.0s' $(seq 150))/$(printf 'm%.0s' $(seq 150))/file"
        touch -d '2001-02-03 04:05:06.789' bin/tool; touch -h -d '2002-02-03 04:05:06' d/link
        truncate -s 3M d/sparse; printf end >> d/sparse
        chown 4000000000:3999999999 d/e; touch -d '2003-01-01' d bin
    "#;
    run("sh", &["-c", script, "sh", root.to_str().unwrap()]);
}

#[test]
fn what_tar_packs_is_there_again() {
    let test = "what_tar_packs_is_there_again";
    if !installed(test, "setcap") {
        return;
    }
    let Some((dir, store)) = store(test) else {
        return;
    };
    let tree = dir.path().join("tree");
    fs::create_dir(&tree).unwrap();
    make_tree(&tree);
    // Line feeds in the value: permitted and inheritable sets of capabilities 1 and 3.
    run(
        "setcap",
        &[
            "cap_dac_override,cap_fowner+ep",
            tree.join("d/sparse").to_str().unwrap(),
        ],
    );
    let tar = dir.path().join("tree.tar");
    for format in [&["--format=pax"][..], &["--format=gnu", "--sparse"]] {
        let (from, to) = (tree.to_str().unwrap(), tar.to_str().unwrap());
        let mut args = vec![
            "--create",
            "--numeric-owner",
            "--file",
            to,
            "--directory",
            from,
        ];
        if format[0] == "--format=pax" {
            args.extend(["--xattrs", "--xattrs-include=*"]);
        }
        run("tar", &[format, &args, &["."]].concat());
        let id = store
            .import(fs::File::open(&tar).unwrap(), None, "", &[])
            .unwrap();
        let layers = store.layers(&id).unwrap();
        // GNU's own format has whole seconds.
        let whole = |line: String| match line.split_once('.') {
            Some((before, after)) if format[0] == "--format=gnu" => {
                format!(
                    "{before} {}",
                    after.trim_start_matches(|c: char| c.is_ascii_digit())
                )
            }
            _ => line,
        };
        let expected: Vec<_> = listing(&tree).into_iter().map(whole).collect();
        let found: Vec<_> = listing(&layers[0]).into_iter().map(whole).collect();
        assert_eq!(found, expected, "{format:?}");
        let sparse = layers[0].join("d/sparse");
        run(
            "cmp",
            &[
                sparse.to_str().unwrap(),
                tree.join("d/sparse").to_str().unwrap(),
            ],
        );
        if format[0] == "--format=pax" {
            let capabilities = run("getcap", &[sparse.to_str().unwrap()]);
            assert!(
                capabilities.contains("cap_dac_override,cap_fowner"),
                "{capabilities}"
            );
        } else {
            assert!(
                fs::metadata(&sparse).unwrap().blocks() < 1024,
                "its hole stays one"
            );
        }
    }
}

#[test]
fn whiteouts_hide_only_what_is_below() {
    let Some((_dir, store)) = store("whiteouts_hide_only_what_is_below") else {
        return;
    };
    let layer = files(&[
        (".wh.gone", b""),
        ("both/kept", b"x"),
        (".wh.both", b""),
        (".wh.later", b""),
        ("later/file", b""),
        (".wh..wh.plnk", b""),
        ("opaque/.wh..wh..opq", b""),
    ]);
    let id = store.load(&honest("a", &[&layer])[..]).unwrap()[0].id;
    let tree = store.layers(&id).unwrap().remove(0);
    let gone = fs::symlink_metadata(tree.join("gone")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    for name in ["both", "later", "opaque"] {
        let mut value = [0; 8];
        let path = tree.join(name);
        let size = rustix::fs::getxattr(&path, "trusted.overlay.opaque", &mut value[..]);
        assert_eq!((size, value[0]), (Ok(1), b'y'), "{name}");
    }
    assert_eq!(fs::read_dir(&tree).unwrap().count(), 4);
}

#[test]
fn layers_are_shared_and_go_with_their_last_image() {
    let Some((dir, store)) = store("layers_are_shared_and_go_with_their_last_image") else {
        return;
    };
    let (base, one, two) = (
        files(&[("base", b"b")]),
        files(&[("one", b"1")]),
        files(&[("two", b"2")]),
    );
    let first = store.load(&honest("one", &[&base, &one])[..]).unwrap()[0].id;
    let second = store.load(&honest("two", &[&base, &two])[..]).unwrap()[0].id;
    let trees = |id| store.layers(id).unwrap();
    assert_eq!(trees(&first)[0], trees(&second)[0]);
    assert_eq!(
        fs::read_dir(dir.path().join("images/layers"))
            .unwrap()
            .count(),
        3
    );
    store.remove("one", false, &|_| None).unwrap();
    assert_eq!(fs::read(trees(&second)[0].join("base")).unwrap(), b"b");
    store.remove("two", false, &|_| None).unwrap();
    assert_eq!(left(&dir.path().join("images")), [""; 0]);
}

#[test]
fn many_load_the_same_at_once() {
    let Some((dir, store)) = store("many_load_the_same_at_once") else {
        return;
    };
    let big = vec![1; 3 << 20];
    let layers: Vec<_> = (0..4)
        .map(|number| files(&[(&format!("file{number}"), &big)]))
        .collect();
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    let archive = honest("a", &layers);
    thread::scope(|scope| {
        let store: &Store = &store;
        let archive = &archive;
        for number in 0..6 {
            scope.spawn(move || {
                if number == 5 {
                    // One that comes and goes meanwhile.
                    for _ in 0..5 {
                        let other = honest("b", &[&files(&[("b", b"b")])]);
                        store.load(&other[..]).unwrap();
                        store.remove("b", false, &|_| None).unwrap();
                    }
                    return;
                }
                store.load(&archive[..]).unwrap();
            });
        }
    });
    let id = store.resolve("a").unwrap();
    for (number, tree) in store.layers(&id).unwrap().iter().enumerate() {
        let file = fs::read(tree.join(format!("file{number}"))).unwrap();
        assert!(file == big);
    }
    assert_eq!(left(&dir.path().join("images")).len(), 5);
}

#[test]
fn whiteouts_of_umoci_take_files_away() {
    let test = "whiteouts_of_umoci_take_files_away";
    if !installed(test, "umoci") {
        return;
    }
    let Some((dir, store)) = store(test) else {
        return;
    };
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (layout, image) = (path("layout"), path("layout:x"));
    fs::create_dir_all(dir.path().join("in/etc/sub")).unwrap();
    for name in ["in/etc/gone", "in/etc/kept", "in/etc/sub/hidden"] {
        fs::write(dir.path().join(name), name).unwrap();
    }
    run("umoci", &["init", "--layout", &layout]);
    run("umoci", &["new", "--image", &image]);
    run("umoci", &["insert", "--image", &image, &path("in"), "/"]);
    run(
        "umoci",
        &["insert", "--image", &image, "--whiteout", "/etc/gone"],
    );
    fs::create_dir(dir.path().join("empty")).unwrap();
    run(
        "umoci",
        &[
            "insert",
            "--image",
            &image,
            "--opaque",
            &path("empty"),
            "/etc/sub",
        ],
    );
    run("umoci", &["unpack", "--image", &image, &path("bundle")]);
    let id = store.load_layout(Path::new(&layout)).unwrap()[0].id;
    let overlay = plimsoll::engine::rootfs::Overlay {
        lower: store.layers(&id).unwrap(),
        upper: dir.path().join("upper"),
        work: dir.path().join("work"),
        volatile: false,
    };
    let target = dir.path().join("target");
    fs::create_dir(&target).unwrap();
    overlay.mount(&target).unwrap();
    // The layer of a whiteout has no entry for the directory: nobody says since when that is.
    let timeless = |root: &Path| {
        let lines = listing(root).into_iter();
        let lines = lines.map(|line| match line.split_once(" d ") {
            Some((name, rest)) => format!("{name} d {}", rest.split(" - - ").next().unwrap()),
            None => line,
        });
        lines.collect::<Vec<_>>()
    };
    let found = timeless(&target);
    let expected = timeless(&dir.path().join("bundle/rootfs"));
    plimsoll::engine::rootfs::unmount_at(&target).unwrap();
    assert_eq!(found, expected);
    assert!(found.iter().any(|line| line.starts_with("etc/kept ")));
    assert!(
        !found
            .iter()
            .any(|line| line.contains("gone") || line.contains("hidden"))
    );
}
