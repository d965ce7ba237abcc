//! `cargo xtask test`: all tests that this host can run.
//!
//! First the unit tests, then the agent's integration tests one after the other: those that need
//! root, an engine or a kernel feature find out by themselves whether they can run. One that
//! cannot appends `<test name>: <reason>` to the file that `PLIMSOLL_SKIPS` names.
//!
//! A few that fail run once more, alone: passed then, they are named as unsteady.

pub(crate) mod skips;
mod tally;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use self::tally::Tally;
use crate::{command, host, setup, workspace};

/// Where tests write why they could not run, below the workspace's root.
const SKIPS: &str = "target/test-skips.txt";
/// Names the BPF object that the agent's build embeds instead of the prebuilt one.
const OBJECT_VARIABLE: &str = "PLIMSOLL_BPF_OBJECT";
/// Measurements fail now and then on a host that others use too; more than this is no accident.
const MOST_AGAIN: usize = 8;
/// Tests of `cargo xtask vm-test`, which outside of its guests only skip themselves.
const GUESTS: &str = "vm";
const ONE_AT_A_TIME: &str = "--test-threads=1";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only tests whose name contains this
    #[arg(last = true)]
    filter: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    prepare();
    let skips_file = workspace::root().join(SKIPS);
    start_skips(&skips_file)?;

    let mut tally = Tally::default();
    let mut failed = Vec::new();
    for stage in stages()? {
        println!("test: {}", stage.name);
        let (mut ran, mut passed) =
            stage.run(&stage.harness(args.filter.as_slice()), &skips_file)?;
        if !passed && (1..=MOST_AGAIN).contains(&ran.failures().len()) {
            println!("test: {}: those that failed, again and alone", stage.name);
            let names: Vec<String> = ran.failures().iter().cloned().collect();
            let (again, passed_again) = stage.run(&alone(&names), &skips_file)?;
            passed = passed_again && again.ran() >= names.len();
            ran.settle(again);
        }
        if !passed {
            failed.push(stage.name);
        }
        tally.add(ran);
    }
    let unexpected = report_skips(&skips_file, &mut tally)?;
    print!("{tally}");
    if !failed.is_empty() {
        bail!("tests failed: {}", failed.join(", "));
    }
    if tally.ran() == 0 {
        bail!("no test ran");
    }
    if unexpected > 0 && host::is_ci() {
        bail!(
            "tests were skipped that {} does not list: {unexpected}",
            skips::EXPECTED
        );
    }
    Ok(())
}

struct Stage {
    name: &'static str,
    selection: Vec<String>,
    /// They measure the host and change its cgroups: one at a time.
    one_at_a_time: bool,
}

impl Stage {
    fn harness(&self, filter: &[String]) -> Vec<String> {
        let threads = self.one_at_a_time.then(|| ONE_AT_A_TIME.to_owned());
        threads.into_iter().chain(filter.iter().cloned()).collect()
    }

    /// What ran, and whether all of it passed.
    fn run(&self, harness: &[String], skips_file: &Path) -> Result<(Tally, bool)> {
        let mut tests = workspace::cargo();
        tests
            .args(["test", "--locked", "--no-fail-fast"])
            .args(&self.selection)
            .arg("--")
            .args(harness)
            .env("PLIMSOLL_SKIPS", skips_file);
        run_counted(&mut tests)
    }
}

/// For the harness: only these, one after the other.
fn alone(names: &[String]) -> Vec<String> {
    let options = [ONE_AT_A_TIME, "--exact"].map(str::to_owned);
    options.into_iter().chain(names.iter().cloned()).collect()
}

fn stages() -> Result<Vec<Stage>> {
    let mut stages = vec![
        Stage {
            name: "unit tests",
            selection: ["--lib", "--bins"].map(str::to_owned).to_vec(),
            one_at_a_time: false,
        },
        Stage {
            name: "examples in the documentation",
            selection: vec!["--doc".to_owned()],
            one_at_a_time: false,
        },
    ];
    let integration = integration_tests()?;
    if !integration.is_empty() {
        // No `--package`: it would unify features anew, and compile the agent a second time.
        let selection = integration.iter().map(|name| format!("--test={name}"));
        stages.push(Stage {
            name: "integration tests of the agent",
            selection: selection.collect(),
            one_at_a_time: true,
        });
    }
    Ok(stages)
}

/// Names of the agent's integration tests, without those of guests.
fn integration_tests() -> Result<Vec<String>> {
    let metadata = command::output(workspace::cargo().args([
        "metadata",
        "--locked",
        "--no-deps",
        "--format-version=1",
    ]))?;
    let metadata: serde_json::Value =
        serde_json::from_str(&metadata).context("cargo metadata printed no JSON")?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    Ok(packages
        .filter(|package| package["name"] == "plimsoll")
        .flat_map(|package| package["targets"].as_array().into_iter().flatten())
        .filter(|target| target["kind"][0] == "test")
        .filter_map(|target| target["name"].as_str())
        .filter(|name| *name != GUESTS)
        .map(str::to_owned)
        .collect())
}

/// What cannot be set up leaves tests that skip themselves and say so.
fn prepare() {
    if !host::is_root() {
        println!("test: not root: tests that load programs or make cgroups will skip themselves");
    } else if let Err(error) = setup::for_test() {
        println!("test: going on without some of the packages: {error:#}");
    }
    match std::env::var_os(OBJECT_VARIABLE) {
        Some(object) => println!("test: BPF object: {}", PathBuf::from(object).display()),
        None => println!("test: BPF object: the prebuilt one"),
    }
}

fn start_skips(file: &Path) -> Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(file, "").with_context(|| format!("cannot write {}", file.display()))
}

/// Runs the tests, shows what they print, and counts it; and whether all passed.
fn run_counted(tests: &mut Command) -> Result<(Tally, bool)> {
    let mut tally = Tally::default();
    let mut child = tests
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo test")?;
    if let Some(output) = child.stdout.take() {
        let mut shown = std::io::stdout().lock();
        for line in BufReader::new(output).split(b'\n') {
            let line = line.context("cannot read what cargo test prints")?;
            let line = String::from_utf8_lossy(&line);
            tally.read(&line);
            writeln!(shown, "{line}").context("cannot write to standard output")?;
        }
    }
    let status = child.wait().context("cannot wait for cargo test")?;
    Ok((tally, status.success()))
}

/// Prints every skip with its reason, and counts those that the repository does not list.
fn report_skips(file: &Path, tally: &mut Tally) -> Result<usize> {
    let written =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let expected = fs::read_to_string(workspace::root().join(skips::EXPECTED))
        .with_context(|| format!("cannot read {}", skips::EXPECTED))?;
    let report = skips::compare(&written, &expected);
    for skip in &report.expected {
        println!("test: skipped, as listed: {skip}");
    }
    for skip in &report.unexpected {
        println!("test: skipped, NOT listed in {}: {skip}", skips::EXPECTED);
    }
    tally.skipped = report.expected.len() + report.unexpected.len();
    Ok(report.unexpected.len())
}
