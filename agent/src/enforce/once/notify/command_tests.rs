#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::time::Instant;

use super::*;
use crate::enforce::once::notify::notification::tests::notification;

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);

async fn shell(script: &str, limit: Duration) -> Result<String, String> {
    let line = ["sh", "-c", script].map(str::to_owned);
    run(&line, &notification(), b"{\"id\":42}", limit).await
}

/// Polls until a file has text, and returns it.
async fn text(path: &Path) -> String {
    let deadline = Instant::now() + LONG;
    loop {
        match fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
            _ => assert!(Instant::now() < deadline, "no {}", path.display()),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Is it there, and not merely not waited for yet?
fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest.as_bytes()[0]);
    state.is_some_and(|state| state != b'Z')
}

#[tokio::test]
async fn it_gets_the_evidence_and_nothing_else_of_ours() {
    // Set by the test harness, so it is there to be kept back.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let output = shell("cat; echo; env; pwd; echo bad >&2", LONG)
        .await
        .unwrap();
    let output = output.strip_prefix("command sh ended: ").unwrap();
    let mut lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines.remove(0), "{\"id\":42}");
    assert_eq!(lines.pop(), Some("bad"));
    assert_eq!(lines.pop(), Some("/"));
    lines.sort_unstable();
    // The shell sets PWD.
    lines.retain(|line| !line.starts_with("PWD="));
    assert_eq!(
        lines,
        [
            &*format!("PATH={PATH}"),
            "PLIMSOLL_ACTION=42",
            "PLIMSOLL_NAME=web",
            "PLIMSOLL_POLICY=batch",
            "PLIMSOLL_RULE=thrash",
            "PLIMSOLL_WORKLOAD=/docker/4f",
        ]
    );
}

#[tokio::test]
async fn only_the_end_of_the_output_is_kept() {
    let output = shell("seq 1 100000; echo the end", LONG).await.unwrap();
    assert!(output.ends_with("\n100000\nthe end"), "{output}");
    assert!(output.len() <= OUTPUT + 20, "{}", output.len());
}

#[tokio::test]
async fn failures_are_told_with_what_was_said() {
    assert_eq!(
        shell("echo why; exit 3", LONG).await.unwrap_err(),
        "command sh: exit status: 3: why"
    );
    let killed = shell("kill -SEGV $$", LONG).await.unwrap_err();
    assert!(killed.contains("signal: 11 (SIGSEGV)"), "{killed}");
    let missing = ["/no/such/program".to_owned()];
    let missing = run(&missing, &notification(), b"", LONG).await.unwrap_err();
    assert!(missing.contains("No such file or directory"), "{missing}");
    assert!(run(&[], &notification(), b"", LONG).await.is_err());
    // It need not read what it is given, however much that is.
    let unread = ["true".to_owned()];
    let much = vec![b'x'; 1 << 20];
    let answer = run(&unread, &notification(), &much, LONG).await;
    assert_eq!(answer.unwrap(), "command true ended");
}

#[tokio::test]
async fn at_its_time_all_of_its_group_are_killed() {
    let directory = tempfile::tempdir().unwrap();
    let pids = directory.path().join("pids");
    let script = format!(
        "trap '' TERM; sleep 600 & echo before; echo $$ $! > {}; wait",
        pids.display()
    );
    let start = Instant::now();
    let answer = shell(&script, SHORT).await.unwrap_err();
    assert_eq!(answer, "command sh: not ended within 300ms, killed: before");
    assert!(start.elapsed() < SHORT * 5, "{:?}", start.elapsed());
    let pids = text(&pids).await;
    let deadline = Instant::now() + LONG;
    for pid in pids.split(' ') {
        while runs(pid) {
            assert!(Instant::now() < deadline, "{pid} lives on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn what_it_leaves_in_its_group_ends_with_it_and_the_pipe_is_no_trap() {
    let directory = tempfile::tempdir().unwrap();
    let (inside, outside) = (directory.path().join("in"), directory.path().join("out"));
    // The second leaves the session and keeps the pipe.
    let script = format!(
        "sleep 600 & echo $! > {}; setsid sh -c 'echo $$ > {}; exec sleep 5' & \
         while ! [ -s {} ]; do sleep 0.01; done",
        inside.display(),
        outside.display(),
        outside.display()
    );
    let start = Instant::now();
    assert_eq!(shell(&script, LONG).await.unwrap(), "command sh ended");
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    let (inside, outside) = (text(&inside).await, text(&outside).await);
    let deadline = Instant::now() + LONG;
    while runs(&inside) {
        assert!(Instant::now() < deadline, "{inside} lives on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(runs(&outside), "it left on purpose");
    let outside = Pid::from_raw(outside.parse().unwrap());
    nix::sys::signal::kill(outside, Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn dropped_half_way_it_is_ended() {
    let directory = tempfile::tempdir().unwrap();
    let pid = directory.path().join("pid");
    let script = format!("echo $$ > {}; sleep 600; true", pid.display());
    let running = tokio::spawn(async move { shell(&script, LONG).await });
    let pid = text(&pid).await;
    assert!(runs(&pid));
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    let deadline = Instant::now() + LONG;
    while runs(&pid) {
        assert!(Instant::now() < deadline, "{pid} lives on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
