//! What the workloads pay: the same loads without an agent and with it, in turns.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::agent::{Agent, Variant};
use super::load::{self, Kind};
use super::report::{Report, Table};
use super::summary::median;
use super::{Plan, interrupt};
use crate::workspace;

const CASES: [(Kind, &str); 6] = [
    (Kind::Calls, "system call (getppid)"),
    (Kind::Switches, "context switch (pipe, one CPU)"),
    (Kind::SmallPackets, "datagram of 64 B over lo"),
    (Kind::LargePackets, "datagram of 32 KiB over lo"),
    (Kind::Processes, "fork, exec, exit, wait"),
    (Kind::Reads, "direct read of 4 KiB"),
];

const VARIANTS: [(Option<Variant>, &str); 4] = [
    (None, "no agent"),
    (Some(Variant::Default), "agent"),
    (Some(Variant::NoStatistics), "no statistics"),
    (Some(Variant::NoNamespace), "no namespace probes"),
];

pub(crate) fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let mut values = vec![vec![Vec::new(); CASES.len()]; VARIANTS.len()];
    for round in 0..plan.rounds {
        println!("bench: costs, round {} of {}", round + 1, plan.rounds);
        for ((variant, _), values) in VARIANTS.iter().zip(&mut values) {
            interrupt::check()?;
            let _agent = variant.map(Agent::start).transpose()?;
            for ((kind, _), values) in CASES.iter().zip(values) {
                values.push(load::measure(*kind, plan.load, &place(*kind))?);
            }
        }
    }

    report.heading("Costs: nanoseconds an operation, as a workload sees them");
    report.line(&format!(
        "Medians of {} rounds; in each round all columns take turns, {} ms a load, of which the median batch counts. \
         \"no statistics\": `probes.run_time_stats = false`; \"no namespace probes\": `probes.namespace = false`, \
         so no system-call tracepoint. The ratio is of the agent with its defaults to none.",
        plan.rounds,
        plan.load.as_millis()
    ));
    report.line("");
    let mut columns = vec!["operation"];
    columns.extend(VARIANTS.iter().map(|(_, name)| *name));
    columns.extend(["difference", "ratio"]);
    let mut table = Table::new(&columns);
    for (n, (_, name)) in CASES.iter().enumerate() {
        let medians: Vec<f64> = values
            .iter()
            .filter_map(|of_variant| median(of_variant.get(n)?))
            .collect();
        let mut row = vec![(*name).to_owned()];
        row.extend(medians.iter().map(|ns| format!("{ns:.0}")));
        if let [without, with, ..] = medians[..] {
            row.push(format!("{:+.0}", with - without));
            row.push(format!("{:.3}", with / without));
        }
        table.row(row);
    }
    report.table(&table);
    Ok(())
}

/// Reads need a disk; a temporary folder may be memory.
fn place(kind: Kind) -> PathBuf {
    match kind {
        Kind::Reads => workspace::root().join("target"),
        _ => Path::new(".").to_owned(),
    }
}
