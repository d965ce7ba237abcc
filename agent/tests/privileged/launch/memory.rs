//! What a shim keeps of the host's memory while it waits; the kernel says.

use std::fs;

use plimsoll::launch::shim::{LogFile, Patience, Stdio};

use super::bundle::Dock;
use super::cgroups::kill;
use crate::support::poll;

/// Of an optimized executable. What waiting takes of one that is not is spread over twice as many pages; with all
/// that making a workload took, such a shim has 50 MiB.
const MOST_KIB: u64 = if cfg!(debug_assertions) {
    12 << 10
} else {
    6 << 10
};
const LINES: usize = 2_000;

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

fn becomes_small(what: &str, pid: u32) {
    poll(
        &format!("{what} to have {MOST_KIB} KiB at the most"),
        || (resident_kib(pid) <= MOST_KIB).then_some(()),
    );
}

#[test]
fn shims_that_wait_are_small_whatever_went_through_them() {
    let Some(dock) = Dock::new("shims_that_wait_are_small_whatever_went_through_them") else {
        return;
    };
    let log = dock.file("log");
    let stdio = |log| Stdio::Pipes { input: false, log };
    let file = LogFile {
        path: log.clone(),
        max_bytes: 0,
        max_files: 1,
        buffer_bytes: 1 << 20,
        patience: Patience::Ever,
    };
    let line = format!("seq {LINES}; sleep 3; seq {LINES}; sleep 1000");
    let mut held = dock.run("a", &line, stdio(Some(file)));
    becomes_small("a shim whose workload runs", held.pid());
    poll("the whole log", || {
        let text = fs::read_to_string(&log).unwrap_or_default();
        (text.lines().count() == 2 * LINES).then_some(())
    });
    becomes_small("a shim that has written a log", held.pid());

    let request = dock.join_request("a", "b", "sleep 1000", Stdio::Null);
    let mut joined = dock.spare().join(request, None).unwrap();
    becomes_small("the shim of a process that joined", joined.pid());
    becomes_small("a shim whose workload was joined", held.pid());

    kill(held.made.process.pid);
    assert_eq!(held.wait().unwrap().code, 137);
    assert_eq!(joined.wait().unwrap().code, 137);
    held.reap().unwrap();
    joined.reap().unwrap();
}
