//! Files in and out of containers by our own command line.

use std::fs;
use std::process::Command;

use rustix::fs::XattrFlags;

use super::ours::{command, ours, refuse, say};
use super::side::{self, Side};
use crate::docker::IMAGE;
use crate::{blocking_turn, host};

#[test]
fn copies_keep_names_kinds_and_times_and_replace_no_device() {
    let test = "copies_keep_names_kinds_and_times_and_replace_no_device";
    let _turn = blocking_turn();
    let Some(side) = ours(test) else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    host::stdout(Command::new("mkfifo").arg(path("pipe")));
    side::file(dir.path(), "file", "before\n");
    std::os::unix::fs::symlink("file", path("link")).unwrap();
    let line = "cd /tmp; mkdir d; mkfifo d/fifo; echo of the container > d/file; ln -s d/file link; \
                touch -d @1000000000 d; sleep 1000";
    say(
        &side,
        &["run", "-d", "--name", "from", IMAGE, "sh", "-c", line],
    );
    host::wait_until("what is to be copied", || {
        command(&side, &["cp", "from:/tmp/link", "-"])
            .output()
            .is_ok_and(|done| done.status.success())
    });
    for refused in [
        vec!["save", "--output", &path("pipe"), IMAGE],
        vec!["cp", "from:/tmp/d/file", &path("pipe")],
    ] {
        let (_, told) = refuse(&side, &refused);
        let words = "must be a directory or a regular file";
        assert!(told.contains(words), "{told}");
    }
    let kind = |name: &str| fs::symlink_metadata(path(name)).unwrap().file_type();
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    assert!(kind("pipe").is_fifo());

    // Behind a link, which stays one.
    say(&side, &["cp", "from:/tmp/d/file", &path("link")]);
    assert!(kind("link").is_symlink());
    let written = fs::read_to_string(path("file")).unwrap();
    assert_eq!(written, "of the container\n");
    say(&side, &["save", "--output", &path("link"), IMAGE]);
    assert!(kind("link").is_symlink() && fs::metadata(path("file")).unwrap().len() > 1 << 10);

    say(&side, &["cp", "from:/tmp/d", &path("copied")]);
    assert!(kind("copied/fifo").is_fifo());
    assert_eq!(fs::metadata(path("copied")).unwrap().mtime(), 1_000_000_000);
    fs::create_dir(path("into")).unwrap();
    say(&side, &["cp", "-L", "from:/tmp/link", &path("into")]);
    let followed = fs::read_to_string(path("into/link")).unwrap();
    assert_eq!(followed, "of the container\n");

    // All of it, while it runs.
    fs::create_dir(path("all")).unwrap();
    for (to, at) in [("all", "all"), ("made", "made")] {
        say(&side, &["cp", "from:/", &path(to)]);
        let file = fs::read_to_string(path(&format!("{at}/tmp/d/file"))).unwrap();
        assert_eq!(file, "of the container\n");
        assert!(kind(&format!("{at}/bin/busybox")).is_file());
        assert_eq!(
            fs::read_dir(path(&format!("{at}/proc"))).unwrap().count(),
            0
        );
    }
    say(&side, &["rm", "-f", "from"]);
}

#[test]
fn owners_of_copies_are_those_that_docker_says() {
    let test = "owners_of_copies_are_those_that_docker_says";
    let _turn = blocking_turn();
    let Some(sides) = super::alike::sides(test) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let file = side::file(dir.path(), "file", "content\n");
    std::os::unix::fs::chown(&file, Some(1234), Some(1235)).unwrap();
    let file = file.to_str().unwrap();
    let stat = "stat -c %u:%g /tmp/plain /tmp/kept";
    let [ours, oracle] = sides.each_ref().map(|side| {
        side.cli(&["create", "--name", "own", IMAGE, "sh", "-c", stat]);
        for (option, to) in [
            ("--quiet", "own:/tmp/plain"),
            ("--archive", "own:/tmp/kept"),
        ] {
            let arguments = ["cp", option, file, to];
            match side {
                Side::Ours { .. } => say(side, &arguments),
                Side::Oracle(_) => side.cli(&arguments),
            };
        }
        let said = side.cli(&["start", "--attach", "own"]);
        side.cli(&["rm", "own"]);
        said
    });
    assert_eq!(ours, oracle);
}

#[test]
fn a_program_keeps_its_capabilities_in_and_out() {
    let test = "a_program_keeps_its_capabilities_in_and_out";
    let _turn = blocking_turn();
    let Some(side) = ours(test) else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    fs::write(path("ping"), "program").unwrap();
    // CAP_NET_RAW, effective and permitted (include/uapi/linux/capability.h `vfs_cap_data`, revision 2).
    let mut value = [0; 20];
    value[..8].copy_from_slice(&[1, 0, 0, 2, 0, 0x20, 0, 0]);
    let name = "security.capability";
    rustix::fs::lsetxattr(path("ping"), name, &value, XattrFlags::empty()).unwrap();
    say(&side, &["create", "--name", "caps", IMAGE, "true"]);
    say(&side, &["cp", &path("ping"), "caps:/bin/ping2"]);
    say(&side, &["cp", "caps:/bin/ping2", &path("out")]);
    let mut copied = [0; 64];
    let length = rustix::fs::lgetxattr(path("out"), name, &mut copied[..]).unwrap();
    assert_eq!(copied[..length], value);
    assert_eq!(fs::read_to_string(path("out")).unwrap(), "program");
    say(&side, &["rm", "caps"]);
}
