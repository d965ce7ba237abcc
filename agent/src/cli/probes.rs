//! `plimsoll probes`

use clap::Args;

use super::Format;
use super::failure::Failure;
use super::output::Output;
use super::table::{Cell, Column, Cut, Style, Table};
use super::units;
use crate::api::{Client, EngineState, LossCounter, ProbeReading, ProbeState};

/// Show the health of the agent's eyes: probes, engines it asks for names, lost records
///
/// States: attached; degraded (less than all of its data); unsupported (this kernel cannot have it);
/// failed; disabled (switched off in the configuration, or not needed here: where the io controller is
/// on cgroup v2, the kernel counts I/O itself). RUNS and NS/RUN need `probes.run_time_stats`.
#[derive(Debug, Args)]
pub(super) struct ProbesArgs {}

const NOT_WANTED: &str = "switched off, or not needed on this host";

pub(super) async fn run(
    _args: ProbesArgs,
    client: &Client,
    format: Format,
    out: &mut Output,
) -> Result<(), Failure> {
    let list = client.probes().await?;
    match format {
        Format::Json => out.json_pretty(&list)?,
        Format::Table => {
            out.table(&probes(&list.probes))?;
            if !list.engines.is_empty() {
                out.text("\n")?;
                out.table(&engines(&list.engines))?;
            }
            if list.losses.iter().any(|loss| loss.count > 0) {
                out.text("\n")?;
                out.table(&losses(&list.losses))?;
            }
        }
    }
    Ok(out.flush()?)
}

fn probes(probes: &[ProbeReading]) -> Table {
    let mut table = Table::new(vec![
        Column::left("PROBE", 0),
        Column::left("HOOK", 3).shrink_to(16, Cut::End),
        Column::left("STATE", 0),
        Column::right("RUNS", 2),
        Column::right("NS/RUN", 1),
        Column::left("REASON", 0).shrink_to(32, Cut::End),
    ]);
    for probe in probes {
        let (state, style, reason) = state(&probe.state);
        let ns = probe.run_ns.checked_div(probe.run_count);
        table.row(vec![
            probe.name.as_str().into(),
            probe.hook.as_str().into(),
            Cell::styled(state, style),
            probe.run_count.to_string().into(),
            ns.map_or_else(|| units::NONE.into(), |ns| ns.to_string())
                .into(),
            reason.into(),
        ]);
    }
    table
}

fn state(state: &ProbeState) -> (&'static str, Style, &str) {
    match state {
        ProbeState::Attached => ("attached", Style::Good, ""),
        ProbeState::Degraded(reason) => ("degraded", Style::Warning, reason),
        ProbeState::Unsupported(reason) => ("unsupported", Style::Warning, reason),
        ProbeState::Failed(reason) => ("failed", Style::Bad, reason),
        ProbeState::Disabled => ("disabled", Style::Dim, NOT_WANTED),
    }
}

fn engines(engines: &[EngineState]) -> Table {
    let mut table = Table::new(vec![
        Column::left("ENGINE", 0),
        Column::left("STATE", 0),
        Column::left("REASON", 0).shrink_to(16, Cut::End),
    ]);
    for engine in engines {
        let (state, style) = if engine.up {
            ("up", Style::Good)
        } else {
            ("down", Style::Warning)
        };
        table.row(vec![
            engine.engine.as_str().into(),
            Cell::styled(state, style),
            engine.reason.as_deref().unwrap_or_default().into(),
        ]);
    }
    table
}

fn losses(losses: &[LossCounter]) -> Table {
    let mut table = Table::new(vec![Column::left("LOST", 0), Column::right("RECORDS", 0)]);
    for loss in losses.iter().filter(|loss| loss.count > 0) {
        table.row(vec![
            loss.name.as_str().into(),
            Cell::styled(loss.count.to_string(), Style::Bad),
        ]);
    }
    table
}
