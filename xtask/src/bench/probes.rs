//! What one run of each probe costs, by the kernel's own clock, under a load that fires its hook.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::agent::{Agent, Variant, label, sample};
use super::cgroups::Cgroups;
use super::load::{self, Kind};
use super::report::{Report, Table};
use super::summary::{median, percentile};
use super::{Plan, interrupt};
use crate::workspace;

/// Readings are taken once a second; a scrape shows the last.
const TICK: Duration = Duration::from_millis(1_100);
/// Fewest runs in a window that make a mean.
const RUNS: f64 = 5.0;

/// Nanoseconds a run, one number a window.
type Windows = BTreeMap<String, Vec<f64>>;

pub(crate) fn measure(plan: &Plan, report: &mut Report, cgroups: &Cgroups) -> Result<()> {
    let agent = Agent::start(Variant::Default)?;
    let mut windows = Windows::new();
    for round in 0..plan.rounds {
        println!("bench: probes, window {} of {}", round + 1, plan.rounds);
        interrupt::sleep(TICK)?;
        let before = agent.scrape()?.body;
        all_loads(plan, cgroups)?;
        interrupt::sleep(TICK)?;
        let after = agent.scrape()?.body;
        add_window(&mut windows, &before, &after);
    }
    let last = agent.scrape()?.body;

    report.heading("Probes: nanoseconds a run");
    report.line(&format!(
        "The kernel's run-time statistics; each window is all loads of {} ms one after the other, {} windows. \
         A probe without numbers did not run.",
        plan.load.as_millis(),
        plan.rounds
    ));
    report.line("");
    let mut table = Table::new(&["probe", "median", "least", "most", "runs so far", "state"]);
    let state = |line: &&str| line.starts_with("plimsoll_probe_state{") && line.ends_with(" 1");
    for line in last.lines().filter(state) {
        let probe = label(line, "probe").context("a probe without a name")?;
        let runs = sample(&last, "plimsoll_probe_runs_total", &with(probe)).unwrap_or(0.0);
        let values = windows.get(probe).map_or(&[][..], Vec::as_slice);
        let number = |value: Option<f64>| value.map_or("–".to_owned(), |ns| format!("{ns:.0}"));
        table.row(vec![
            probe.to_owned(),
            number(median(values)),
            number(percentile(values, 0.0)),
            number(percentile(values, 100.0)),
            format!("{runs:.0}"),
            label(line, "state").unwrap_or_default().to_owned(),
        ]);
    }
    report.table(&table);
    Ok(())
}

fn all_loads(plan: &Plan, cgroups: &Cgroups) -> Result<()> {
    let folder = workspace::root().join("target");
    for kind in [
        Kind::Switches,
        Kind::SmallPackets,
        Kind::LargePackets,
        Kind::Processes,
        Kind::Namespaces,
    ] {
        load::measure(kind, plan.load, Path::new("."))?;
    }
    load::measure(Kind::Reads, plan.load, &folder)?;
    if let Some(v2) = cgroups.v2() {
        load::measure(Kind::Cgroups, plan.load, v2)?;
    }
    if let Some(freezer) = cgroups.v1("freezer") {
        // As few as a load can: for each the agent looks at all hierarchies anew.
        load::measure(Kind::Renames, Duration::ZERO, freezer)?;
    }
    cgroups.with_little_memory(|place| load::oom(place, RUNS as usize))
}

fn add_window(windows: &mut Windows, before: &str, after: &str) {
    let runs = |line: &&str| line.starts_with("plimsoll_probe_runs_total{");
    for probe in after
        .lines()
        .filter(runs)
        .filter_map(|line| label(line, "probe"))
    {
        let delta = |name| {
            let value = |text| sample(text, name, &with(probe)).unwrap_or(0.0);
            value(after) - value(before)
        };
        let runs = delta("plimsoll_probe_runs_total");
        if runs >= RUNS {
            let ns = delta("plimsoll_probe_run_seconds_total") * 1e9 / runs;
            windows.entry(probe.to_owned()).or_default().push(ns);
        }
    }
}

fn with(probe: &str) -> String {
    format!("probe=\"{probe}\"")
}
