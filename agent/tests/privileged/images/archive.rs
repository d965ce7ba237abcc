//! Archives of images, honest and not, and a store to load them in.

use std::fs;
use std::path::Path;
use std::process::Command;

use plimsoll::engine::image::{Digest, Store};
use serde_json::json;

use crate::support::skip;

/// `None`, and the test is skipped: only root makes devices and mounts.
pub(crate) fn store(test: &str) -> Option<(tempfile::TempDir, Store)> {
    if !nix::unistd::geteuid().is_root() {
        skip(test, "not root");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("images")).unwrap();
    Some((dir, store))
}

/// An archive of regular files.
pub(crate) fn files(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// As `docker save` before 25 writes it. `diff_ids`: what the configuration says of the layers.
pub(crate) fn docker(name: &str, layers: &[&[u8]], diff_ids: &[Digest]) -> Vec<u8> {
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    })
    .to_string();
    let names: Vec<_> = (0..layers.len())
        .map(|n| format!("{n}/layer.tar"))
        .collect();
    let manifest = json!([{"Config": "c.json", "RepoTags": [name], "Layers": names}]).to_string();
    let mut members: Vec<(&str, &[u8])> = Vec::new();
    members.extend(names.iter().map(String::as_str).zip(layers.iter().copied()));
    members.push(("c.json", config.as_bytes()));
    members.push(("manifest.json", manifest.as_bytes()));
    files(&members)
}

/// An honest one of uncompressed layers.
pub(crate) fn honest(name: &str, layers: &[&[u8]]) -> Vec<u8> {
    let diff_ids: Vec<_> = layers.iter().map(|layer| Digest::of(layer)).collect();
    docker(name, layers, &diff_ids)
}

/// An OCI layout of one layer, with what its descriptor says.
pub(crate) fn oci(layer: &[u8], diff_id: Digest, digest: Digest, size: usize) -> Vec<u8> {
    let config = json!({
        "architecture": architecture(), "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    })
    .to_string();
    let manifest = json!({
        "schemaVersion": 2,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": Digest::of(config.as_bytes()), "size": config.len(),
        },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": digest, "size": size,
        }],
    })
    .to_string();
    let index = json!({"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": Digest::of(manifest.as_bytes()), "size": manifest.len(),
    }]})
    .to_string();
    let blob = |digest: Digest| format!("blobs/sha256/{}", digest.hex());
    files(&[
        ("index.json", index.as_bytes()),
        (&blob(Digest::of(manifest.as_bytes())), manifest.as_bytes()),
        (&blob(Digest::of(config.as_bytes())), config.as_bytes()),
        (&blob(digest), layer),
    ])
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        other => other,
    }
}

/// What a store has on disk, besides its lock and its names.
pub(crate) fn left(store: &Path) -> Vec<String> {
    let mut left = Vec::new();
    for directory in ["tmp", "layers", "configs"] {
        for entry in fs::read_dir(store.join(directory)).unwrap() {
            left.push(format!(
                "{directory}/{}",
                entry.unwrap().file_name().display()
            ));
        }
    }
    left
}

/// Runs a program to its end; what it wrote.
pub(crate) fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Every file below a directory with all that tar keeps, as `find` tells it; times of links and of the
/// root apart.
pub(crate) fn listing(root: &Path) -> Vec<String> {
    let root = root.to_str().unwrap();
    let format = "%P %y %m %U %G %s %n %T@ %l\\n";
    let listing = run("find", &[root, "-mindepth", "1", "-printf", format]);
    let mut lines: Vec<_> = listing.lines().map(str::to_owned).collect();
    for line in &mut lines {
        // The size of a directory is the file system's.
        let mut words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        if words[1] == "d" {
            words[5] = "-".to_owned();
            words[6] = "-".to_owned();
        }
        *line = words.join(" ");
    }
    lines.sort();
    lines
}
