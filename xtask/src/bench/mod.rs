//! `cargo xtask bench`: what the probes and the agent cost, beside others that watch hosts.
//!
//! Unattended, as root. It makes cgroups, processes and temporary files of its own, and removes them,
//! also when it is interrupted. It writes only what `--journal` asks for. Machines are noisy: compare
//! numbers of one run, and look at the load averages.

mod agent;
mod cgroups;
mod costs;
mod hold;
mod http;
mod interrupt;
mod launch;
mod load;
mod machine;
mod peers;
mod probes;
mod process;
mod report;
mod scale;
mod summary;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use self::cgroups::Cgroups;
use self::report::Report;
use crate::{command, host, workspace};

pub(crate) use self::load::{Args as LoadArgs, run as run_load};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write the report to this file too, in Markdown
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Short windows and few rounds: to see that it works, not to be believed
    #[arg(long)]
    quick: bool,
    /// Only this part
    #[arg(long, value_enum)]
    only: Option<Part>,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Nanoseconds a run of each probe
    Probes,
    /// What workloads pay
    Costs,
    /// The agent at 10, 100 and 1,000 cgroups
    Scale,
    /// Other agents at 1,000 cgroups
    Peers,
    /// Containers from the command to the exit, beside crun and docker
    Launch,
    /// What holding costs, how fast it acts and gives back, how exact rates are
    Hold,
}

/// How much is measured.
pub(crate) struct Plan {
    rounds: usize,
    /// Of one load.
    load: Duration,
    counts: &'static [usize],
    /// From the agent's start to the window: its second look at idle cgroups is in it.
    settle: Duration,
    /// Of CPU.
    window: Duration,
    scrapes: usize,
    /// Containers, one after the other.
    launches: usize,
    /// Times that something is to be acted on.
    reactions: usize,
    /// Times that an agent is killed.
    kills: usize,
    /// Of one flow, or of several at once.
    traffic: Duration,
}

impl Plan {
    const FULL: Self = Self {
        rounds: 7,
        load: Duration::from_millis(500),
        counts: &[10, 100, 1_000],
        settle: Duration::from_secs(12),
        window: Duration::from_secs(20),
        scrapes: 200,
        launches: 200,
        reactions: 100,
        kills: 20,
        traffic: Duration::from_secs(10),
    };
    const QUICK: Self = Self {
        rounds: 3,
        load: Duration::from_millis(200),
        counts: &[10, 1_000],
        settle: Duration::from_secs(3),
        window: Duration::from_secs(5),
        scrapes: 50,
        launches: 30,
        reactions: 10,
        kills: 3,
        traffic: Duration::from_secs(2),
    };

    fn most(&self) -> usize {
        self.counts.iter().copied().max().unwrap_or(0)
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if !host::is_root() {
        bail!("the agent loads programs into the kernel: run this as root");
    }
    println!("bench: building the agent");
    command::run(workspace::cargo().args([
        "build",
        "--profile=dist",
        "--locked",
        "--package=plimsoll",
        "--bin=plimsoll",
    ]))?;
    let wants = |part| args.only.is_none_or(|only| only == part);
    let peers = wants(Part::Peers).then(peers::Found::prepare);
    interrupt::heed()?;

    let plan = if args.quick { Plan::QUICK } else { Plan::FULL };
    let mut report = Report::default();
    head(&mut report);
    // Dropped last, after all that is in them.
    let mut cgroups = Cgroups::new()?;
    if wants(Part::Probes) {
        probes::measure(&plan, &mut report, &cgroups)?;
    }
    if wants(Part::Costs) {
        costs::measure(&plan, &mut report)?;
    }
    if wants(Part::Launch) {
        launch::measure(&plan, &mut report)?;
    }
    if wants(Part::Scale) {
        scale::measure(&plan, &mut report, &mut cgroups)?;
    }
    if let Some(peers) = peers {
        cgroups.resize(plan.most())?;
        peers::measure(&plan, &mut report, &cgroups, &peers)?;
    }
    if wants(Part::Hold) {
        hold::measure(&plan, &mut report, &mut cgroups)?;
    }
    drop(cgroups);
    report.line("");
    report.line(&format!(
        "Load averages at the end: {}.",
        machine::load_average()
    ));
    if let Some(path) = &args.journal {
        report.save(path)?;
        println!("bench: written to {}", path.display());
    }
    Ok(())
}

fn head(report: &mut Report) {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let date = command::answer(std::process::Command::new("date").args(["-u", "+%F %H:%M UTC"]));
    report.line(&format!("# Bench, {}", date.unwrap_or_default()));
    report.line("");
    report.line(&format!("- Command: `cargo xtask {}`", arguments.join(" ")));
    report.line(&format!("- Machine: {}", machine::describe()));
    report.line(&format!(
        "- Load averages at the start: {}",
        machine::load_average()
    ));
    let others = machine::other_agents();
    if others > 0 {
        report.line(&format!(
            "- **{others} other agents run: their probes are in these numbers**"
        ));
    }
    if let Some(commit) = commit() {
        report.line(&format!("- Commit: {commit}"));
    }
}

fn commit() -> Option<String> {
    let mut git = std::process::Command::new("git");
    git.args(["describe", "--always", "--dirty"])
        .current_dir(workspace::root());
    command::answer(&mut git)
}

/// A number that must be there.
fn present<T>(value: Option<T>, what: &str) -> Result<T> {
    value.with_context(|| format!("no {what}"))
}
