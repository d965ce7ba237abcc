#![allow(clippy::unwrap_used)]

use std::env;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use tempfile::TempDir;

use super::*;
use crate::enforce::Outcome;
use crate::enforce::audit::tests::{noon, record};
use crate::policy::Claimant;

const SOON: Duration = Duration::from_secs(20);

fn config(directory: &TempDir) -> AuditConfig {
    AuditConfig {
        path: directory.path().join("audit.jsonl"),
        ..AuditConfig::default()
    }
}

fn ids(answer: &Answer) -> Vec<u64> {
    answer.records.iter().map(|record| record.id).collect()
}

/// Every line of all files, the oldest first.
fn lines(config: &AuditConfig) -> Vec<String> {
    let numbers = (1..config.files).rev().map(|number| format!(".{number}"));
    let mut all = Vec::new();
    for suffix in numbers.chain([String::new()]) {
        let path = format!("{}{suffix}", config.path.display());
        let text = fs::read_to_string(path).unwrap_or_default();
        all.extend(text.lines().map(str::to_owned));
    }
    all
}

#[test]
fn concurrent_records_survive_rotation_in_order_and_whole() {
    let directory = tempfile::tempdir().unwrap();
    let config = AuditConfig {
        max_bytes: 65_536,
        files: 100,
        ..config(&directory)
    };
    let audit = Audit::start(&config).unwrap();
    const THREADS: u64 = 4;
    const EACH: u64 = 1_000;
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let audit = audit.clone();
            scope.spawn(move || {
                for number in 0..EACH {
                    audit.push(Arc::new(record(thread * EACH + number)));
                    // The test is about losing what was taken, not about turning away.
                    if number % 500 == 499 {
                        assert!(audit.flush(SOON));
                    }
                }
            });
        }
    });
    assert!(audit.flush(SOON));
    assert!(
        config.path.with_extension("jsonl.1").exists(),
        "no rotation"
    );
    let lines = lines(&config);
    assert_eq!(lines.len() as u64, THREADS * EACH);
    let mut seen: Vec<u64> = Vec::new();
    for line in &lines {
        seen.push(serde_json::from_str::<Record>(line).unwrap().id);
    }
    for thread in 0..THREADS {
        let of: Vec<u64> = seen
            .iter()
            .copied()
            .filter(|id| id / EACH == thread)
            .collect();
        assert!(of.is_sorted(), "thread {thread}");
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..THREADS * EACH).collect::<Vec<_>>());
    let status = audit.status();
    assert_eq!((status.written, status.lost), (THREADS * EACH, 0));
    for (number, file) in fs::read_dir(directory.path()).unwrap().enumerate() {
        let length = file.unwrap().metadata().unwrap().len();
        assert!(length <= config.max_bytes, "{number}: {length}");
    }
}

#[test]
fn what_cannot_be_written_is_counted_told_and_said_later() {
    let directory = tempfile::tempdir().unwrap();
    let config = AuditConfig {
        path: directory.path().join("not-yet/audit.jsonl"),
        ..AuditConfig::default()
    };
    // In the place of the directory.
    let obstacle = directory.path().join("not-yet");
    fs::write(&obstacle, "").unwrap();
    let audit = Audit::start(&config).unwrap();
    audit.push(Arc::new(record(1)));
    audit.push(Arc::new(record(2)));
    assert!(audit.flush(SOON));
    let status = audit.status();
    assert_eq!((status.written, status.lost), (0, 2));
    assert!(status.failures >= 2, "at the start, and with the records");
    let error = status.error.unwrap();
    assert!(error.starts_with("cannot make the directory"), "{error}");
    // Memory still knows them.
    assert_eq!(ids(&audit.query(&Query::last(10))), [1, 2]);

    fs::remove_file(&obstacle).unwrap();
    audit.push(Arc::new(record(3)));
    assert!(audit.flush(SOON));
    let status = audit.status();
    assert_eq!((status.written, status.lost), (1, 2));
    assert_eq!(status.error, None);
    let lines = lines(&config);
    let lost: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(lost["lost"], 2);
    assert!(lost["reason"].as_str().unwrap().contains("directory"));
    assert_eq!(lines.len(), 2);

    let after_restart = Audit::start(&config).unwrap();
    let answer = after_restart.query(&Query::last(10));
    assert_eq!((ids(&answer), answer.lost), (vec![3], 2));
}

