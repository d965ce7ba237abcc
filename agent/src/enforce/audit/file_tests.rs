#![allow(clippy::unwrap_used)]

use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::TempDir;

use super::*;
use crate::enforce::audit::tests::record;

fn log(directory: &TempDir, max_bytes: u64, files: u32) -> LogFile {
    LogFile::new(&AuditConfig {
        path: directory.path().join("below/audit.jsonl"),
        max_bytes,
        files,
    })
}

fn text(log: &LogFile) -> String {
    fs::read_to_string(&log.path).unwrap()
}

fn names(log: &LogFile) -> Vec<String> {
    let entries = fs::read_dir(log.path.parent().unwrap()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn file_and_directory_are_for_root_alone() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = log(&directory, 100, 2);
    log.append(b"one\n").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&log.path), 0o600);
    // Less what the umask takes.
    assert_eq!(mode(log.path.parent().unwrap()) & !0o750, 0);
}

#[test]
fn a_full_file_moves_on_and_the_last_one_goes() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = log(&directory, 8, 3);
    for line in [
        "one\n",
        "two\n",
        "three\n",
        "four\n",
        "five five\n",
        "six\n",
    ] {
        log.append(line.as_bytes()).unwrap();
    }
    assert_eq!(
        names(&log),
        ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2"]
    );
    assert_eq!(text(&log), "six\n");
    let of = |number| fs::read_to_string(rotated(&log.path, number)).unwrap();
    assert_eq!(of(1), "five five\n");
    assert_eq!(of(2), "four\n");
}

#[test]
fn one_file_begins_anew() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = log(&directory, 8, 1);
    for line in ["one\n", "two\n", "three\n"] {
        log.append(line.as_bytes()).unwrap();
    }
    assert_eq!(names(&log), ["audit.jsonl"]);
    assert_eq!(text(&log), "three\n");
}

#[test]
fn a_file_that_was_moved_or_removed_is_begun_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = log(&directory, 100, 2);
    log.append(b"one\n").unwrap();
    let moved = directory.path().join("moved");
    fs::rename(&log.path, &moved).unwrap();
    log.append(b"two\n").unwrap();
    assert_eq!(fs::read_to_string(&moved).unwrap(), "one\n");
    assert_eq!(text(&log), "two\n");
    // As logrotate's `create` does.
    fs::rename(&log.path, &moved).unwrap();
    File::create(&log.path).unwrap();
    log.append(b"three\n").unwrap();
    assert_eq!(text(&log), "three\n");
    // As its `copytruncate` does.
    File::create(&log.path).unwrap();
    log.append(b"four\n").unwrap();
    assert_eq!(text(&log), "four\n");
    fs::remove_dir_all(log.path.parent().unwrap()).unwrap();
    log.append(b"five\n").unwrap();
    assert_eq!(text(&log), "five\n");
}

#[test]
fn a_torn_line_goes_a_whole_one_gets_its_end_and_foreign_text_stays() {
    let whole = serde_json::to_string(&record(1)).unwrap();
    let torn = &whole[..whole.len() / 2];
    let long = format!("{{\"id\":1,\"{}", "x".repeat(200_000));
    for (before, after) in [
        (format!("{whole}\n{torn}"), format!("{whole}\n")),
        (format!("{whole}\n{whole}"), format!("{whole}\n{whole}\n")),
        (torn.to_owned(), String::new()),
        (format!("{whole}\n{long}"), format!("{whole}\n")),
        (long, String::new()),
        ("127.0.0.1 localhost".into(), "127.0.0.1 localhost\n".into()),
        (format!("{whole}\n"), format!("{whole}\n")),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut log = log(&directory, 1_000_000, 2);
        fs::create_dir(log.path.parent().unwrap()).unwrap();
        fs::write(&log.path, &before).unwrap();
        log.append(b"new\n").unwrap();
        assert_eq!(text(&log), format!("{after}new\n"));
    }
}

#[test]
fn neither_links_nor_devices_are_written() {
    let directory = tempfile::tempdir().unwrap();
    let mut linked = log(&directory, 100, 2);
    fs::create_dir(linked.path.parent().unwrap()).unwrap();
    symlink("/etc/hostname", &linked.path).unwrap();
    let error = linked.append(b"x\n").unwrap_err();
    assert!(matches!(error, FileError::Open { .. }), "{error}");
    let mut null = LogFile::new(&AuditConfig {
        path: "/dev/null".into(),
        ..AuditConfig::default()
    });
    let error = null.append(b"x\n").unwrap_err();
    assert_eq!(error.to_string(), "/dev/null is not a regular file");
    let mut below_a_file = LogFile::new(&AuditConfig {
        path: "/etc/hostname/audit.jsonl".into(),
        ..AuditConfig::default()
    });
    let error = below_a_file.append(b"x\n").unwrap_err();
    assert!(matches!(error, FileError::Directory { .. }), "{error}");
}
