//! Namespaces made and entered.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::agent::{Agent, running};
use crate::cgroups::Cgroup;
use crate::guest::{outbox, poll};

/// Events of one process, when there are any.
fn of(agent: &Agent, tgid: u32) -> Option<Vec<Value>> {
    let events = agent.events(&["event=namespace"]);
    let own: Vec<_> = events
        .into_iter()
        .filter(|event| event["tgid"] == tgid)
        .collect();
    (!own.is_empty()).then_some(own)
}

fn kinds(event: &Value) -> Vec<&str> {
    let changes = event["changes"].as_array().unwrap();
    let mut kinds: Vec<_> = changes
        .iter()
        .filter_map(|change| change["kind"].as_str())
        .collect();
    kinds.sort_unstable();
    kinds
}

fn inode(tgid: u32, kind: &str) -> u64 {
    let link = fs::read_link(format!("/proc/{tgid}/ns/{kind}")).unwrap();
    let text = link.to_string_lossy().into_owned();
    text.split(['[', ']']).nth(1).unwrap().parse().unwrap()
}

#[test]
fn unshare_is_seen_with_the_new_namespaces() {
    if outbox("unshare_is_seen_with_the_new_namespaces").is_none() {
        return;
    }
    let agent = running();
    let cgroup = Cgroup::make("/unshare");
    let process = cgroup.spawn("unshare", &["-n", "-u", "-i", "-m", "sleep", "60"]);
    let events = poll("unshare", || of(&agent, process.id()));
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["call"], "unshare");
    assert_eq!(events[0]["workload"], "/unshare");
    assert_eq!(kinds(&events[0]), ["ipc", "mnt", "net", "uts"]);
    for change in events[0]["changes"].as_array().unwrap() {
        let kind = change["kind"].as_str().unwrap();
        assert_eq!(change["after"], inode(process.id(), kind), "{kind}");
        assert_eq!(change["before"], inode(1, kind), "{kind}");
    }
    cgroup.remove();
}

#[test]
fn setns_into_another_workload_is_told_of() {
    if outbox("setns_into_another_workload_is_told_of").is_none() {
        return;
    }
    let agent = running();
    let owner = Cgroup::make("/owner");
    let other = Cgroup::make("/other");
    let inside = owner.spawn("unshare", &["-n", "sleep", "60"]);
    poll("unshare", || of(&agent, inside.id()));
    // The owner is whoever has most tasks in it, which the next pass over all tasks tells.
    poll("a workload's network namespace", || {
        let net = format!("/proc/{}/ns/net", inside.id());
        let mut entering = other.spawn("nsenter", &[&format!("--net={net}"), "true"]);
        assert!(entering.wait().success());
        std::thread::sleep(std::time::Duration::from_millis(300));
        let foreign = agent.events(&["event=namespace_foreign_enter"]);
        foreign.into_iter().find(|event| {
            event["kind"] == "net"
                && event["owner"] == "/owner"
                && event["workload"] == "/other"
                && event["inode"] == inode(inside.id(), "net")
        })
    });
    let events = agent.events(&["event=namespace", "workload=/other"]);
    assert_eq!(events[0]["call"], "setns");
    owner.remove();
    other.remove();
}

#[test]
fn clone_into_new_namespaces_is_seen() {
    if outbox("clone_into_new_namespaces_is_seen").is_none() {
        return;
    }
    let agent = running();
    // unshare(1) with --fork makes no clone flags; a pid namespace is only seen in its child.
    let flags = nix::sched::CloneFlags::CLONE_NEWUTS | nix::sched::CloneFlags::CLONE_NEWIPC;
    let mut stack = vec![0; 256 << 10];
    // SAFETY: the child only sleeps on its own stack, and is waited for below.
    let child = unsafe {
        nix::sched::clone(
            Box::new(|| {
                std::thread::sleep(std::time::Duration::from_secs(1));
                0
            }),
            &mut stack,
            flags,
            Some(nix::libc::SIGCHLD),
        )
    }
    .unwrap();
    let tgid = child.as_raw().cast_unsigned();
    let expected = [inode(tgid, "ipc"), inode(tgid, "uts")];
    let events = poll("clone", || of(&agent, tgid));
    nix::sys::wait::waitpid(child, None).unwrap();
    assert_eq!(events[0]["call"], "clone");
    assert_eq!(kinds(&events[0]), ["ipc", "uts"]);
    for change in events[0]["changes"].as_array().unwrap() {
        let n = usize::from(change["kind"] == "uts");
        assert_eq!(change["after"], expected[n]);
    }
}

#[test]
fn alive_namespaces_are_counted() {
    if outbox("alive_namespaces_are_counted").is_none() {
        return;
    }
    let agent = running();
    let counted = |agent: &Agent| agent.metric("plimsoll_namespaces_alive", &["kind=\"uts\""]);
    let Some(before) = counted(&agent) else {
        panic!("no plimsoll_namespaces_alive");
    };
    let mut inside = Command::new("unshare")
        .args(["-u", "sleep", "60"])
        .spawn()
        .unwrap();
    poll("one more", || {
        (counted(&agent)? == before + 1.0).then_some(())
    });
    inside.kill().unwrap();
    inside.wait().unwrap();
    poll("one less", || (counted(&agent)? == before).then_some(()));
}
