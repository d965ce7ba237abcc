//! Containers from the command to its exit, beside crun and docker: one root file system, no network.

mod crun;
mod docker;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::agent::{Agent, Variant};
use super::process::Process;
use super::report::{Report, Table, mib, ms};
use super::summary::{median, percentile};
use super::{Plan, interrupt};
use crate::command;
use crun::Crun;
use docker::Docker;

const CONCURRENT: usize = 100;
const RUNNING: usize = 500;
/// It is slow.
const DOCKER_RUNS: usize = 10;
/// Of a command, without a breath between them.
const BLOCK: usize = 20;
/// Before others' commands, so that what these left to be cleared away is not in their way.
const BREATH: Duration = Duration::from_millis(60);

pub(crate) fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let rootfs = rootfs(folder.path())?;
    let agent = Agent::start(Variant::Engine)?;
    report.heading("Launch: `true` from the command to its exit, milliseconds");
    report.line(&format!(
        "A busybox root file system, no network; commands take turns, and nothing runs for {} before each. crun \
         runs in a mount namespace without cgroup2 where the host is hybrid, which is made before the clock starts. \
         State of what runs is in memory, ours and crun's; what containers write is on the disk. A container of \
         `crun spec` has no system call filter, ours has docker's: so there is ours without, too, and crun with our \
         specification.",
        ms(BREATH.as_secs_f64())
    ));
    report.line("");
    let direct = PathBuf::from(format!("{}:rw", rootfs.display()));
    let own = || ours(&agent, &rootfs, &[]);
    let own_direct = || ours(&agent, &direct, &[]);
    let own_unfiltered = || ours(&agent, &direct, &["--security-opt", "seccomp=unconfined"]);
    let mut runtimes: Vec<(&str, Run<'_>)> = vec![
        ("plimsoll run", &own),
        ("plimsoll run, `DIR:rw`", &own_direct),
        ("plimsoll run, `DIR:rw`, no filter", &own_unfiltered),
    ];
    let plain = Crun::find(folder.path().join("plain"), &rootfs, crun::plain);
    let same = Crun::find(folder.path().join("same"), &rootfs, |bundle| {
        crun::like_ours(&agent, &rootfs, bundle)
    });
    let plain_run = plain.as_ref().map(|crun| || crun.command());
    let same_run = same.as_ref().map(|crun| || crun.command());
    match (&plain_run, &same_run) {
        (Ok(plain), Ok(same)) => {
            runtimes.push(("crun run, `crun spec`", plain));
            runtimes.push(("crun run, our specification", same));
        }
        (Err(reason), _) | (_, Err(reason)) => {
            report.line(&format!("crun is not beside it: {reason:#}."));
        }
    }
    let mut at_rest = in_turns(&runtimes, plan.launches, 1)?;
    let mut in_a_row = in_turns(&runtimes, plan.launches, BLOCK)?;
    match Docker::start(folder.path(), &rootfs) {
        Ok(docker) => {
            let run = || docker.command();
            let runtimes: [(&str, Run<'_>); 1] = [("docker run", &run)];
            at_rest.extend(in_turns(&runtimes, DOCKER_RUNS, 1)?);
            in_a_row.extend(in_turns(&runtimes, DOCKER_RUNS, DOCKER_RUNS)?);
        }
        Err(reason) => report.line(&format!("docker is not beside it: {reason:#}.")),
    }
    report.table(&table(&at_rest));
    report.line("");
    report.line(&format!(
        "{BLOCK} of each, docker {DOCKER_RUNS}, one right after the other, then of the next:"
    ));
    report.line("");
    report.table(&table(&in_a_row));
    concurrent(&agent, &rootfs, report)?;
    many(&agent, &rootfs, report)
}

/// A command that must succeed, in seconds.
fn timed(command: &mut Command) -> Result<f64> {
    interrupt::check()?;
    let began = Instant::now();
    let done = command
        .stdin(Stdio::null())
        .output()
        .context("cannot start it")?;
    let took = began.elapsed().as_secs_f64();
    let errors = String::from_utf8_lossy(&done.stderr);
    ensure!(
        done.status.success(),
        "{command:?}: {}: {errors}",
        done.status
    );
    Ok(took)
}

type Run<'a> = &'a dyn Fn() -> Command;
type Times<'a> = (&'a str, Vec<f64>);