#[test]
fn a_slow_disk_turns_away_and_never_blocks() {
    let directory = tempfile::tempdir().unwrap();
    // The writer hangs: nobody takes from the queue.
    let (inbox, queue) = mpsc::sync_channel(2);
    let counts = Arc::new(Counts::default());
    let config = config(&directory);
    let audit = Audit {
        shared: Arc::new(Shared {
            recent: Recent::default(),
            counts: Arc::clone(&counts),
            inbox: Some(inbox),
            files: Some(Files::of(&config)),
        }),
    };
    let start = Instant::now();
    for id in 1..=5 {
        audit.push(Arc::new(record(id)));
    }
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(audit.status().lost, 3);
    assert!(!audit.flush(Duration::from_millis(1)));

    // Now it comes to it.
    let writer = Writer::new(queue, LogFile::new(&config), counts);
    let thread = thread::spawn(move || writer.run());
    while !audit.flush(SOON) {}
    let lines = lines(&config);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("{\"lost\":3,"), "{lines:?}");
    assert_eq!(audit.status().written, 2);
    drop(audit);
    thread.join().unwrap();
}

#[test]
fn queries_find_by_workload_policy_outcome_and_time() {
    let directory = tempfile::tempdir().unwrap();
    let audit = Audit::start(&config(&directory)).unwrap();
    for id in 1..=6 {
        let mut one = record(id);
        match id {
            2 => one.name = "db".into(),
            3 => one.workload = "/docker/5e".into(),
            4 => one.outcome = Outcome::Refused("no".into()),
            5 => one.claimant = Claimant::Operator,
            _ => {}
        }
        audit.push(Arc::new(one));
    }
    let found = |change: &dyn Fn(&mut Query)| {
        let mut query = Query::last(100);
        change(&mut query);
        ids(&audit.query(&query))
    };
    assert_eq!(found(&|_| {}), [1, 2, 3, 4, 5, 6]);
    assert_eq!(found(&|query| query.limit = 2), [5, 6]);
    assert_eq!(found(&|query| query.limit = 0), [0; 0]);
    let workload = |name: &str| found(&|query| query.workload = Some(name.into()));
    assert_eq!(workload("db"), [2]);
    assert_eq!(workload("web"), [1, 3, 4, 5, 6]);
    assert_eq!(workload("/docker/4f"), [1, 2, 4, 5, 6]);
    let policy = |name: &str| found(&|query| query.policy = Some(name.into()));
    assert_eq!(policy("batch"), [1, 2, 3, 4, 6]);
    assert_eq!(policy("batch/thrash"), [1, 2, 3, 4, 6]);
    assert_eq!(policy("batch/other"), [0; 0]);
    assert_eq!(policy("operator"), [5]);
    let outcome = |name: &str| found(&|query| query.outcome = Some(name.into()));
    assert_eq!(outcome("refused"), [4]);
    assert_eq!(outcome("dry_run"), [0; 0]);
    let since = noon() + Duration::from_secs(5);
    assert_eq!(found(&|query| query.since = Some(since)), [5, 6]);
}

#[test]
fn files_are_searched_behind_memory_once_and_across_rotation() {
    let directory = tempfile::tempdir().unwrap();
    let config = AuditConfig {
        max_bytes: 65_536,
        ..config(&directory)
    };
    let before = Audit::start(&config).unwrap();
    for id in 1..=200 {
        before.push(Arc::new(record(id)));
    }
    assert!(before.flush(SOON));
    drop(before);
    assert!(
        config.path.with_extension("jsonl.1").exists(),
        "no rotation"
    );

    let audit = Audit::start(&config).unwrap();
    assert_eq!(audit.last_id(), 200);
    // The end of a long action has the number of its beginning.
    let mut end = record(200);
    end.time += Duration::from_secs(60);
    audit.push(Arc::new(end));
    audit.push(Arc::new(record(201)));
    assert!(audit.flush(SOON));
    assert_eq!(ids(&audit.query(&Query::last(1))), [201]);
    assert_eq!(ids(&audit.query(&Query::last(4))), [199, 200, 200, 201]);
    assert_eq!(ids(&audit.query(&Query::last(1_000))).len(), 202);
    damage(&config.path);
    let answer = audit.query(&Query::last(1_000));
    assert_eq!((answer.records.len(), answer.damaged), (202, 1));
    // A line that is being written is not damaged.
    let mut file = fs::File::options().append(true).open(&config.path).unwrap();
    file.write_all(b"{\"id\":2").unwrap();
    assert_eq!(audit.query(&Query::last(1_000)).damaged, 1);
    // Files that ended before are not even read.
    let mut late = Query::last(1_000);
    late.since = Some(std::time::SystemTime::now() + Duration::from_secs(3_600));
    assert_eq!(audit.query(&late).damaged, 0);
}

