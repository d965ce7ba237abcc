//! Σ workloads + unattributed = host, while cgroups come and go.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::USAGE;
use crate::support::{
    Agent, Metrics, OwnCgroup, Settings, cpu_hierarchies, host_cpu_ns, is_guest, poll, skip,
};

const CHURN: Duration = Duration::from_secs(3);
/// So many come and go at least, however long an emulated CPU takes to it.
const SHORT_ONES: usize = 8;
/// Workloads are read one after the other: on this the two sides may differ, and by what one tick's
/// readings take on each CPU.
const TOLERANCE: f64 = 0.01;

/// What counters grew by, resets and ends taken as Prometheus takes them.
#[derive(Default)]
struct Growth {
    last: BTreeMap<String, f64>,
    total: f64,
}

impl Growth {
    /// Every top-level workload of one scrape.
    fn add(&mut self, metrics: &Metrics, first: bool) {
        for sample in metrics.all(USAGE) {
            let id = &sample.labels["id"];
            if id == "/" || id.matches('/').count() != 1 {
                continue;
            }
            let before = self.last.insert(id.clone(), sample.value);
            if !first {
                let before = before.filter(|before| *before <= sample.value);
                self.total += sample.value - before.unwrap_or(0.0);
            }
        }
    }
}

fn host(metrics: &Metrics) -> f64 {
    metrics.get(USAGE, &[("id", "/"), ("cpu", "total")])
}

fn unattributed(metrics: &Metrics) -> f64 {
    metrics.get("plimsoll_unattributed_cpu_seconds_total", &[])
}

/// User, nice, system, irq and softirq of all CPUs, seconds.
fn proc_stat() -> f64 {
    let text = std::fs::read_to_string("/proc/stat").unwrap();
    let fields: Vec<u64> = text
        .lines()
        .next()
        .unwrap()
        .split_whitespace()
        .skip(1)
        .map(|field| field.parse().unwrap())
        .collect();
    (fields[0] + fields[1] + fields[2] + fields[5] + fields[6]) as f64 / 100.0
}

#[test]
fn workloads_and_the_unattributed_are_the_host_under_churn() {
    let test = "workloads_and_the_unattributed_are_the_host_under_churn";
    let hierarchies = &cpu_hierarchies();
    if host_cpu_ns().is_none() {
        return skip(
            test,
            "v2's root counts CPU time by ticks, all below it by the clock",
        );
    }
    let Some(mut steady) = OwnCgroup::make(test, hierarchies) else {
        return;
    };
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    steady.spawn("sh", &["-c", "while :; do :; done"]);
    let id = steady.path();
    poll("the steady workload", || agent.scrape().of(&id, USAGE));

    let root = || host_cpu_ns().unwrap() as f64 / 1e9;
    let root_before = (root(), proc_stat());
    let first = agent.fresh_scrape();
    let root_first = (root(), proc_stat());
    let mut growth = Growth::default();
    growth.add(&first, true);
    let (mut made, mut final_seconds) = (0, 0.0);
    let deadline = Instant::now() + CHURN;
    while made < SHORT_ONES || Instant::now() < deadline {
        let mut short = OwnCgroup::make(test, hierarchies).unwrap();
        short.run(
            "sh",
            &["-c", "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done"],
        );
        final_seconds += short.cpu_ns() as f64 / 1e9;
        short.remove();
        made += 1;
        if made % 4 == 0 {
            growth.add(&agent.scrape(), false);
        }
    }
    let root_last = (root(), proc_stat());
    let last = agent.fresh_scrape();
    let root_after = (root(), proc_stat());
    growth.add(&last, false);

    let grown_host = host(&last) - host(&first);
    let rest = unattributed(&last) - unattributed(&first);
    let sum = growth.total + rest;
    eprintln!(
        "{test}: host {grown_host:.3} s, workloads {:.3} s, unattributed {rest:.3} s, \
         {made} short ones used {final_seconds:.3} s, off by {:.3} %",
        growth.total,
        (sum / grown_host - 1.0) * 100.0
    );
    assert!(
        (sum - grown_host).abs() <= grown_host * TOLERANCE + 0.02,
        "{sum} against {grown_host}"
    );
    let kernel = (root_last.0 - root_first.0, root_after.0 - root_before.0);
    assert!(
        (kernel.0..=kernel.1).contains(&grown_host),
        "{grown_host} is not in {kernel:?}"
    );
    // Ticks are sampled, a hundredth of a second on each CPU.
    let ticks = (root_last.1 - root_first.1, root_after.1 - root_before.1);
    eprintln!("{test}: /proc/stat {ticks:?}");
    assert!(
        is_guest() || (ticks.0 * 0.97 - 0.04..=ticks.1 * 1.03 + 0.04).contains(&grown_host),
        "{grown_host} is not in {ticks:?}"
    );
    last.assert_nothing_lost();
}