/// Some of each, then some of the next, so that all see the same machine.
fn in_turns<'a>(
    commands: &[(&'a str, Run<'_>)],
    count: usize,
    block: usize,
) -> Result<Vec<Times<'a>>> {
    let mut times: Vec<Times<'a>> = commands
        .iter()
        .map(|(name, _)| (*name, Vec::new()))
        .collect();
    // The first is another's cold caches.
    for (_, command) in commands {
        timed(&mut command())?;
    }
    for _ in 0..count.div_ceil(block) {
        for ((_, command), (_, times)) in commands.iter().zip(&mut times) {
            interrupt::sleep(BREATH)?;
            for _ in 0..block {
                times.push(timed(&mut command())?);
            }
        }
    }
    Ok(times)
}

fn table(all: &[Times<'_>]) -> Table {
    let base = all.first().and_then(|(_, times)| median(times));
    let mut table = Table::new(&[
        "command",
        "runs",
        "least",
        "median",
        "p95",
        "median to ours",
    ]);
    for (name, times) in all {
        let number = |value: Option<f64>| {
            value.map_or("–".to_owned(), |time| format!("{:.2}", time * 1e3))
        };
        let ratio = median(times).zip(base).map(|(own, base)| own / base);
        table.row(vec![
            (*name).to_owned(),
            times.len().to_string(),
            number(percentile(times, 0.0)),
            number(median(times)),
            number(percentile(times, 95.0)),
            ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}")),
        ]);
    }
    table
}

fn ours(agent: &Agent, rootfs: &Path, options: &[&str]) -> Command {
    let mut command = agent.command();
    command.args(["run", "--rm", "--network", "none"]);
    command
        .args(options)
        .arg("--rootfs")
        .arg(rootfs)
        .arg("true");
    command
}

fn concurrent(agent: &Agent, rootfs: &Path, report: &mut Report) -> Result<()> {
    let began = Instant::now();
    let results: Vec<Result<f64>> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..CONCURRENT)
            .map(|_| scope.spawn(|| timed(&mut ours(agent, rootfs, &[]))))
            .collect();
        let done = running.into_iter().map(|run| run.join());
        done.map(|run| run.unwrap_or_else(|_| bail!("a thread panicked")))
            .collect()
    });
    let took = began.elapsed().as_secs_f64();
    for result in results {
        result?;
    }
    report.line("");
    report.line(&format!(
        "{CONCURRENT} at once: {} in all, {} each.",
        ms(took),
        ms(took / CONCURRENT as f64)
    ));
    Ok(())
}

fn many(agent: &Agent, rootfs: &Path, report: &mut Report) -> Result<()> {
    let began = Instant::now();
    let mut ids = Vec::new();
    for _ in 0..RUNNING {
        interrupt::check()?;
        let mut run = agent.command();
        run.args(["run", "-d", "--network", "none", "--rootfs"])
            .arg(rootfs);
        ids.push(
            command::output(run.args(["sleep", "1000"]))?
                .trim()
                .to_owned(),
        );
    }
    let started = began.elapsed().as_secs_f64();
    let list = Instant::now();
    let alive = command::output(agent.command().args(["ps", "-q"]))?
        .lines()
        .count();
    let listed = list.elapsed().as_secs_f64();
    ensure!(alive >= RUNNING, "{alive} of {RUNNING} run");
    let memory = shims(&agent.process);
    let began = Instant::now();
    for few in ids.chunks(50) {
        command::output(agent.command().args(["rm", "-f"]).args(few))?;
    }
    report.line(&format!(
        "{RUNNING} running: started in {}, listed in {}, removed in {}; the agent has {}, a shim {}.",
        ms(started),
        ms(listed),
        ms(began.elapsed().as_secs_f64()),
        mib(agent.process.status_bytes("VmRSS")?),
        memory.map_or("–".to_owned(), mib),
    ));
    Ok(())
}

/// Median of resident memory of the agent's shims: children of any of its threads.
fn shims(agent: &Process) -> Option<u64> {
    let threads = fs::read_dir(format!("/proc/{}/task", agent.pid())).ok()?;
    let children: String = threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok())
        .collect();
    let sizes: Vec<f64> = children
        .split_whitespace()
        .filter_map(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let size = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))?;
            size.split_whitespace().next()?.parse::<f64>().ok()
        })
        .collect();
    median(&sizes).map(|kib| kib as u64 * 1024)
}

/// Of a static busybox.
fn rootfs(folder: &Path) -> Result<PathBuf> {
    let root = folder.join("rootfs");
    for made in ["bin", "proc", "sys", "dev", "tmp", "etc"] {
        fs::create_dir_all(root.join(made))?;
    }
    let busybox = command::output(Command::new("sh").args(["-c", "command -v busybox"]))
        .context("busybox is not installed: `cargo xtask setup --test`")?;
    fs::copy(busybox.trim(), root.join("bin/busybox"))?;
    for applet in ["sh", "true", "sleep"] {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    Ok(root)
}
