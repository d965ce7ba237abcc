//! More workloads than the cap: the rest is in one bucket, and no sum loses anything.
#![allow(clippy::unwrap_used)]

use crate::support::{Agent, Metrics, OwnCgroup, Settings, cpu_hierarchies, host_cpu_ns, poll};

const USAGE: &str = "container_cpu_usage_seconds_total";
const OTHER: &str = "other";

fn folded(metrics: &Metrics) -> f64 {
    metrics.get("plimsoll_folded_workloads", &[])
}

#[test]
fn beyond_the_cap_is_other() {
    let test = "beyond_the_cap_is_other";
    let hierarchies = &cpu_hierarchies();
    let settings = Settings {
        max_workloads: 1,
        ..Settings::default()
    };
    let Some(agent) = Agent::start(test, &settings) else {
        return;
    };
    let first = agent.fresh_scrape();
    let mut owns: Vec<_> = (0..4)
        .filter_map(|_| OwnCgroup::make(test, hierarchies))
        .collect();
    if owns.len() < 4 {
        return;
    }
    for own in &mut owns {
        own.run(
            "sh",
            &["-c", "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done"],
        );
    }
    let used = |owns: &[OwnCgroup]| owns.iter().map(OwnCgroup::cpu_ns).sum::<u64>() as f64 / 1e9;
    let all = poll("standstill", || {
        let before = used(&owns);
        agent.next_tick();
        (before == used(&owns)).then_some(before)
    });
    let metrics = agent.fresh_scrape();
    for own in &owns {
        assert!(
            !metrics.has(&own.path()),
            "a folded one has series of its own"
        );
    }
    // The host and the bucket have series, all others are folded.
    let with_series: f64 = metrics
        .all("plimsoll_workloads")
        .map(|state| state.value)
        .sum();
    assert_eq!(with_series, 2.0);
    assert!(folded(&metrics) >= 4.0);
    let value = |metrics: &Metrics, id| metrics.of(id, USAGE).unwrap_or(0.0);
    let grown = value(&metrics, OTHER) - value(&first, OTHER);
    eprintln!("{test}: other grew by {grown} s, own cgroups used {all} s");
    assert!(grown >= all - 1e-6, "{grown} s, own cgroups used {all} s");

    // What is gone stays in the bucket's counters.
    for own in &mut owns {
        own.remove();
    }
    poll("retirement", || {
        let now = agent.fresh_scrape();
        assert!(
            value(&now, OTHER) >= value(&metrics, OTHER),
            "the bucket went back"
        );
        (folded(&now) < folded(&metrics)).then_some(())
    });
    if host_cpu_ns().is_none() {
        return;
    }
    let last = agent.fresh_scrape();
    let sum = value(&last, OTHER) + last.get("plimsoll_unattributed_cpu_seconds_total", &[]);
    let before = value(&first, OTHER) + first.get("plimsoll_unattributed_cpu_seconds_total", &[]);
    let host = value(&last, "/") - value(&first, "/");
    eprintln!(
        "{test}: host {host} s, other and unattributed {} s",
        sum - before
    );
    assert!(
        (sum - before - host).abs() <= host * 0.01 + 0.02,
        "{} s, host {host} s",
        sum - before
    );
}
