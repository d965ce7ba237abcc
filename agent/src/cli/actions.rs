//! `plimsoll actions` and `plimsoll undo`; how the outcome of an order is told.

use std::time::{Duration, SystemTime};

use clap::Args;

use super::failure::{Exit, Failure};
use super::output::Output;
use super::{Format, note};
use crate::api::{ActionList, ActionQuery, Client, Outcome, Record, RecordList, summary};

/// Show what was decided and done, with the evidence
///
/// Every action of policies and operators, those too that were refused, failed, or only decided
/// because the policy is in monitor mode. The oldest of those asked for comes first.
#[derive(Debug, Args)]
pub(super) struct ActionsArgs {
    /// Of this workload only: name, id or cgroup path
    #[arg(value_name = "NAME")]
    workload: Option<String>,
    /// Of this policy only
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// With this outcome only: done, dry_run, refused, failed, deferred, yielded, restored
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
    /// Not older than this, such as `10m`
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    since: Option<Duration>,
    /// The last so many
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 100)]
    limit: usize,
}

/// Undo one action: let go of what it holds
///
/// The number is the one that `plimsoll actions` shows. What was in force before the action returns;
/// what was done once and for all, such as a kill, cannot be undone. A rule whose condition still
/// holds does not act again before it has cleared.
#[derive(Debug, Args)]
pub(super) struct UndoArgs {
    #[arg(value_name = "ACTION")]
    action: u64,
}

pub(super) async fn run(
    args: ActionsArgs,
    client: &Client,
    format: Format,
    out: &mut Output,
) -> Result<(), Failure> {
    let query = ActionQuery {
        workload: args.workload,
        policy: args.policy,
        outcome: args.outcome,
        since: args
            .since
            .and_then(|since| SystemTime::now().checked_sub(since)),
        limit: args.limit,
    };
    let ActionList {
        records,
        lost,
        damaged,
    } = client.actions(&query).await?;
    for record in &records {
        print(record, format, out)?;
    }
    out.flush()?;
    if records.is_empty() && format == Format::Table {
        note("no such action");
    }
    if lost > 0 {
        note(&format!(
            "{lost} records could not be written to the audit file"
        ));
    }
    if damaged > 0 {
        note(&format!("{damaged} lines of the audit file are damaged"));
    }
    Ok(())
}

pub(super) async fn undo(
    args: UndoArgs,
    client: &Client,
    format: Format,
    out: &mut Output,
) -> Result<(), Failure> {
    show(&client.undo(args.action).await?, format, out)
}

/// Tells what became of what was asked; an error when some of it was not done.
pub(super) fn show(list: &RecordList, format: Format, out: &mut Output) -> Result<(), Failure> {
    for record in &list.records {
        print(record, format, out)?;
    }
    out.flush()?;
    let failed = list.records.iter().filter(|record| {
        matches!(
            record.outcome,
            Outcome::Refused(_) | Outcome::Failed(_) | Outcome::Yielded(_)
        )
    });
    match (failed.count(), list.records.len()) {
        (0, _) => Ok(()),
        (failed, all) if failed == all => Err(Failure::new(Exit::Failed, "nothing was changed")),
        (failed, all) => Err(Failure::new(
            Exit::Failed,
            format!("{failed} of {all} were not done"),
        )),
    }
}

fn print(record: &Record, format: Format, out: &mut Output) -> std::io::Result<()> {
    match format {
        Format::Json => out.json_line(record),
        Format::Table => out.text(&format!("{:>6}  {}\n", record.id, summary(record))),
    }
}
