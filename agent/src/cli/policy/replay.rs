//! `plimsoll policy replay`

use std::time::Duration;

use super::super::Format;
use super::super::failure::Failure;
use super::super::output::Output;
use crate::api::{Decision, DecisionList, Outcome, Record, summary};

pub(super) fn show(list: &DecisionList, format: Format, out: &mut Output) -> Result<(), Failure> {
    for decision in &list.decisions {
        match format {
            Format::Json => out.json_line(decision)?,
            Format::Table => out.text(&line(decision))?,
        }
    }
    out.flush()?;
    if list.decisions.is_empty() && format == Format::Table {
        super::note("nothing would have been decided");
    }
    Ok(())
}

/// What a record of it would say, in monitor mode.
fn line(decision: &Decision) -> String {
    let record = Record {
        id: 0,
        time: decision.time,
        claimant: decision.claimant.clone(),
        workload: decision.workload.as_str().into(),
        name: decision
            .name
            .as_deref()
            .unwrap_or(&decision.workload)
            .into(),
        mode: decision.mode,
        step: decision.step.clone(),
        outcome: Outcome::DryRun,
        before: None,
        after: None,
        caveats: Vec::new(),
        evidence: decision.evidence.clone(),
        took: Duration::ZERO,
    };
    let text = summary(&record);
    let decided = text
        .rsplit_once(" → ")
        .map_or(text.as_str(), |(text, _)| text);
    format!("{decided}\n")
}
