//! The agent's own life: degraded where something is missing, reloaded, ended.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::{Agent, Settings, poll};

#[test]
fn sigterm_ends_it_within_a_second() {
    let test = "sigterm_ends_it_within_a_second";
    let Some(mut agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let told = Instant::now();
    agent.signal(Signal::SIGTERM);
    let (status, log) = agent.outcome();
    let took = told.elapsed();
    eprintln!("{test}: {took:?}");
    assert!(status.success(), "{status}\n{log}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(!agent.socket().exists(), "its socket is left behind");
    assert!(!log.contains("did not end in time"), "{log}");
}

#[test]
fn sighup_reloads_or_keeps_and_says_why() {
    let test = "sighup_reloads_or_keeps_and_says_why";
    let slow = Settings {
        tick: "1s",
        ..Settings::default()
    };
    let Some(agent) = Agent::start(test, &slow) else {
        return;
    };
    let logged = |words: &str| poll(words, || agent.log().contains(words).then_some(()));
    agent.configure(&slow, "[nonsense]\n");
    agent.signal(Signal::SIGHUP);
    logged("the old one stays in force");
    logged("nonsense");

    // What cannot change is named; the rest does.
    let fast = Settings {
        tick: "100ms",
        socket: Some("/run/plimsoll-test/other.sock".into()),
        ..Settings::default()
    };
    agent.configure(&fast, "");
    agent.signal(Signal::SIGHUP);
    logged("configuration reloaded");
    logged("agent.socket");
    let times = || {
        let metrics = agent.scrape();
        (
            metrics.get("plimsoll_ticks_total", &[]),
            metrics.get("plimsoll_snapshot_timestamp_seconds", &[]),
        )
    };
    poll("ticks ten times a second", || {
        let (first, began) = times();
        agent.next_tick();
        let (last, ended) = times();
        let period = (ended - began) / (last - first);
        (period < 0.5).then_some(())
    });
}

#[test]
fn without_cgroup2_it_runs_and_says_what_is_missing() {
    let test = "without_cgroup2_it_runs_and_says_what_is_missing";
    let settings = Settings {
        // `unshare` makes all mounts private: nobody else sees this.
        through: [
            "unshare",
            "--mount",
            "sh",
            "-c",
            "for mount in $(awk '$3 == \"cgroup2\" { print $2 }' /proc/mounts); do \
             umount $mount || exit; done; exec \"$@\"",
            "sh",
        ]
        .map(String::from)
        .to_vec(),
        ..Settings::default()
    };
    if crate::support::own_cgroup::mounted(&["cpuacct"]).is_empty() {
        return crate::support::skip(test, "no v1 hierarchy to run on");
    }
    let Some(agent) = Agent::start(test, &settings) else {
        return;
    };
    assert!(agent.log().contains("no cgroup2 mount"), "{}", agent.log());
    let metrics = agent.fresh_scrape();
    for probe in ["skb_ingress", "skb_egress"] {
        let labels = [("probe", probe), ("state", "attached")];
        assert_eq!(metrics.get("plimsoll_probe_state", &labels), 0.0, "{probe}");
    }
    assert!(
        metrics
            .of("/", "container_cpu_usage_seconds_total")
            .unwrap()
            > 0.0
    );
}
