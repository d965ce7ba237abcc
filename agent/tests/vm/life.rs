//! The life of cgroups and of processes in them.

use serde_json::Value;

use crate::agent::running;
use crate::cgroups::Cgroup;
use crate::guest::{outbox, poll};

fn names(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| event["event"].as_str())
        .collect()
}

#[test]
fn cgroups_are_seen_from_birth_to_death() {
    if outbox("cgroups_are_seen_from_birth_to_death").is_none() {
        return;
    }
    let agent = running();
    let cgroup = Cgroup::make("/life");
    let inner = Cgroup::make("/life/inner");
    let mut sleeper = inner.spawn("sleep", &["0.1"]);
    sleeper.wait();
    inner.remove();
    cgroup.remove();
    let events = poll("the release of both", || {
        let events = agent.events(&["class=cgroup"]);
        let of = |path: &str| -> Vec<Value> {
            let of = events.iter().filter(|event| event["path"] == path);
            of.cloned().collect()
        };
        let (outer, inner) = (of("/life"), of("/life/inner"));
        let all =
            names(&outer).contains(&"cgroup_release") && names(&inner).contains(&"cgroup_release");
        all.then_some((outer, inner))
    });
    let inner = names(&events.1);
    for name in ["cgroup_mkdir", "cgroup_attach_task", "cgroup_rmdir"] {
        assert!(inner.contains(&name), "{name} is not in {inner:?}");
    }
    let place = |name| inner.iter().position(|found| *found == name);
    assert!(place("cgroup_mkdir") < place("cgroup_attach_task"));
    assert!(place("cgroup_attach_task") < place("cgroup_rmdir"));
    assert!(place("cgroup_rmdir") < place("cgroup_release"));
    let attached = events.1.iter().find(|e| e["event"] == "cgroup_attach_task");
    assert_eq!(attached.unwrap()["tgid"], sleeper.id());
    assert!(!names(&events.0).contains(&"cgroup_attach_task"));
}

#[test]
fn freezing_is_seen() {
    let test = "freezing_is_seen";
    if outbox(test).is_none() {
        return;
    }
    let cgroup = Cgroup::make("/freezing");
    if !cgroup.has("cgroup.freeze") {
        crate::guest::skip(test, "the freezer is on v1, which has no such events");
        return;
    }
    let agent = running();
    let _sleeper = cgroup.spawn("sleep", &["60"]);
    cgroup.write("cgroup.freeze", "1");
    poll("a frozen workload", || {
        (agent.workload("/freezing")?["life"]["state"] == "frozen").then_some(())
    });
    cgroup.write("cgroup.freeze", "0");
    poll("a workload that runs again", || {
        (agent.workload("/freezing")?["life"]["state"] == "alive").then_some(())
    });
    cgroup.remove();
}

#[test]
fn exec_and_exit_are_counted_with_their_status() {
    if outbox("exec_and_exit_are_counted_with_their_status").is_none() {
        return;
    }
    let agent = running();
    let cgroup = Cgroup::make("/process");
    for code in [0, 7, 7] {
        let mut shell = cgroup.spawn("sh", &["-c", &format!("exit {code}")]);
        assert_eq!(shell.wait().code(), Some(code));
    }
    let mut killed = cgroup.spawn("sh", &["-c", "kill -9 $$"]);
    killed.wait();
    let workload = poll("four exits", || {
        let workload = agent.workload("/process")?;
        (workload["exits"].as_u64()? >= 4).then_some(workload)
    });
    assert_eq!(
        (&workload["execs"], &workload["exits"]),
        (&4.into(), &4.into())
    );
    let exits = agent.events(&["event=exit", "workload=/process"]);
    let codes: Vec<_> = exits.iter().map(|exit| exit["code"].as_u64()).collect();
    assert_eq!(codes, [Some(0), Some(7), Some(7), None]);
    assert_eq!(exits[3]["signal"], 9);
    assert_eq!(exits[3]["tgid"], killed.id());
    assert_eq!(exits[3]["comm"], "sh");
    cgroup.remove();
}
