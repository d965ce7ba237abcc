//! `HOME`, where the specification leaves it out, or empty.
//!
//! `libcontainer` would ask the C library, in the workload's root: which loads what the workload's own
//! `nsswitch.conf` names into a process that still has the starter's descriptors.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use libcontainer::oci_spec::runtime::Process;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};

/// Of more, no more is read.
const LONGEST_PASSWD: u64 = 1 << 20;

/// Sets it to the user's directory in the root's `/etc/passwd`, else to `/`.
pub(super) fn ensure(process: &mut Process, root: &Path) {
    let mut environment = process.env().clone().unwrap_or_default();
    let is_home = |variable: &String| variable.split('=').next() == Some("HOME");
    // The last one counts.
    let given = environment.iter().rfind(|variable| is_home(variable));
    if given.is_some_and(|variable| variable.len() > "HOME=".len()) {
        return;
    }
    environment.retain(|variable| !is_home(variable));
    let home = passwd(root).and_then(|text| home_of(&text, process.user().uid()));
    environment.push(format!("HOME={}", home.as_deref().unwrap_or("/")));
    process.set_env(Some(environment));
}

/// The file in that root, whatever links lead to it.
fn passwd(root: &Path) -> Option<String> {
    let root = open(root, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    // It may be anything: a pipe would be waited for.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let file = openat2(&root, "etc/passwd", flags, Mode::empty(), resolve).ok()?;
    let mode = fstat(&file).ok()?.st_mode;
    if FileType::from_raw_mode(mode) != FileType::RegularFile {
        return None;
    }
    let mut text = Vec::new();
    File::from(file)
        .take(LONGEST_PASSWD)
        .read_to_end(&mut text)
        .ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

fn home_of(passwd: &str, user: u32) -> Option<String> {
    let mut lines = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let fields =
        lines.find(|fields| fields.get(2).and_then(|uid| uid.parse().ok()) == Some(user))?;
    let home = *fields.get(5)?;
    (!home.is_empty()).then(|| home.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn home(root: &Path, user: u32, environment: &[&str]) -> Vec<String> {
        let process = serde_json::json!({"cwd": "/", "env": environment,
            "user": {"uid": user, "gid": 0}});
        let mut process: Process = serde_json::from_value(process).unwrap();
        ensure(&mut process, root);
        process.env().clone().unwrap()
    }

    #[test]
    fn it_is_the_users_or_the_root() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(home(root.path(), 0, &[]), ["HOME=/"]);
        fs::create_dir(root.path().join("etc")).unwrap();
        let text = "root:x:0:0:root:/root:/bin/sh\nodd\na:x:7:7::/home/a:\nb:x:8:8:::\n";
        fs::write(root.path().join("etc/passwd"), text).unwrap();
        assert_eq!(home(root.path(), 0, &["A=B"]), ["A=B", "HOME=/root"]);
        assert_eq!(home(root.path(), 7, &[]), ["HOME=/home/a"]);
        assert_eq!(home(root.path(), 8, &[]), ["HOME=/"]);
        assert_eq!(home(root.path(), 9, &[]), ["HOME=/"]);
        assert_eq!(home(root.path(), 7, &["HOME=/x"]), ["HOME=/x"]);
        for empty in [
            &["HOME="] as &[&str],
            &["HOME=/x", "HOME"],
            &["HOME=/x", "HOME="],
        ] {
            assert_eq!(home(root.path(), 7, empty), ["HOME=/home/a"], "{empty:?}");
        }
        let last = ["HOME=", "HOMES=/y", "HOME=/x"];
        assert_eq!(home(root.path(), 7, &last), last);
    }

    #[test]
    fn links_do_not_lead_out_of_the_root() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        // The host's own file has this user.
        symlink("/etc/passwd", root.path().join("etc/passwd")).unwrap();
        assert_eq!(home(root.path(), 1, &[]), ["HOME=/"]);
        symlink("../../../../../../etc/passwd", root.path().join("etc/up")).unwrap();
        fs::remove_file(root.path().join("etc/passwd")).unwrap();
        symlink("up", root.path().join("etc/passwd")).unwrap();
        assert_eq!(home(root.path(), 1, &[]), ["HOME=/"]);
    }

    #[test]
    fn what_is_no_file_is_neither_waited_for_nor_read() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        let pipe = root.path().join("etc/passwd");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(home(root.path(), 0, &[]), ["HOME=/"]);
        // What somebody has put into it is not read, either.
        let keeps = open(&pipe, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
        fs::write(&pipe, "root:x:0:0:root:/root:/bin/sh\n").unwrap();
        assert_eq!(home(root.path(), 0, &[]), ["HOME=/"]);
        drop(keeps);
    }
}
