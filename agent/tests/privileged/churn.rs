//! The agent starts, and starts again after SIGKILL, while cgroups come and go.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::{Agent, OwnCgroup, Settings, V2, mounted};

/// Alive at most, of the churning ones.
const WINDOW: usize = 40;

/// Two of them, where there are two.
fn hierarchies() -> Vec<&'static str> {
    mounted(&[V2, "pids"])
}

/// Makes and removes cgroups of two levels until it is stopped, and leaves some. How many it made.
fn churn(own: &OwnCgroup, stop: &AtomicBool) -> usize {
    let mut made = 0_usize;
    let hierarchies = hierarchies();
    while !stop.load(Ordering::Relaxed) {
        for hierarchy in &hierarchies {
            let directory = own.directory(hierarchy);
            fs::create_dir_all(directory.join(format!("c{made}/below"))).unwrap();
            if let Some(old) = made.checked_sub(WINDOW) {
                remove(&directory.join(format!("c{old}")));
            }
        }
        made += 1;
        // A thousand workloads a second is more than any engine makes.
        thread::sleep(Duration::from_millis(2));
    }
    made
}

/// Stops the churn, also when the test fails meanwhile.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn remove(cgroup: &Path) {
    fs::remove_dir(cgroup.join("below")).unwrap();
    fs::remove_dir(cgroup).unwrap();
}

/// All paths below the own cgroup that exist in some hierarchy.
fn real(own: &OwnCgroup) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for hierarchy in hierarchies() {
        for entry in fs::read_dir(own.directory(hierarchy)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                let path = format!("{}/{}", own.path(), entry.file_name().to_str().unwrap());
                paths.insert(format!("{path}/below"));
                paths.insert(path);
            }
        }
    }
    paths
}

fn listed(agent: &Agent, own: &OwnCgroup) -> BTreeSet<String> {
    let below = format!("{}/", own.path());
    let alive = agent.alive();
    let count = alive.len();
    let listed: BTreeSet<_> = alive.into_iter().collect();
    assert_eq!(listed.len(), count, "listed twice");
    listed
        .into_iter()
        .filter(|id| id.starts_with(&below))
        .collect()
}

/// Removes on drop what the churn left.
struct Clean<'a>(&'a OwnCgroup);

impl Drop for Clean<'_> {
    fn drop(&mut self) {
        for hierarchy in hierarchies() {
            for entry in fs::read_dir(self.0.directory(hierarchy)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    remove(&path);
                }
            }
        }
    }
}

#[test]
fn a_start_under_churn_misses_and_doubles_nothing() {
    let test = "a_start_under_churn_misses_and_doubles_nothing";
    let Some(own) = OwnCgroup::make(test, &hierarchies()) else {
        return;
    };
    let _clean = Clean(&own);
    let stop = AtomicBool::new(false);
    let agent = thread::scope(|scope| {
        let churning = scope.spawn(|| churn(&own, &stop));
        let stop = Stop(&stop);
        let agent = Agent::start(test, &Settings::default());
        drop(stop);
        let made = churning.join().unwrap();
        eprintln!("{test}: {made} made meanwhile");
        agent
    });
    let Some(agent) = agent else {
        return;
    };
    agent.next_tick();
    assert_eq!(listed(&agent, &own), real(&own));
    agent.scrape().assert_nothing_lost();
}

#[test]
fn a_killed_agent_is_consistent_within_a_tick() {
    let test = "a_killed_agent_is_consistent_within_a_tick";
    let Some(own) = OwnCgroup::make(test, &hierarchies()) else {
        return;
    };
    let Some(mut agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let _clean = Clean(&own);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let churning = scope.spawn(|| churn(&own, &stop));
        let stop = Stop(&stop);
        agent.next_tick();
        // Its socket stays behind, and is replaced.
        agent.kill_and_start_again();
        drop(stop);
        let made = churning.join().unwrap();
        eprintln!("{test}: {made} made meanwhile");
    });
    agent.next_tick();
    assert_eq!(listed(&agent, &own), real(&own));
    agent.scrape().assert_nothing_lost();
}
