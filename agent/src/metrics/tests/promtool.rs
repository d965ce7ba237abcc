//! The text as Prometheus' own parsers read it.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::process::{Command, Output, Stdio};

use super::{plain, text};
use crate::config::MetricsConfig;
use crate::metrics::exposition::Format;
use crate::metrics::fixture;

/// What the linter dislikes about names that are cAdvisor's, not ours.
const FOREIGN_LINT: [&str; 5] = [
    r#"container_memory_failcnt counter metrics should have "_total" suffix"#,
    "container_cpu_load_d_average_10s metric names should not contain abbreviated units",
    r#"machine_dimm_count non-histogram and non-summary metrics should not have "_count" suffix"#,
    r#"machine_node_hugepages_count non-histogram and non-summary metrics should not have "_count" suffix"#,
    r#"machine_thread_siblings_count non-histogram and non-summary metrics should not have "_count" suffix"#,
];

/// Runs `promtool`; `None`, and a line in the list of skips, when it is not installed.
fn promtool(test: &str, arguments: &[&str], input: &str) -> Option<Output> {
    let started = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match started {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            skip(&format!("{test}: promtool is not installed"));
            return None;
        }
        started => started.unwrap(),
    };
    let mut stdin = child.stdin.take().unwrap();
    // A parser that gives up early closes its input; its exit code tells.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    Some(child.wait_with_output().unwrap())
}

/// Says that a test did not run, where the whole run's list of skips is kept.
fn skip(line: &str) {
    println!("SKIP {line}");
    if let Some(path) = std::env::var_os("PLIMSOLL_SKIPS") {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        writeln!(file, "{line}").unwrap();
    }
}

#[test]
fn promtool_accepts_the_text_format() {
    let text = plain(&fixture::snapshot(3));
    let Some(output) = promtool("metrics::promtool_text", &["check", "metrics"], &text) else {
        return;
    };
    let told = String::from_utf8(output.stderr).unwrap();
    let lint: Vec<&str> = told
        .lines()
        .filter(|line| !FOREIGN_LINT.contains(line))
        .collect();
    assert_eq!(lint, [""; 0]);
    // 3: it could parse everything, and disliked something.
    assert!(matches!(output.status.code(), Some(0 | 3)), "{told}");
}

/// `promtool check metrics` knows text 0.0.4 only; the command that imports a file into a database
/// has the OpenMetrics parser, and wants a time on every sample.
#[test]
fn promtool_accepts_open_metrics() {
    let metrics = MetricsConfig::default();
    let mut stamped = String::new();
    for line in text(&fixture::snapshot(3), Format::OpenMetrics, &metrics).lines() {
        stamped.push_str(line);
        if !line.starts_with('#') {
            stamped.push_str(" 1700000000.25");
        }
        stamped.push('\n');
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("metrics.txt");
    std::fs::write(&file, &stamped).unwrap();
    let blocks = directory.path().join("blocks");
    let arguments = [
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        file.to_str().unwrap(),
        blocks.to_str().unwrap(),
    ];
    let Some(output) = promtool("metrics::promtool_open_metrics", &arguments, "") else {
        return;
    };
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    // The parser must be one that refuses: the same text without its last line is no OpenMetrics.
    std::fs::write(&file, stamped.strip_suffix("# EOF\n").unwrap()).unwrap();
    let cut = promtool("metrics::promtool_open_metrics", &arguments, "").unwrap();
    assert!(!cut.status.success());
}
