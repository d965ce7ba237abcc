//! Images to docker and back, and docker's own words about a container's files.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::Command;

use plimsoll::engine::image::Store;
use plimsoll::engine::rootfs::{Inside, Overlay};
use serde_json::Value;

use crate::docker::{Docker, IMAGE};
use crate::{blocking_turn, skip};

#[test]
fn docker_and_we_load_what_the_other_saves() {
    let _turn = blocking_turn();
    let docker = match Docker::start(&[]) {
        Ok(docker) => docker,
        Err(why) => return skip("docker_and_we_load_what_the_other_saves", &why),
    };
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let store = Store::open(&dir.path().join("images")).unwrap();

    docker.cli(&["save", "--output", &path("theirs.tar"), IMAGE]);
    let loaded = store
        .load(fs::File::open(path("theirs.tar")).unwrap())
        .unwrap();
    let id = docker.cli(&["image", "inspect", "--format", "{{.Id}}", IMAGE]);
    assert_eq!(loaded[0].id.to_string(), id);
    assert_eq!(loaded[0].names[0].0.to_string(), IMAGE);
    let size = docker.cli(&["image", "inspect", "--format", "{{.Size}}", IMAGE]);
    assert_eq!(store.list().unwrap()[0].size.to_string(), size);

    docker.cli(&["rmi", IMAGE]);
    store
        .save(&[IMAGE], fs::File::create(path("ours.tar")).unwrap())
        .unwrap();
    let said = docker.cli(&["load", "--input", &path("ours.tar")]);
    assert_eq!(said, format!("Loaded image: {IMAGE}"));
    assert_eq!(
        docker.cli(&["image", "inspect", "--format", "{{.Id}}", IMAGE]),
        id
    );

    let script = "mkdir -p /made/deep; echo x >/made/deep/file; ln -s /made/deep /made/link; \
                  rm /bin/true; rm -r /etc; mkdir /etc; echo y >/etc/new; chmod 700 /bin";
    let container = docker.run(&[], &["sh", "-c", script]);
    docker.cli(&["wait", &container]);
    let told = docker.cli(&[
        "inspect",
        "--format",
        "{{json .GraphDriver.Data}}",
        &container,
    ]);
    let told: Value = serde_json::from_str(&told).unwrap();
    let directory = |key: &str| told[key].as_str().unwrap().to_owned();
    let overlay = Overlay {
        lower: directory("LowerDir")
            .split(':')
            .rev()
            .map(PathBuf::from)
            .collect(),
        upper: directory("UpperDir").into(),
        work: dir.path().join("work"),
        volatile: false,
    };
    let mut ours: Vec<_> = overlay
        .changes()
        .unwrap()
        .iter()
        .map(|change| format!("{} {}", ["C", "A", "D"][change.kind as usize], change.path))
        .collect();
    ours.sort();
    let mut theirs: Vec<_> = docker
        .cli(&["diff", &container])
        .lines()
        .map(str::to_owned)
        .collect();
    theirs.sort();
    assert_eq!(ours, theirs);

    let spare = dir.path().join("spare");
    fs::create_dir(&spare).unwrap();
    let read_only = Overlay {
        lower: [&overlay.lower[..], std::slice::from_ref(&overlay.upper)].concat(),
        upper: dir.path().join("upper"),
        work: overlay.work,
        volatile: false,
    };
    let inside = Inside::new(read_only.detached(&spare).unwrap());
    for copied in [
        "/made",
        "/made/",
        "/made/.",
        "/made/link",
        "/made/link/",
        "made/deep/file",
        "/",
    ] {
        let mut ours = Vec::new();
        inside.read("c", copied, &mut ours).unwrap();
        assert_eq!(
            names(&ours[..]),
            names(&docker_cp(&docker, &container, copied)[..]),
            "{copied}"
        );
    }
}

/// What `docker cp` gets.
fn docker_cp(docker: &Docker, container: &str, path: &str) -> Vec<u8> {
    let socket = docker.socket();
    let url = format!("http://docker/containers/{container}/archive?path={path}");
    let answer = Command::new("curl")
        .args(["--silent", "--show-error", "--fail", "--unix-socket"])
        .args([socket.as_os_str(), url.as_ref()])
        .output()
        .unwrap();
    assert!(
        answer.status.success(),
        "{}",
        String::from_utf8_lossy(&answer.stderr)
    );
    answer.stdout
}

/// Names in an archive, in order of their letters.
fn names(archive: impl Read) -> Vec<String> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().unwrap().map(Result::unwrap);
    let mut names: Vec<_> = entries
        .map(|entry| String::from_utf8(entry.path_bytes().into_owned()).unwrap())
        .collect();
    names.sort();
    names
}
