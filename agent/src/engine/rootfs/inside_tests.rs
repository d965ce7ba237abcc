//! Paths as users write them. What the kernel resolves is asked with real links.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::super::tree::tests::nest;
use super::*;

/// `etc/link` leads to `/data`, which is on the host something else, or nothing.
fn root() -> (tempfile::TempDir, Inside) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("etc")).unwrap();
    fs::create_dir_all(dir.path().join("data/sub")).unwrap();
    fs::write(dir.path().join("data/file"), "content").unwrap();
    fs::write(dir.path().join("data/sub/deep"), "deep").unwrap();
    fs::hard_link(dir.path().join("data/file"), dir.path().join("data/twin")).unwrap();
    symlink("/data", dir.path().join("etc/link")).unwrap();
    symlink("/absent", dir.path().join("etc/dangling")).unwrap();
    symlink("../../../../etc", dir.path().join("data/up")).unwrap();
    let inside = Inside::open(dir.path()).unwrap();
    (dir, inside)
}

/// Names in an archive, in order; links with where they point.
fn listed(inside: &Inside, path: &str) -> Vec<String> {
    let mut archive = Vec::new();
    inside.read("c", path, &mut archive).unwrap();
    let mut archive = tar::Archive::new(&archive[..]);
    let entries = archive.entries().unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.link_name().unwrap() {
            Some(link) => format!("{} -> {}", entry.path().unwrap().display(), link.display()),
            None => String::from_utf8(entry.path_bytes().into_owned()).unwrap(),
        })
        .collect()
}

#[test]
fn an_archive_is_named_by_the_last_name() {
    let (_dir, inside) = root();
    assert_eq!(listed(&inside, "data/file"), ["file"]);
    assert_eq!(listed(&inside, "/etc/link"), ["link -> /data"]);
    let below = |name: &str| {
        [
            "",
            "file",
            "sub/",
            "sub/deep",
            "twin -> file",
            "up -> ../../../../etc",
        ]
        .map(|below| below.replace("-> file", &format!("-> {name}file")))
        .map(|below| format!("{name}{below}"))
    };
    assert_eq!(listed(&inside, "/data"), below("data/"));
    assert_eq!(listed(&inside, "/etc/link/"), below("link/"));
    assert_eq!(listed(&inside, "/etc/../data/."), below("./"));
    assert_eq!(listed(&inside, "/")[..3], ["/", "/data/", "/data/file"]);
}

#[test]
fn a_stat_is_gos() {
    let (dir, inside) = root();
    let mode = fs::Permissions::from_mode(0o4751);
    fs::set_permissions(dir.path().join("data/file"), mode).unwrap();
    let file = inside.stat("c", "/data/file").unwrap();
    assert_eq!((file.name.as_str(), file.size), ("file", 7));
    assert_eq!(file.mode, (1 << 23) | 0o751);
    let link = inside.stat("c", "etc/link").unwrap();
    assert_eq!(link.link_target, "/data");
    assert_eq!(link.mode & (1 << 27), 1 << 27);
    assert_eq!(inside.stat("c", "/data/up").unwrap().link_target, "/etc");
    assert_eq!(
        inside.stat("c", "/etc/dangling").unwrap().link_target,
        "/absent"
    );
    assert_eq!(
        inside.stat("c", "/etc/link/").unwrap().mode & (1 << 31),
        1 << 31
    );
    assert_eq!(inside.stat("c", "/..").unwrap().name, "/");
    for absent in ["/absent", "/data/file/x", "/etc/dangling/"] {
        let error = inside.stat("c", absent).unwrap_err();
        let words = format!("Could not find the file {absent} in container c");
        assert_eq!(error.to_string(), words);
    }
}

#[test]
fn what_is_written_stays_inside() {
    let (dir, inside) = root();
    let mut archive = Vec::new();
    inside.read("c", "/data/.", &mut archive).unwrap();
    let writing = Writing::default();
    inside
        .write("c", "/data/up/link/sub", &archive[..], writing)
        .unwrap();
    let sub = dir.path().join("data/sub");
    assert_eq!(fs::read(sub.join("sub/deep")).unwrap(), b"deep");
    assert_eq!(fs::metadata(sub.join("twin")).unwrap().nlink(), 2);
    let error = inside
        .write("c", "/data/file", &archive[..], writing)
        .unwrap_err();
    assert_eq!(error.to_string(), "extraction point is not a directory");
}

#[test]
fn kinds_are_kept_when_asked() {
    let (dir, inside) = root();
    let mut archive = Vec::new();
    inside.read("c", "/data/file", &mut archive).unwrap();
    fs::create_dir(dir.path().join("etc/file")).unwrap();
    let keeping = Writing { keep_kinds: true };
    let error = inside
        .write("c", "/etc", &archive[..], keeping)
        .unwrap_err();
    assert!(
        error.to_string().contains("overwrite a directory"),
        "{error}"
    );
    assert!(dir.path().join("etc/file").is_dir());
    inside
        .write("c", "/etc", &archive[..], Writing::default())
        .unwrap();
    assert_eq!(fs::read(dir.path().join("etc/file")).unwrap(), b"content");
}

#[test]
fn the_directory_that_is_written_to_keeps_what_it_is() {
    let (dir, inside) = root();
    let mut archive = Vec::new();
    let data = dir.path().join("data");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o1777)).unwrap();
    inside.read("c", "/data/.", &mut archive).unwrap();
    let etc = dir.path().join("etc");
    fs::set_permissions(&etc, fs::Permissions::from_mode(0o751)).unwrap();
    inside
        .write("c", "/etc", &archive[..], Writing::default())
        .unwrap();
    assert_eq!(fs::metadata(&etc).unwrap().mode() & 0o7777, 0o751);
    assert!(etc.join("sub/deep").exists());
}

#[test]
fn what_the_kernel_shows_as_files_is_not_read() {
    let host = Inside::open(Path::new("/")).unwrap();
    assert_eq!(listed(&host, "/proc"), ["proc/"]);
    assert_eq!(listed(&host, "/proc/sys/."), ["./"]);
}

#[test]
fn what_is_deeper_than_a_path_leads_is_left_out() {
    let (dir, inside) = root();
    nest(&dir.path().join("data/deep"), 60);
    let names = listed(&inside, "/data");
    tree::remove_in(&dir.path().join("data"), OsStr::new("deep")).unwrap();
    let deep = names.iter().filter(|name| name.starts_with("data/deep/"));
    assert!((30..60).contains(&deep.count()));
    assert!(
        names.contains(&"data/sub/deep".to_owned()),
        "what follows is there"
    );
}

#[test]
fn files_that_the_kernel_makes_as_they_are_read_are_not_there() {
    let inside = Inside::open(Path::new("/")).unwrap();
    for path in [
        "/proc/version",
        "/proc/self/status",
        "/sys/kernel/uevent_seqnum",
    ] {
        let told = inside.stat("c", path).unwrap_err().to_string();
        assert!(told.contains("Could not find the file"), "{told}");
        assert!(inside.read("c", path, &mut Vec::new()).is_err(), "{path}");
    }
    inside.stat("c", "/proc").unwrap();
    inside.stat("c", "/proc/self/exe").unwrap();
}
