//! A log that hangs, and one whose disk is full: who waits, and what is told of what is lost.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount, umount};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use plimsoll::launch::Exit;
use plimsoll::launch::shim::{LogFile, Patience, Stdio};
use serde_json::Value;

use super::bundle::Dock;
use crate::support::poll;

/// 3,000,000 bytes in lines of a hundred.
const MUCH: &str = "yes $(head -c 99 /dev/zero | tr '\\0' x) | head -c 3000000";
const LINES: u64 = 30_000;

fn logging(path: &Path, patience: Patience) -> Stdio {
    Stdio::Pipes {
        input: false,
        log: Some(LogFile {
            path: path.to_owned(),
            max_bytes: 0,
            max_files: 1,
            buffer_bytes: 200_000,
            patience,
        }),
    }
}

/// A pipe takes 64 KiB and hangs then, as a disk may.
fn hanging(dock: &Dock) -> (std::path::PathBuf, File) {
    let path = dock.file("pipe");
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    let mut options = File::options();
    let reader = options.read(true).custom_flags(nix::libc::O_NONBLOCK);
    let reader = reader.open(&path).unwrap();
    (path, reader)
}

/// How many entries there are of the workload's, and how many are said to be missing.
fn entries(text: &str) -> (u64, u64) {
    let (mut found, mut missing) = (0, 0);
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let text = entry["log"].as_str().unwrap();
        match text.strip_prefix("plimsoll: ") {
            None => found += 1,
            Some(notice) => {
                assert!(
                    notice.contains("lines of output are missing here"),
                    "{notice}"
                );
                assert_eq!(entry["stream"], "stderr");
                missing += notice.split(' ').next().unwrap().parse::<u64>().unwrap();
            }
        }
    }
    (found, missing)
}

/// Reads what was written until the shim is gone.
fn read_on(mut reader: File, until: impl Fn() -> bool) -> String {
    let mut text = Vec::new();
    let mut chunk = [0; 65_536];
    loop {
        match reader.read(&mut chunk) {
            Ok(0) if until() => return String::from_utf8(text).unwrap(),
            Ok(length) => text.extend(&chunk[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_log_that_hangs_holds_up_nobody_and_says_what_is_missing() {
    let Some(dock) = Dock::new("a_log_that_hangs_holds_up_nobody_and_says_what_is_missing") else {
        return;
    };
    for patience in [Patience::Briefly, Patience::None] {
        let name = format!("{patience:?}").to_lowercase();
        let (path, reader) = hanging(&dock);
        // It has ended its work, and its log has not moved.
        let line = format!("{MUCH}; echo done >/done; read x </go");
        let root = dock.directory.path().join("rootfs");
        mkfifo(&root.join("go"), Mode::S_IRWXU).unwrap();
        let begin = Instant::now();
        let mut held = dock.run(&name, &line, logging(&path, patience));
        poll("the end of its output", || {
            root.join("done").exists().then_some(())
        });
        eprintln!("{patience:?}: {:?}", begin.elapsed());
        // Now the log catches up.
        let reading = std::thread::spawn({
            let state = dock.state(&name).join("exit.json");
            move || read_on(reader, || state.exists())
        });
        fs::write(root.join("go"), "x\n").unwrap();
        let exit = held.wait().unwrap();
        held.reap().unwrap();
        let (found, missing) = entries(&reading.join().unwrap());
        assert!(found > 0 && missing > 0, "{found} {missing}");
        assert_eq!(
            found + missing,
            LINES,
            "all are there or said to be missing"
        );
        assert_eq!(exit.log_lines_lost, missing);
        for file in ["done", "go"] {
            fs::remove_file(root.join(file)).unwrap();
        }
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_workload_that_asked_for_it_waits_for_its_log() {
    let Some(dock) = Dock::new("a_workload_that_asked_for_it_waits_for_its_log") else {
        return;
    };
    let (path, reader) = hanging(&dock);
    let mut held = dock.run("a", MUCH, logging(&path, Patience::Ever));
    std::thread::sleep(Duration::from_secs(1));
    assert!(held.made.process.is_alive(), "it waits");
    let state = dock.state("a").join("exit.json");
    let reading = std::thread::spawn(move || read_on(reader, || state.exists()));
    let exit = held.wait().unwrap();
    held.reap().unwrap();
    assert_eq!((exit.code, exit.log_lines_lost), (0, 0));
    assert_eq!(entries(&reading.join().unwrap()), (LINES, 0));
}

/// A disk with something on it that leaves 24 KiB. A pipe holds 64 KiB: who has written more lines than fit into both
/// has filled it. Without that something it holds all of them.
struct Small<'a>(&'a Path);

impl Drop for Small<'_> {
    fn drop(&mut self) {
        umount(self.0).unwrap();
    }
}

#[test]
fn a_full_disk_loses_lines_and_the_log_says_so_when_there_is_room_again() {
    let Some(dock) =
        Dock::new("a_full_disk_loses_lines_and_the_log_says_so_when_there_is_room_again")
    else {
        return;
    };
    let directory = dock.file("small");
    fs::create_dir(&directory).unwrap();
    mount(
        Some("small"),
        &directory,
        Some("tmpfs"),
        MsFlags::empty(),
        Some("size=2m"),
    )
    .unwrap();
    let small = Small(&directory);
    fs::write(directory.join("other"), vec![0; 2_024 << 10]).unwrap();
    let log = directory.join("log");
    let root = dock.directory.path().join("rootfs");
    mkfifo(&root.join("go"), Mode::S_IRWXU).unwrap();
    let line = "i=0; while [ $i -lt 10000 ]; do echo line $i; i=$((i+1)); done; \
                echo done >/done; read x </go; echo last";
    let mut held = dock.run("a", line, logging(&log, Patience::Briefly));
    poll("the end of its output", || {
        root.join("done").exists().then_some(())
    });
    fs::remove_file(directory.join("other")).unwrap();
    fs::write(root.join("go"), "x\n").unwrap();
    let exit: Exit = held.wait().unwrap();
    held.reap().unwrap();
    let text = fs::read_to_string(&log).unwrap();
    let (found, missing) = entries(&text);
    assert!(missing > 0);
    assert_eq!((exit.code, found + missing), (0, 10_001));
    assert_eq!(exit.log_lines_lost, missing);
    assert!(text.lines().last().unwrap().contains("last"));
    drop(small);
}