fn damage(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    fs::write(path, format!("nonsense\n{text}")).unwrap();
}

#[test]
fn without_a_path_only_memory_knows() {
    let config = AuditConfig {
        path: Path::new("").into(),
        ..AuditConfig::default()
    };
    let audit = Audit::start(&config).unwrap();
    audit.push(Arc::new(record(1)));
    assert!(audit.flush(Duration::ZERO));
    assert_eq!(ids(&audit.query(&Query::last(10))), [1]);
    assert_eq!(audit.status(), Status::default());
    assert_eq!(audit.last_id(), 0);
}

/// Says to this test, run once more, that it is the writer, and where.
const VICTIM: &str = "PLIMSOLL_TEST_AUDIT_VICTIM";
/// Its name among all tests.
const NAME: &str = "enforce::audit::log::tests::a_killed_writer_leaves_whole_lines_once_mended";

#[test]
fn a_killed_writer_leaves_whole_lines_once_mended() {
    if let Some(path) = env::var_os(VICTIM) {
        write_for_ever(path.as_ref());
    }
    let directory = tempfile::tempdir().unwrap();
    let config = AuditConfig {
        max_bytes: 262_144,
        ..config(&directory)
    };
    let (mut torn, mut written) = (0, 0);
    for round in 0..30 {
        let mut victim = Command::new(env::current_exe().unwrap())
            .args(["--exact", NAME])
            .env(VICTIM, &config.path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + SOON;
        let length = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
        let begun = length(&config.path);
        while length(&config.path) == begun {
            assert!(Instant::now() < deadline, "nothing is written");
            thread::sleep(Duration::from_millis(1));
        }
        // Somewhere in a write, a sync or a rotation.
        thread::sleep(Duration::from_micros(round * 733));
        victim.kill().unwrap();
        victim.wait().unwrap();

        let files = lines(&config);
        let damaged = |lines: &[String]| {
            let whole = |line: &String| serde_json::from_str::<Record>(line).is_ok();
            lines.iter().filter(|line| !whole(line)).count()
        };
        let left = damaged(&files);
        assert!(left <= 1, "round {round}: {left} torn lines");
        torn += left;
        // The next agent mends it, goes on with the numbers, and finds all that is there.
        let audit = Audit::start(&config).unwrap();
        let last = audit.last_id();
        assert!(last > 0 || files.len() == left, "round {round}");
        audit.push(Arc::new(record(last + 1)));
        assert!(audit.flush(SOON));
        let files = lines(&config);
        assert_eq!(damaged(&files), 0, "round {round}");
        let answer = audit.query(&Query::last(usize::MAX));
        assert_eq!(answer.records.len(), files.len(), "round {round}");
        written = last;
    }
    println!("30 kills: {torn} torn lines, {written} the last number");
}

/// Numbers go on where they ended, as an agent's do. Until it is killed.
fn write_for_ever(path: &Path) -> ! {
    let audit = Audit::start(&AuditConfig {
        path: path.into(),
        max_bytes: 262_144,
        ..AuditConfig::default()
    })
    .unwrap();
    let mut id = audit.last_id();
    loop {
        id += 1;
        let mut long = record(id);
        // Of more than one page.
        long.after = Some("x".repeat(5_000));
        audit.push(Arc::new(long));
        if id.is_multiple_of(16) {
            audit.flush(SOON);
        }
    }
}
