//! What `promtool` says of the files.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::files::{RULES, dashboards};
use crate::skip::lacks;

fn promtool(arguments: &[&str], files: &[PathBuf]) {
    let output = Command::new("promtool")
        .args(arguments)
        .args(files)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "promtool {arguments:?} {files:?}\n{said}{complained}"
    );
}

#[test]
fn rules_and_configuration_are_valid() {
    if lacks("rules_and_configuration_are_valid", &["promtool"]) {
        return;
    }
    let dir = dashboards().join("prometheus");
    promtool(&["check", "rules"], &RULES.map(|rules| dir.join(rules)));
    promtool(&["check", "config"], &[dir.join("prometheus.yml")]);
}

#[test]
fn alerts_fire_when_they_should() {
    if lacks("alerts_fire_when_they_should", &["promtool"]) {
        return;
    }
    let entries = fs::read_dir(dashboards().join("prometheus/tests")).unwrap();
    let tests: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    promtool(&["test", "rules"], &tests);

    // Each alert is named in some test; that such a test can fail is promtool's affair.
    let tested: String = tests
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let alerts = fs::read_to_string(dashboards().join("prometheus/alert-rules.yml")).unwrap();
    for alert in alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
    {
        assert!(
            tested.contains(&format!("ALERTS{{alertname=\"{alert}\""))
                || tested.contains(&format!("alertname: {alert}\n")),
            "no test names {alert}"
        );
    }
}
