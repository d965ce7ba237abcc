//! The files under test, and the metric names in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// What a metric of the agent begins with. Recorded series have a colon before that.
const PREFIXES: [&str; 4] = ["container_", "machine_", "plimsoll_", "process_"];

/// Rule files, as `prometheus.yml` names them.
pub(crate) const RULES: [&str; 2] = ["recording-rules.yml", "alert-rules.yml"];

/// `dashboards/` of the repository.
pub(crate) fn dashboards() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../dashboards")
}

/// Text of a file below `dashboards/`.
pub(crate) fn read(path: &str) -> String {
    let path = dashboards().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names of the agent's metrics that occur anywhere in `text`.
pub(crate) fn metric_names(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)))
        .collect()
}

/// Names of the series that the recording rules make.
pub(crate) fn recorded_names() -> Vec<String> {
    let rules = read("prometheus/recording-rules.yml");
    let names = rules.lines().filter_map(|line| {
        let (_, name) = line.split_once("- record: ")?;
        Some(name.trim().to_owned())
    });
    names.collect()
}

/// Names of samples in a text exposition.
pub(crate) fn exposed_names(exposition: &str) -> BTreeSet<&str> {
    exposition
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect()
}

#[test]
fn finds_the_names_in_a_query() {
    let query = "sum(rate(container_cpu_usage_seconds_total{id=\"/\"}[5m])) / machine_cpu_cores";
    let found: Vec<_> = metric_names(query).into_iter().collect();
    assert_eq!(
        found,
        ["container_cpu_usage_seconds_total", "machine_cpu_cores"]
    );
    assert!(metric_names("workload:container_fs_reads_bytes:rate5m").is_empty());
    assert!(recorded_names().len() >= 10);
}
