//! `cargo xtask check`: everything that can be said of the sources without running them.
//!
//! All steps run, whatever fails; the end says which did.

mod arrows;
mod dashboards;

use std::fmt;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::{build_ebpf, command, docs, host, setup, workspace};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these steps
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    /// rustfmt
    Format,
    /// clippy, on everything but the BPF programs
    Clippy,
    /// clippy, on the BPF programs
    ClippyEbpf,
    /// Licences, sources and doubles of the crates we depend on
    Crates,
    /// Known vulnerabilities of the crates we depend on
    Advisories,
    /// Spelling
    Typos,
    /// The prebuilt BPF object was built from the committed sources
    Prebuilt,
    /// Imports between rooms follow docs/architecture.md
    Arrows,
    /// The generated reference pages are as the agent prints them
    Docs,
    /// Dashboards are JSON, rule files are Prometheus rules
    Dashboards,
}

enum Outcome {
    Passed,
    /// With the reason.
    Skipped(&'static str),
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let steps = if args.steps.is_empty() {
        Step::value_variants()
    } else {
        &args.steps
    };
    let mut lines = Vec::new();
    let mut failed = Vec::new();
    for step in steps {
        println!("check: {step}");
        let line = match step.run() {
            Ok(Outcome::Passed) => format!("{step}: ok"),
            Ok(Outcome::Skipped(reason)) => format!("{step}: skipped: {reason}"),
            Err(error) => {
                println!("{error:#}");
                failed.push(step.to_string());
                format!("{step}: FAILED")
            }
        };
        lines.push(line);
    }
    println!("check: summary");
    for line in lines {
        println!("  {line}");
    }
    if !failed.is_empty() {
        bail!("check failed: {}", failed.join(", "));
    }
    Ok(())
}

impl Step {
    fn run(self) -> Result<Outcome> {
        let root = workspace::root();
        match self {
            Self::Format => command::run(workspace::cargo().args(["fmt", "--all", "--check"])),
            Self::Clippy => command::run(
                workspace::cargo()
                    .args(["clippy", "--locked", "--all-targets"])
                    .args(["--", "--deny", "warnings"]),
            ),
            Self::ClippyEbpf => build_ebpf::clippy(),
            Self::Crates => command::run(cargo_deny()?.args(["bans", "licenses", "sources"])),
            Self::Advisories => return advisories(),
            Self::Typos => command::run(Command::new(setup::typos()?).current_dir(root)),
            Self::Prebuilt => build_ebpf::digest::check(&root),
            Self::Arrows => arrows::check(&root),
            Self::Docs => docs::check(),
            Self::Dashboards => dashboards::check(&root),
        }
        .map(|()| Outcome::Passed)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        formatter.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// The advisory database is a Git repository elsewhere: a host that cannot reach it cannot tell.
fn advisories() -> Result<Outcome> {
    let mut fetch = Command::new(cargo_deny_program()?);
    fetch.current_dir(workspace::root()).args(["fetch", "db"]);
    if command::answer(&mut fetch).is_none() {
        return Ok(Outcome::Skipped("the advisory database cannot be reached"));
    }
    command::run(cargo_deny()?.args(["--disable-fetch", "advisories"]))?;
    Ok(Outcome::Passed)
}

fn cargo_deny() -> Result<Command> {
    let mut command = Command::new(cargo_deny_program()?);
    command.current_dir(workspace::root()).args([
        "--locked",
        "--workspace",
        "check",
        "--hide-inclusion-graph",
    ]);
    Ok(command)
}

fn cargo_deny_program() -> Result<std::path::PathBuf> {
    host::program("cargo-deny")
        .context("cargo-deny is not installed; `cargo xtask setup --check` installs it")
}
