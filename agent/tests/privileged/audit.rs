//! The audit on a disk that is full. The oracle is the file.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use plimsoll::config::AuditConfig;
use plimsoll::enforce::audit::{Audit, Query};
use plimsoll::enforce::{Outcome, Record};
use plimsoll::policy::{Claimant, Evidence, Mode, Once, Step};

use crate::support::skip;

const SOON: Duration = Duration::from_secs(20);

/// A file system of 256 KiB, unmounted on drop.
struct Small(tempfile::TempDir);

impl Small {
    fn make(test: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let none: Option<&Path> = None;
        let options = Some("size=256k");
        match mount(
            none,
            directory.path(),
            Some("tmpfs"),
            MsFlags::empty(),
            options,
        ) {
            Ok(()) => Some(Self(directory)),
            Err(errno) => {
                skip(test, &format!("no tmpfs can be mounted: {errno}"));
                None
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        umount2(self.0.path(), MntFlags::MNT_DETACH).unwrap();
    }
}

fn record(id: u64) -> Arc<Record> {
    Arc::new(Record {
        id,
        time: SystemTime::now(),
        claimant: Claimant::Operator,
        workload: "/x".into(),
        name: "x".into(),
        mode: Mode::Enforce,
        step: Step::Once(Once::Restart),
        outcome: Outcome::Done,
        before: None,
        // No whole number of them fills a page.
        after: Some("y".repeat(1_500)),
        caveats: Vec::new(),
        evidence: Evidence {
            condition: "a test".into(),
            observed: String::new(),
            at: SystemTime::now(),
            read: Instant::now(),
            held: Duration::ZERO,
        },
        took: Duration::ZERO,
    })
}

#[test]
fn a_full_disk_is_told_and_leaves_whole_lines() {
    let test = "a_full_disk_is_told_and_leaves_whole_lines";
    if !nix::unistd::geteuid().is_root() {
        return skip(test, "not root");
    }
    let Some(disk) = Small::make(test) else {
        return;
    };
    let filler = disk.path("filler");
    fs::write(&filler, vec![0; 128 << 10]).unwrap();
    let path = disk.path("audit.jsonl");
    let audit = Audit::start(&AuditConfig {
        path: path.clone(),
        ..AuditConfig::default()
    })
    .unwrap();
    for id in 1..=200 {
        audit.push(record(id));
    }
    assert!(audit.flush(SOON));
    // The last ones may just have found room.
    let mut last = 200;
    while audit.status().error.is_none() {
        last += 1;
        audit.push(record(last));
        assert!(audit.flush(SOON));
    }
    let status = audit.status();
    let error = status.error.unwrap();
    assert!(error.starts_with("cannot write /"), "{error}");
    assert!(error.contains("No space left on device"), "{error}");
    assert!(status.written > 0, "nothing found room");
    assert_eq!(status.written + status.lost, last);
    let ids = || {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect::<Vec<serde_json::Value>>()
    };
    // Every line is whole; one of them may say what was lost before the last that found room.
    let records =
        |lines: &[serde_json::Value]| lines.iter().filter(|line| line["id"].is_u64()).count();
    assert_eq!(records(&ids()) as u64, status.written);

    fs::remove_file(filler).unwrap();
    audit.push(record(last + 1));
    assert!(audit.flush(SOON));
    let now = audit.status();
    assert_eq!((now.error, now.written), (None, status.written + 1));
    let lines = ids();
    let said: u64 = lines.iter().filter_map(|line| line["lost"].as_u64()).sum();
    assert_eq!(said, status.lost);
    assert_eq!(lines.last().unwrap()["id"], last + 1);
    // Those that the disk does not have are still in memory.
    let known = audit.query(&Query::last(1_000)).records.len();
    assert_eq!(known as u64, last + 1);
}
