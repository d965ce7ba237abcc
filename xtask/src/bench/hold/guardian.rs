//! From the agent's death to the originals.

use std::time::Duration;

use anyhow::Result;

use super::files::Files;
use super::reaction::wait;
use crate::bench::agent::{Agent, Variant};
use crate::bench::cgroups::Cgroups;
use crate::bench::report::{Report, Table, ms};
use crate::bench::summary::percentile;
use crate::bench::{Plan, interrupt, present, scale};

const WORKLOADS: [usize; 2] = [1, 100];
const LIMIT: u64 = 256 << 20;
const START: Duration = Duration::from_secs(20);

pub(super) fn measure(plan: &Plan, report: &mut Report, cgroups: &mut Cgroups) -> Result<()> {
    report.heading("From the agent's death to the originals");
    report.line(&format!(
        "A policy holds memory, tasks and CPU of each workload; the agent gets SIGKILL, and its guardian gives back. Until \
         the kernel's files of all workloads say that there is no limit, {} kills.",
        plan.kills
    ));
    report.line("");
    let mut table = Table::new(&["workloads", "limits", "median", "most"]);
    for count in WORKLOADS {
        println!("bench: hold: guardian, {count} workloads");
        cgroups.resize(count)?;
        let sleepers = scale::populate(cgroups, count)?;
        let taken = kills(plan, cgroups, count)?;
        drop(sleepers);
        let at = |percent| present(percentile(&taken, percent), "kill").map(ms);
        table.row(vec![
            count.to_string(),
            (3 * count).to_string(),
            at(50.0)?,
            at(100.0)?,
        ]);
    }
    report.table(&table);
    Ok(())
}

fn kills(plan: &Plan, cgroups: &Cgroups, count: usize) -> Result<Vec<f64>> {
    let policy = format!(
        "version = 1\n[[policy]]\nname = \"bench\"\nmatch = {{ cgroup = \"{}\" }}\n[policy.limits]\n\"memory.max\" = \
         \"256MiB\"\n\"pids.max\" = 100\n\"cpu.max\" = \"50%\"\n",
        Cgroups::pattern()
    );
    let files = (0..count).map(|n| Files::of(cgroups, n));
    let files: Vec<Files> = files.collect::<Result<_>>()?;
    let mut taken = Vec::new();
    for _ in 0..plan.kills {
        let mut agent = Agent::start_with_policy(Variant::Default, Some(&policy))?;
        interrupt::poll("limits", START, || {
            let limited = |files: &Files| files.memory_limit() == Some(LIMIT);
            files.iter().all(limited).then_some(())
        })?;
        // The limits of a workload are held one after the other.
        interrupt::sleep(Duration::from_millis(500))?;
        agent.process.kill()?;
        let killed = std::time::Instant::now();
        let free = |files: &Files| files.memory_limit().is_none();
        let back = wait("originals", || files.iter().all(free))?;
        taken.push((back - killed).as_secs_f64());
    }
    Ok(taken)
}
