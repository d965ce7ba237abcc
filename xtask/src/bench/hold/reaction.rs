//! From a workload's start of misbehaving to the effect in the kernel.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::earlyoom;
use super::files::Files;
use crate::bench::agent::{Agent, Variant};
use crate::bench::cgroups::Cgroups;
use crate::bench::process::Process;
use crate::bench::report::{Report, Table, ms};
use crate::bench::summary::percentile;
use crate::bench::{Plan, interrupt, present};

const ALLOWED: u64 = 64 << 20;
const TOO_LONG: Duration = Duration::from_secs(10);
/// Waits to be in its cgroup, then takes half as much again as it is allowed.
const HOG: &str = "\
    sub here { open my $f, '<', '/proc/self/cgroup'; !grep { !/plimsoll-bench/ } <$f> } \
    select undef, undef, undef, 0.002 until here(); my $x = 'x' x (96 << 20); sleep 1000";

pub(super) fn measure(plan: &Plan, report: &mut Report, cgroups: &mut Cgroups) -> Result<()> {
    report.heading("From misbehaving to the effect");
    report.line(&format!(
        "plimsoll: a process takes 96 MiB, a rule freezes its cgroup above 64 MiB (no `for`); from the moment the \
         kernel's own figure of the cgroup is past that to the moment its freezer says frozen, {} runs. earlyoom: the \
         host's available memory falls below a threshold, from the moment /proc/meminfo says so to earlyoom's line \
         that it would kill (`--dryrun`); it knows the host's memory only, and looks at it ten times a second at most.",
        plan.reactions
    ));
    report.line("");
    let mut table = Table::new(&["who", "median", "p99", "most"]);
    println!("bench: hold: reaction");
    cgroups.resize(1)?;
    table.row(row("plimsoll", &ours(plan, cgroups)?)?);
    match earlyoom::reactions(plan) {
        Ok(taken) => table.row(row("earlyoom", &taken)?),
        Err(error) => {
            interrupt::check()?;
            println!("bench: hold: earlyoom not measured: {error:#}");
        }
    }
    report.table(&table);
    report.line("");
    report.line(
        "systemd-oomd is not beside them: it runs only where systemd is the init and all controllers are on cgroup v2 \
         (systemd-oomd.service(8)), and acts on pressure that has lasted for seconds.",
    );
    Ok(())
}

fn row(who: &str, seconds: &[f64]) -> Result<Vec<String>> {
    let at = |percent| present(percentile(seconds, percent), "run").map(ms);
    Ok(vec![who.to_owned(), at(50.0)?, at(99.0)?, at(100.0)?])
}

fn ours(plan: &Plan, cgroups: &Cgroups) -> Result<Vec<f64>> {
    let path = Cgroups::path(0);
    let policy = format!(
        "version = 1\n[protect]\nmax_actions_per_minute = 10000\n[[policy]]\nname = \"bench\"\nmatch = {{ cgroup = \
         \"{path}\" }}\n[[policy.rule]]\nname = \"stop\"\nany = [{{ metric = \"memory.usage\", above = \"64MiB\" }}]\n\
         clear = {{ for = \"1ms\" }}\ncooldown = \"1ms\"\nthen = [{{ freeze = {{ max = \"60s\" }} }}]\n"
    );
    let agent = Agent::start_with_policy(Variant::Default, Some(&policy))?;
    let files = Files::of(cgroups, 0)?;
    let mut taken = Vec::new();
    for _ in 0..plan.reactions {
        interrupt::check()?;
        let mut hog = Command::new("perl");
        hog.args(["-e", HOG]);
        let mut hog = Process::start("a hog", &mut hog, None)?;
        cgroups.put(0, hog.pid().as_raw().cast_unsigned())?;
        let over = wait("memory past its threshold", || {
            files.memory_bytes().is_some_and(|bytes| bytes > ALLOWED)
        })?;
        let frozen = wait("freeze", || files.is_frozen())?;
        taken.push((frozen - over).as_secs_f64());
        // In v1's freezer it does not even die; what holds it dies with the thaw.
        agent.ask(&["thaw", &path])?;
        hog.kill()?;
        interrupt::poll("memory given back", TOO_LONG, || {
            (files.memory_bytes()? < ALLOWED / 2).then_some(())
        })?;
    }
    Ok(taken)
}

/// The moment from which it is so; looks all the time.
pub(super) fn wait(what: &str, mut is_so: impl FnMut() -> bool) -> Result<Instant> {
    let began = Instant::now();
    while !is_so() {
        if began.elapsed() > TOO_LONG {
            bail!("{what}: not within {} s", TOO_LONG.as_secs());
        }
        std::thread::yield_now();
    }
    Ok(Instant::now())
}
