//! What the agent itself uses, and how fast it answers, with more and more cgroups.

use anyhow::{Context, Result};

use super::agent::{Agent, Variant, sample};
use super::cgroups::Cgroups;
use super::load::Sleepers;
use super::process::Tree;
use super::report::{Report, Table, mib, ms, percent};
use super::summary::percentile;
use super::{Plan, interrupt};

pub(crate) fn measure(plan: &Plan, report: &mut Report, cgroups: &mut Cgroups) -> Result<()> {
    report.heading("The agent: CPU, scrapes, memory at 1 Hz");
    report.line(&format!(
        "Cgroups in each of {} hierarchies, as an engine makes them, on top of what the host has. Idle: no process. \
         Active: one process in each that wakes up five times a second. CPU: user and system time of the agent's process \
         over {} s without scrapes, in percent of one core. Tick: mean of the same time. Latency: {} scrapes on fresh \
         connections, one after the other.",
        cgroups.hierarchies(),
        plan.window.as_secs(),
        plan.scrapes
    ));
    report.line("");
    let mut table = Table::new(&[
        "cgroups",
        "CPU",
        "tick",
        "scrape p50",
        "p99",
        "size",
        "CPU/scrape",
        "RSS",
        "peak",
        "files",
    ]);
    for count in plan.counts {
        cgroups.resize(*count)?;
        for active in [false, true] {
            println!("bench: {count} cgroups, {}", kind(active));
            let sleepers = active.then(|| populate(cgroups, *count)).transpose()?;
            table.row(one(plan, *count, active)?);
            drop(sleepers);
        }
    }
    report.table(&table);
    Ok(())
}

fn kind(active: bool) -> &'static str {
    if active { "active" } else { "idle" }
}

pub(crate) fn populate(cgroups: &Cgroups, count: usize) -> Result<Sleepers> {
    let sleepers = Sleepers::start(count)?;
    for (n, pid) in sleepers.pids.iter().enumerate() {
        interrupt::check()?;
        cgroups.put(n, *pid)?;
    }
    Ok(sleepers)
}

/// A fresh agent, for its peak memory is then of this count alone.
fn one(plan: &Plan, count: usize, active: bool) -> Result<Vec<String>> {
    let agent = Agent::start(Variant::Default)?;
    interrupt::sleep(plan.settle)?;
    let tick = |text: &str| {
        let field = |part| {
            sample(
                text,
                &format!("plimsoll_reading_duration_seconds_{part}"),
                "",
            )
        };
        Some((field("sum")?, field("count")?))
    };
    let before = tick(&agent.scrape()?.body).context("no tick times")?;
    let cpu = Tree::of(&agent.process).cores_during(plan.window)?;
    let after = tick(&agent.scrape()?.body).context("no tick times")?;

    let (mut seconds, mut bytes) = (Vec::new(), 0);
    let cpu_before = agent.process.cpu()?;
    let began = std::time::Instant::now();
    for _ in 0..plan.scrapes {
        interrupt::check()?;
        let answer = agent.scrape()?;
        seconds.push(answer.took.as_secs_f64());
        bytes = answer.body.len();
    }
    let used = agent
        .process
        .cpu()?
        .saturating_sub(cpu_before)
        .as_secs_f64();
    let for_ticks = cpu * began.elapsed().as_secs_f64();
    let a_scrape = (used - for_ticks).max(0.0) / plan.scrapes as f64;

    let at = |percent| percentile(&seconds, percent).context("no scrape");
    Ok(vec![
        format!("{count} {}", kind(active)),
        percent(cpu),
        ms((after.0 - before.0) / (after.1 - before.1)),
        ms(at(50.0)?),
        ms(at(99.0)?),
        mib(bytes as u64),
        ms(a_scrape),
        mib(agent.process.status_bytes("VmRSS")?),
        mib(agent.process.status_bytes("VmHWM")?),
        agent.process.open_files()?.to_string(),
    ])
}
