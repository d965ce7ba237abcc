//! Users and groups in a container's files.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbroken\nweb:x:33:34::/var/www:/bin/sh\n";
const GROUP: &str = "root:x:0:\nadm:x:4:root,web\nwww:x:34:\nvideo:x:44:web\n100:x:7:\n";

fn rootfs() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    fs::write(root.path().join("etc/passwd"), PASSWD).unwrap();
    fs::write(root.path().join("etc/group"), GROUP).unwrap();
    root
}

fn found(words: &str, added: &[&str]) -> (u32, u32, Vec<u32>) {
    let added: Vec<_> = added.iter().map(|&one| one.to_owned()).collect();
    let user = look_up(words, &added, rootfs().path()).unwrap();
    (
        user.uid(),
        user.gid(),
        user.additional_gids().clone().unwrap(),
    )
}

fn refusal(words: &str, added: &[&str]) -> String {
    let added: Vec<_> = added.iter().map(|&one| one.to_owned()).collect();
    look_up(words, &added, rootfs().path())
        .unwrap_err()
        .to_string()
}

#[test]
fn nobody_named_is_root_with_roots_groups() {
    assert_eq!(found("", &[]), (0, 0, vec![0, 4]));
    assert_eq!(found("root", &[]), (0, 0, vec![0, 4]));
}

#[test]
fn a_user_comes_with_its_groups_unless_one_is_named() {
    assert_eq!(found("web", &[]), (33, 34, vec![34, 4, 44]));
    assert_eq!(found("33", &[]), (33, 34, vec![34, 4, 44]));
    assert_eq!(found("web:adm", &[]), (33, 4, vec![4]));
    assert_eq!(found("web:1234", &[]), (33, 1234, vec![1234]));
    assert_eq!(found(":video", &[]), (0, 44, vec![44]));
}

#[test]
fn a_number_needs_no_entry() {
    assert_eq!(found("1000", &[]), (1000, 0, vec![0]));
    assert_eq!(
        found("1000:100", &[]),
        (1000, 7, vec![7]),
        "a name before a number"
    );
}

#[test]
fn added_groups_are_there_once() {
    assert_eq!(
        found("1000", &["video", "4", "44", "0"]),
        (1000, 0, vec![0, 44, 4])
    );
}

#[test]
fn what_is_not_there_is_named() {
    assert_eq!(
        refusal("nobody", &[]),
        "unable to find user nobody: no matching entries in passwd file"
    );
    assert_eq!(
        refusal("web:none", &[]),
        "unable to find group none: no matching entries in group file"
    );
    assert_eq!(refusal("web", &["none"]), "Unable to find group none");
    assert!(refusal("2147483648", &[]).contains("0-2147483647"));
}

#[test]
fn links_do_not_lead_out_and_pipes_are_not_waited_for() {
    let root = tempfile::tempdir().unwrap();
    let etc = root.path().join("etc");
    fs::create_dir(&etc).unwrap();
    // The host's own files have these.
    symlink("/etc/passwd", etc.join("passwd")).unwrap();
    symlink("../../../../../../../etc/group", etc.join("group")).unwrap();
    // Both point at themselves, seen from inside.
    assert!(look_up("daemon", &[], root.path()).is_err());
    fs::remove_file(etc.join("passwd")).unwrap();
    fs::remove_file(etc.join("group")).unwrap();
    nix::unistd::mkfifo(&etc.join("passwd"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(look_up("daemon", &[], root.path()).is_err());
    assert_eq!(look_up("5", &[], root.path()).unwrap().uid(), 5);
}
