//! Files under `dashboards/` that others read: Grafana's JSON and Prometheus' rules.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{command, host, workspace};

pub(super) fn check(root: &Path) -> Result<()> {
    let folder = root.join("dashboards");
    let dashboards = workspace::files_below(&folder, "json")?;
    let mut broken = Vec::new();
    for dashboard in &dashboards {
        let text = fs::read_to_string(dashboard)
            .with_context(|| format!("cannot read {}", dashboard.display()))?;
        if let Err(error) = serde_json::from_str::<serde_json::Value>(&text) {
            broken.push(format!("{}: {error}", dashboard.display()));
        }
    }
    if !broken.is_empty() {
        bail!("not JSON:\n  {}", broken.join("\n  "));
    }
    println!("  {} dashboards parse", dashboards.len());
    check_rules(root, &folder)
}

/// Rule files are those that begin with the list of groups; tests of rules and Grafana's
/// provisioning are YAML too.
fn check_rules(root: &Path, folder: &Path) -> Result<()> {
    let mut rules = Vec::new();
    for extension in ["yml", "yaml"] {
        for file in workspace::files_below(folder, extension)? {
            let text = fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            if is_rule_file(&text) {
                rules.push(file);
            }
        }
    }
    if rules.is_empty() {
        return Ok(());
    }
    let promtool = host::program("promtool")
        .context("promtool is not installed; `cargo xtask setup --check` installs it")?;
    command::run(
        Command::new(promtool)
            .current_dir(root)
            .args(["check", "rules"])
            .args(rules),
    )
}

fn is_rule_file(text: &str) -> bool {
    let mut keys = text
        .lines()
        .filter(|line| !line.starts_with([' ', '#', '-']) && !line.trim().is_empty());
    keys.next().is_some_and(|key| key.starts_with("groups:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_files_are_told_from_other_yaml() {
        assert!(is_rule_file("# Alerts.\n\ngroups:\n  - name: plimsoll\n"));
        assert!(!is_rule_file("rule_files:\n  - alerts.yml\ntests:\n"));
        assert!(!is_rule_file("apiVersion: 1\nproviders:\n"));
    }
}
