//! Entries, and files that do not grow without end.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::Value;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::super::request::Patience;
use super::*;

fn log(directory: &Path, max_bytes: u64, max_files: u32) -> Log {
    Log::open(&order(&directory.join("a.log"), max_bytes, max_files)).unwrap()
}

fn order(path: &Path, max_bytes: u64, max_files: u32) -> LogFile {
    LogFile {
        path: path.to_owned(),
        max_bytes,
        max_files,
        buffer_bytes: 1 << 20,
        patience: Patience::Briefly,
    }
}

fn entries(file: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(file).unwrap();
    let entry = |line| {
        let entry: Value = serde_json::from_str(line).unwrap();
        assert!(humantime::parse_rfc3339(entry["time"].as_str().unwrap()).is_ok());
        let text = |key: &str| entry[key].as_str().unwrap().to_owned();
        (text("stream"), text("log"))
    };
    text.lines().map(entry).collect()
}

#[test]
fn a_line_is_an_entry_however_it_comes() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = log(directory.path(), 0, 1);
    log.take(Stream::Output, b"on");
    log.take(Stream::Error, b"bad \"thing\"\n");
    log.take(Stream::Output, b"e\ntwo\nth");
    log.take(Stream::Output, b"\xff");
    log.finish();
    log.finish();
    let stdout = |text: &str| ("stdout".to_owned(), text.to_owned());
    assert_eq!(
        entries(&directory.path().join("a.log")),
        [
            ("stderr".to_owned(), "bad \"thing\"\n".to_owned()),
            stdout("one\n"),
            stdout("two\n"),
            stdout("th\u{fffd}")
        ]
    );
}

#[test]
fn long_lines_are_cut_between_characters() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = log(directory.path(), 0, 1);
    // Two bytes each, and one that puts them out of step.
    let text = format!("x{}\n", "é".repeat(LONGEST_ENTRY));
    log.take(Stream::Output, text.as_bytes());
    log.finish();
    let found = entries(&directory.path().join("a.log"));
    assert_eq!(found.len(), 3);
    assert!(found.iter().take(2).all(|(_, text)| !text.ends_with('\n')));
    let joined: String = found.into_iter().map(|(_, text)| text).collect();
    assert_eq!(joined, text);
}

#[test]
fn files_are_rotated_and_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = log(directory.path(), 1000, 3);
    for number in 0..100 {
        log.take(Stream::Output, format!("line {number}\n").as_bytes());
    }
    let file = |name: &str| directory.path().join(name);
    log.finish();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
    let mut all = Vec::new();
    for name in ["a.log.2", "a.log.1", "a.log"] {
        let text = fs::read_to_string(file(name)).unwrap();
        let last = text.lines().last().unwrap().len() + 1;
        assert!(text.len() - last < 1000, "{name} was full before its last");
        assert!(name == "a.log" || text.len() >= 1000, "{name}");
        all.extend(entries(&file(name)).into_iter().map(|(_, text)| text));
    }
    let expected: Vec<_> = (100 - all.len()..100)
        .map(|n| format!("line {n}\n"))
        .collect();
    assert_eq!(all, expected, "the last ones, in order");
}

#[test]
fn what_comes_at_once_is_rotated_as_what_comes_by_the_line() {
    let lines: Vec<_> = (0..500).map(|number| format!("{number:03}\n")).collect();
    let kept = |pieces: &[String]| {
        let directory = tempfile::tempdir().unwrap();
        let mut log = log(directory.path(), 1000, 2);
        for piece in pieces {
            log.take(Stream::Output, piece.as_bytes());
        }
        log.finish();
        ["a.log.1", "a.log"].map(|name| entries(&directory.path().join(name)).len())
    };
    let by_the_line = kept(&lines);
    assert!(by_the_line.iter().sum::<usize>() < 40, "{by_the_line:?}");
    assert_eq!(kept(&[lines.concat()]), by_the_line);
}

#[test]
fn one_file_starts_anew_and_goes_on_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.log");
    let mut first = log(directory.path(), 400, 1);
    for _ in 0..50 {
        first.take(Stream::Error, b"again\n");
    }
    first.finish();
    let length = fs::metadata(&path).unwrap().len();
    let entry = 90;
    assert!(length > 0 && length < 400 + entry, "{length}");
    let mut second = log(directory.path(), 0, 1);
    second.take(Stream::Error, b"more\n");
    second.finish();
    assert!(fs::metadata(&path).unwrap().len() > length);
}

#[test]
fn a_full_disk_is_counted() {
    let mut log = Log::open(&order("/dev/full".as_ref(), 0, 1)).unwrap();
    log.take(Stream::Output, b"a\nb\n");
    log.finish();
    assert_eq!(log.lost(), 2);
}

#[test]
fn what_is_written_and_what_is_not_yet_is_all_there_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.log");
    let mut log = log(directory.path(), 0, 1);
    let mut said = String::new();
    for number in 0..300 {
        let text = format!("line {number}\n");
        log.take(Stream::Output, text.as_bytes());
        said.push_str(&text);
        log.take(Stream::Error, b"-");
        let (end, output) = log.so_far();
        let length = usize::try_from(end.bytes).unwrap();
        let written = fs::read(&path).unwrap();
        let written = std::str::from_utf8(&written[..length]).unwrap().lines();
        let mut found: String = written
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .map(|entry| entry["log"].as_str().unwrap().to_owned())
            .collect();
        let mut open = Vec::new();
        for (stream, bytes) in output {
            match stream {
                Stream::Output => found.push_str(std::str::from_utf8(&bytes).unwrap()),
                Stream::Error => open.push(bytes),
            }
        }
        assert_eq!(found, said);
        assert_eq!(open, [vec![b'-'; number + 1]]);
    }
}

#[test]
fn the_end_is_that_of_the_file_that_is_written() {
    for files in [1, 3] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        let mut log = log(directory.path(), 300, files);
        let mut inodes = std::collections::BTreeSet::new();
        for _ in 0..20 {
            log.take(Stream::Output, b"line\n");
            log.finish();
            let file = fs::metadata(&path).unwrap();
            let end = LogEnd {
                inode: file.ino(),
                bytes: file.len(),
            };
            assert_eq!(log.so_far(), (end, Vec::new()));
            inodes.insert(end.inode);
        }
        assert!(inodes.len() > 1, "it was not started anew");
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_or_made_up(
        pieces in proptest::collection::vec(proptest::string::string_regex("[a-z\n]{0,20}").unwrap(), 0..20)
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut log = log(directory.path(), 0, 1);
        for piece in &pieces {
            log.take(Stream::Output, piece.as_bytes());
        }
        log.finish();
        let found: String =
            entries(&directory.path().join("a.log")).into_iter().map(|(_, text)| text).collect();
        prop_assert_eq!(found, pieces.concat());
    }
}
