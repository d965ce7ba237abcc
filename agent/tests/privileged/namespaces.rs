//! Namespaces made and entered, of every kind this host allows.
#![allow(clippy::unwrap_used)]

mod foreign;

use std::collections::BTreeSet;
use std::fs;

use nix::sched::{CloneCb, CloneFlags, clone};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, pause};
use serde_json::Value;

use crate::support::{Agent, Metrics, OwnCgroup, Settings, V2, poll, skip};

/// Name as in `/proc/PID/ns`, option of `unshare` and `nsenter`, and flag.
const KINDS: [(&str, &str, CloneFlags); 8] = [
    ("mnt", "--mount", CloneFlags::CLONE_NEWNS),
    ("uts", "--uts", CloneFlags::CLONE_NEWUTS),
    ("ipc", "--ipc", CloneFlags::CLONE_NEWIPC),
    ("pid", "--pid", CloneFlags::CLONE_NEWPID),
    ("net", "--net", CloneFlags::CLONE_NEWNET),
    ("user", "--user", CloneFlags::CLONE_NEWUSER),
    ("cgroup", "--cgroup", CloneFlags::CLONE_NEWCGROUP),
    ("time", "--time", CloneFlags::from_bits_retain(0x80)),
];

/// The file of a namespace; pid and time are those of the children.
fn file(pid: u32, kind: &str) -> String {
    let of_children = matches!(kind, "pid" | "time");
    let suffix = if of_children { "_for_children" } else { "" };
    format!("/proc/{pid}/ns/{kind}{suffix}")
}

/// Its inode number; a pid namespace has none before its first process.
fn inode(pid: u32, kind: &str) -> Option<u64> {
    let link = fs::read_link(file(pid, kind)).ok()?;
    let (_, number) = link.to_str()?.split_once(":[")?;
    number.strip_suffix(']')?.parse().ok()
}

fn of_host(kind: &str) -> u64 {
    inode(std::process::id(), kind).unwrap()
}

fn counter(metrics: &Metrics, what: &str, kind: &str) -> f64 {
    let name = match what {
        "alive" => "plimsoll_namespaces_alive".to_owned(),
        what => format!("plimsoll_namespaces_{what}_total"),
    };
    metrics.get(&name, &[("kind", kind)])
}

/// The change of one kind in a task's event of one call.
fn change(agent: &Agent, call: &str, tgid: u32, kind: &str) -> (u64, u64) {
    let found = |event: &Value| {
        let changes = event["changes"].as_array()?;
        let change = changes.iter().find(|change| change["kind"] == kind)?;
        Some((change["before"].as_u64()?, change["after"].as_u64()?))
    };
    let event = agent.event(&["event=namespace"], |event| {
        event["call"] == call && event["tgid"] == tgid && found(event).is_some()
    });
    found(&event).unwrap()
}

/// Waits until the process is in another namespace than the host's.
fn entered(pid: u32, kind: &str) -> u64 {
    let host = of_host(kind);
    poll("namespace", || inode(pid, kind).filter(|now| *now != host))
}

fn allowed(test: &str, kind: &str, option: &str) -> bool {
    let tried = std::process::Command::new("unshare")
        .args([option, "true"])
        .output();
    let allowed = tried.is_ok_and(|output| output.status.success());
    if !allowed {
        skip(test, &format!("no {kind} namespaces"));
    }
    allowed
}

#[test]
fn every_kind_made_and_entered_is_told() {
    let test = "every_kind_made_and_entered_is_told";
    let Some(mut own) = OwnCgroup::make(test, &[V2]) else {
        return;
    };
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    for (kind, option, _) in KINDS {
        if !allowed(test, kind, option) {
            continue;
        }
        let host = of_host(kind);
        let first = agent.fresh_scrape();
        let fork: &[&str] = if kind == "pid" { &["--fork"] } else { &[] };
        let how = [&[option], fork, &["sleep", "600"]].concat();
        let maker = own.spawn("unshare", &how).id();
        let new = entered(maker, kind);
        assert_eq!(
            change(&agent, "unshare", maker, kind),
            (host, new),
            "{kind}"
        );
        let second = agent.fresh_scrape();
        let grown = |what| counter(&second, what, kind) - counter(&first, what, kind);
        assert!(grown("created") >= 1.0, "{kind}");

        let target = format!("{option}={}", file(maker, kind));
        let fork: &[&str] = if kind == "pid" { &["--no-fork"] } else { &[] };
        let how = [&[target.as_str()], fork, &["sleep", "600"]].concat();
        let enterer = own.spawn("nsenter", &how).id();
        assert_eq!(
            change(&agent, "setns", enterer, kind),
            (host, new),
            "{kind}"
        );
        let third = agent.fresh_scrape();
        let entered = counter(&third, "entered", kind) - counter(&second, "entered", kind);
        assert!(entered >= 1.0, "{kind}");
    }
    agent.scrape().assert_nothing_lost();
}

#[test]
fn every_kind_cloned_is_told() {
    let test = "every_kind_cloned_is_told";
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    for (kind, option, flag) in KINDS {
        // clone(2) has CLONE_NEWTIME's bit for something else.
        if kind == "time" || !allowed(test, kind, option) {
            continue;
        }
        let host = of_host(kind);
        let mut stack = vec![0; 65_536];
        let child: CloneCb<'_> = Box::new(|| {
            pause();
            0
        });
        // SAFETY: the child has its own copy of all memory, and only waits.
        let child =
            unsafe { clone(child, &mut stack, flag, Some(Signal::SIGCHLD as i32)) }.unwrap();
        let pid = u32::try_from(child.as_raw()).unwrap();
        let new = inode(pid, kind).unwrap();
        let told = change(&agent, "clone", pid, kind);
        end(child);
        assert_eq!(told, (host, new), "{kind}");
    }
}

fn end(child: Pid) {
    kill(child, Signal::SIGKILL).unwrap();
    waitpid(child, None).unwrap();
}

/// Network namespaces with a process or a mount, as `/proc` shows them.
fn alive_in_proc() -> BTreeSet<u64> {
    let processes = fs::read_dir("/proc").unwrap();
    let numbers = processes.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let mut alive: BTreeSet<_> = numbers.filter_map(|pid: u32| inode(pid, "net")).collect();
    let mounts = fs::read_to_string("/proc/1/mountinfo").unwrap();
    let roots = mounts.lines().filter_map(|line| line.split(' ').nth(3));
    let mounted = roots.filter_map(|root| {
        root.strip_prefix("net:[")?
            .strip_suffix(']')?
            .parse::<u64>()
            .ok()
    });
    alive.extend(mounted);
    alive
}

/// As many as `/proc` has at a moment at which others change nothing.
fn assert_alive(agent: &Agent) -> BTreeSet<u64> {
    poll("a moment without change, and the same count", || {
        let before = alive_in_proc();
        let ours = counter(&agent.fresh_scrape(), "alive", "net");
        (before == alive_in_proc() && ours == before.len() as f64).then_some(before)
    })
}

#[test]
fn alive_namespaces_are_counted_up_and_down() {
    let test = "alive_namespaces_are_counted_up_and_down";
    let Some(mut own) = OwnCgroup::make(test, &[V2]) else {
        return;
    };
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    assert_alive(&agent);
    let maker = own.spawn("unshare", &["--net", "sleep", "600"]).id();
    let new = entered(maker, "net");
    assert!(assert_alive(&agent).contains(&new));
    own.remove();
    assert!(!assert_alive(&agent).contains(&new));
}
