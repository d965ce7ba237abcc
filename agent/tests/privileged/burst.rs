//! Every birth and death of a burst, once each.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::support::{Agent, OwnCgroup, Settings, V2, poll};

const BURST: usize = 1_000;

/// Makes and removes so many at once; the ids are their inode numbers.
fn burst(test: &str, hierarchy: &'static str) {
    let Some(own) = OwnCgroup::make(test, &[hierarchy]) else {
        return;
    };
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let below = format!("{}/", own.path());
    let paths: Vec<_> = (0..BURST)
        .map(|n| own.directory(hierarchy).join(n.to_string()))
        .collect();
    let mut made = BTreeSet::new();
    for path in &paths {
        fs::create_dir(path).unwrap();
        made.insert(fs::metadata(path).unwrap().ino());
    }
    for path in &paths {
        fs::remove_dir(path).unwrap();
    }
    assert_eq!(made.len(), BURST);

    for event in ["cgroup_mkdir", "cgroup_rmdir", "cgroup_release"] {
        let filter = format!("event={event}");
        let told = || {
            let mut told = agent.events(&[&filter]);
            told.retain(|event| {
                event["path"]
                    .as_str()
                    .is_some_and(|p| p.starts_with(&below))
            });
            told
        };
        // The kernel releases a removed cgroup when the last reference to it goes.
        poll(event, || (told().len() >= BURST).then_some(()));
        let mut times = BTreeMap::new();
        for event in told() {
            *times
                .entry(event["cgroup"]["id"].as_u64().unwrap())
                .or_insert(0) += 1;
        }
        let seen: BTreeSet<_> = times.keys().copied().collect();
        assert_eq!(seen, made, "{event}: ids");
        assert!(
            times.values().all(|times| *times == 1),
            "{event}: {times:?}"
        );
    }
    assert!(
        agent
            .events(&["event=lost"])
            .iter()
            .all(|event| event["event"] != "lost")
    );
    let metrics = agent.fresh_scrape();
    metrics.assert_nothing_lost();
    poll("retirement", || {
        agent.fresh_scrape();
        let list = agent.ps(&["--all"]).to_string();
        (!list.contains(&below)).then_some(())
    });
}

#[test]
fn a_burst_in_v2_is_told_in_full() {
    burst("a_burst_in_v2_is_told_in_full", V2);
}

#[test]
fn a_burst_in_v1_is_told_in_full() {
    burst("a_burst_in_v1_is_told_in_full", "pids");
}
