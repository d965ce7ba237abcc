//! CPU time of the thread that decides.

use anyhow::{Context, Result};

use crate::bench::agent::{Agent, Variant, sample};
use crate::bench::cgroups::Cgroups;
use crate::bench::process::Tree;
use crate::bench::report::{Report, Table, percent};
use crate::bench::{Plan, interrupt, scale};

const WORKLOADS: usize = 100;
const RULES: usize = 20;

/// Conditions of all kinds, none of which holds.
const CONDITIONS: [&str; 10] = [
    r#"{ metric = "memory.usage", above = "1GiB" }"#,
    r#"{ metric = "memory.anon", above = "512MiB" }"#,
    r#"{ metric = "cpu.usage", above = "1.5 cores", window = "2s" }"#,
    r#"{ metric = "pids.current", above = "1000" }"#,
    r#"{ psi = "memory.full", above = "20%", window = "2s" }"#,
    r#"{ psi = "io.full", of = "host", above = "95%", window = "2s" }"#,
    r#"{ rate = "memory.anon", above = "200MiB/s", window = "5s" }"#,
    r#"{ metric = "io.write_bytes", above = "500MiB/s", window = "2s" }"#,
    r#"{ metric = "net.egress", above = "5Gbit", window = "2s" }"#,
    r#"{ metric = "cpu.throttled_ratio", above = "50%", window = "2s" }"#,
];

pub(super) fn measure(plan: &Plan, report: &mut Report, cgroups: &mut Cgroups) -> Result<()> {
    report.heading("CPU of deciding");
    report.line(&format!(
        "{WORKLOADS} active workloads (one process in each that wakes up five times a second), all matched by {RULES} \
         rules on memory, CPU, tasks, pressure, disk, network and events, none of which fires; over {} s, in percent of \
         one core. Policy: `plimsoll_policy_cpu_seconds_total`. Agent: all of its threads.",
        plan.window.as_secs()
    ));
    report.line("");
    cgroups.resize(WORKLOADS)?;
    let sleepers = scale::populate(cgroups, WORKLOADS)?;
    let mut table = Table::new(&["rules", "policy", "agent"]);
    for rules in [0, RULES] {
        println!("bench: hold: {rules} rules");
        let policy = policy(rules);
        let agent = Agent::start_with_policy(Variant::Default, Some(&policy))?;
        interrupt::sleep(plan.settle)?;
        let began = std::time::Instant::now();
        let before = deciding(&agent)?;
        let all = Tree::of(&agent.process).cores_during(plan.window)?;
        let used = deciding(&agent)? - before;
        table.row(vec![
            rules.to_string(),
            percent(used / began.elapsed().as_secs_f64()),
            percent(all),
        ]);
    }
    drop(sleepers);
    report.table(&table);
    Ok(())
}

fn policy(rules: usize) -> String {
    let mut text = format!(
        "version = 1\n[[policy]]\nname = \"bench\"\nmatch = {{ cgroup = \"{}\" }}\n",
        Cgroups::pattern()
    );
    if rules == 0 {
        text.push_str("[policy.limits]\n\"pids.max\" = 1000\n");
    }
    for (n, condition) in CONDITIONS.iter().cycle().take(rules).enumerate() {
        text.push_str(&format!(
            "[[policy.rule]]\nname = \"rule-{n}\"\nany = [{condition}, {{ event = \"oom_kill\", count = 3, window = \
             \"10s\" }}]\nfor = \"2s\"\nthen = [{{ notify = {{}} }}]\n"
        ));
    }
    text
}

fn deciding(agent: &Agent) -> Result<f64> {
    let text = agent.scrape()?.body;
    sample(&text, "plimsoll_policy_cpu_seconds_total", "").context("no CPU time of policies")
}
