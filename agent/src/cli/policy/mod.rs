//! `plimsoll policy …`

mod check;
mod explain;
mod replay;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::failure::{Exit, Failure};
use super::output::Output;
use super::table::{Cell, Column, Cut, Style, Table};
use super::{Format, note};
use crate::api::{Client, ModeRequest, PolicyView, ReplayRequest, State};
use crate::policy::{Mode, load};

/// Check policies, see what they do and why, switch them
#[derive(Debug, Args)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check a policy file, and say what it means and what this host cannot do of it
    ///
    /// Needs no agent. Every problem is told with its line, its key and what to write instead; the exit
    /// status is then 2.
    Check {
        /// The file [default: `policy.file` of the configuration]
        file: Option<PathBuf>,
    },
    /// Show the policies in force, and what they hold
    Show,
    /// Say which policies match a workload, which do not, and how far its rules are
    Explain {
        /// Name, id or cgroup path
        #[arg(value_name = "NAME")]
        workload: String,
    },
    /// Say what a policy file would have decided lately
    ///
    /// From what the agent has recorded; nothing is done.
    Replay {
        /// How far back, such as `10m`
        #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
        since: Duration,
        /// Another file than the one in force
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Switch a policy on
    Enable {
        #[arg(value_name = "POLICY")]
        policy: String,
    },
    /// Switch a policy off: what it holds is given back
    Disable {
        #[arg(value_name = "POLICY")]
        policy: String,
    },
    /// Switch between deciding only (monitor) and acting (enforce), until the next reload
    Mode {
        mode: Word,
        /// Of this policy only
        #[arg(value_name = "POLICY")]
        policy: Option<String>,
    },
    /// Read the policy file again, as SIGHUP does
    ///
    /// A file with problems changes nothing; they are told, all of them.
    Reload,
}

// Without comments of their own, or `--help` gives each word a paragraph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Word {
    Monitor,
    Enforce,
}

pub(super) async fn run(
    args: PolicyArgs,
    client: &Client,
    format: Format,
    out: &mut Output,
) -> Result<(), Failure> {
    match args.verb {
        Verb::Check { file } => check::run(file, out),
        Verb::Show => show(&client.policy().await?, format, out),
        Verb::Explain { workload } => explain::show(&client.explain(&workload).await?, format, out),
        Verb::Replay { since, file } => {
            let request = ReplayRequest {
                since,
                policy: file.as_deref().map(text_of).transpose()?,
            };
            replay::show(&client.replay(&request).await?, format, out)
        }
        Verb::Enable { policy } => {
            switched(&client.enable_policy(&policy, true).await?, format, out)
        }
        Verb::Disable { policy } => {
            switched(&client.enable_policy(&policy, false).await?, format, out)
        }
        Verb::Mode { mode, policy } => {
            let mode = match mode {
                Word::Monitor => Mode::Monitor,
                Word::Enforce => Mode::Enforce,
            };
            let request = ModeRequest { policy, mode };
            switched(&client.set_mode(&request).await?, format, out)
        }
        Verb::Reload => switched(&client.reload_policy().await?, format, out),
    }
}

/// Checked here, so that its problems are told with the file's own name.
fn text_of(file: &Path) -> Result<String, Failure> {
    load(file)?;
    fs::read_to_string(file).map_err(|error| {
        let what = format!("cannot read {}: {error}", file.display());
        Failure::new(Exit::Failed, what)
    })
}

/// What every policy means, and how it stands.
fn show(view: &PolicyView, format: Format, out: &mut Output) -> Result<(), Failure> {
    if format == Format::Json {
        out.json_pretty(view)?;
        return Ok(out.flush()?);
    }
    if view.tally.policies.is_empty() {
        note(&format!("{} has no policy", view.file.display()));
    } else {
        out.text(&view.text)?;
        out.text("\n")?;
        out.table(&stands(view))?;
    }
    for degradation in &view.degradations {
        let (what, effect, reason) = (&degradation.what, &degradation.effect, &degradation.reason);
        note(&format!("{what}: {effect}: {reason}"));
    }
    Ok(out.flush()?)
}

/// How every policy stands after a switch.
fn switched(view: &PolicyView, format: Format, out: &mut Output) -> Result<(), Failure> {
    match format {
        Format::Json => out.json_pretty(view)?,
        Format::Table => out.table(&stands(view))?,
    }
    Ok(out.flush()?)
}

fn stands(view: &PolicyView) -> Table {
    let mut table = Table::new(vec![
        Column::left("POLICY", 0).shrink_to(16, Cut::End),
        Column::left("MODE", 0),
        Column::right("WORKLOADS", 0),
        Column::left("RULE", 0).shrink_to(16, Cut::End),
        Column::right("PENDING", 2),
        Column::right("FIRING", 1),
        Column::right("COOLDOWN", 3),
        Column::right("HOLDING", 1),
    ]);
    for policy in &view.tally.policies {
        let (mode, style) = match (policy.enabled, policy.mode) {
            (false, _) => ("disabled", Style::Dim),
            (true, Mode::Monitor) => ("monitor", Style::Plain),
            (true, Mode::Enforce) => ("enforce", Style::Good),
        };
        let head = |table: &mut Table, rule: [String; 5]| {
            let [name, pending, firing, cooldown, holding] = rule;
            table.row(vec![
                policy.policy.as_str().into(),
                Cell::styled(mode, style),
                policy.workloads.to_string().into(),
                name.into(),
                pending.into(),
                firing.into(),
                cooldown.into(),
                holding.into(),
            ]);
        };
        if policy.rules.is_empty() {
            head(&mut table, [const { String::new() }; 5]);
        }
        for rule in &policy.rules {
            let count = |state: State| rule.states.get(&state).copied().unwrap_or(0).to_string();
            let row = [
                rule.rule.clone(),
                count(State::Pending),
                count(State::Firing),
                count(State::Cooldown),
                rule.holding.to_string(),
            ];
            head(&mut table, row);
        }
    }
    table
}
