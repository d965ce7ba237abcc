//! Archives that are not what they say are refused by name, and leave nothing.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use plimsoll::engine::image::Digest;

use super::archive::{docker, files, honest, left, oci, store};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The error and its cause.
fn told(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(ToString::to_string);
    format!("{error}: {}", cause.unwrap_or_default())
}

#[test]
fn what_is_not_as_declared_leaves_nothing() {
    let Some((dir, store)) = store("what_is_not_as_declared_leaves_nothing") else {
        return;
    };
    let layer = files(&[("a", &[1; 5000])]);
    let (plain, packed) = (Digest::of(&layer), gzip(&layer));
    let of_packed = Digest::of(&packed);
    let wrong = Digest::of(b"something else");
    let truncated = &packed[..packed.len() - 20];
    let mut followed = layer.clone();
    followed.extend(vec![0; 1 << 20]);
    let cases = [
        (
            docker("x", &[&layer], &[wrong]),
            "invalid diffID for layer 0",
        ),
        (
            docker("x", &[&layer], &[]),
            "layers length mismatch: expected 0, got 1",
        ),
        // A file of a gigabyte in a kilobyte: what is declared is the compressed size.
        (
            oci(&packed, plain, of_packed, packed.len() + 1),
            "bytes, not",
        ),
        (oci(&packed, plain, of_packed, 10), "not 10 as declared"),
        (oci(&packed, plain, wrong, packed.len()), "has the digest"),
        (
            oci(&packed, wrong, of_packed, packed.len()),
            "invalid diffID",
        ),
        (
            oci(truncated, plain, Digest::of(truncated), truncated.len()),
            "cannot read the archive",
        ),
        (docker("x", &[&followed], &[plain]), "invalid diffID"),
        (
            docker("x", &[b"BZh91AY"], &[plain]),
            "compressed with bzip2",
        ),
        (files(&[("hello", b"x")]), "no image in it"),
        (Vec::new(), "no image in it"),
    ];
    for (archive, words) in cases {
        let error = store.load(&archive[..]).unwrap_err();
        assert!(told(&error).contains(words), "{words}: {}", told(&error));
        assert_eq!(left(&dir.path().join("images")), [""; 0], "{words}");
    }
    let good = oci(&packed, plain, of_packed, packed.len());
    store.load(&good[..]).unwrap();
}

#[test]
fn one_bad_layer_takes_the_good_ones_with_it() {
    let Some((dir, store)) = store("one_bad_layer_takes_the_good_ones_with_it") else {
        return;
    };
    let shared = files(&[("shared", b"s")]);
    store.load(&honest("kept", &[&shared])[..]).unwrap();
    let before = left(&dir.path().join("images"));
    let good = files(&[("good", b"g")]);
    let mut bad = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o644);
    header.as_old_mut().name[..11].copy_from_slice(b"../../../up");
    header.set_cksum();
    bad.append(&header, &b"x"[..]).unwrap();
    let bad = bad.into_inner().unwrap();
    let error = store
        .load(&honest("x", &[&shared, &good, &bad])[..])
        .unwrap_err();
    assert!(error.to_string().contains("\"../../../up\""), "{error}");
    assert_eq!(left(&dir.path().join("images")), before);
    let found = walk(dir.path()).into_iter().any(|name| name == "up");
    assert!(!found, "nothing got out");
}

fn walk(directory: &std::path::Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        names.push(entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            names.extend(walk(&entry.path()));
        }
    }
    names
}
