//! OOM kills, by the workload they were in.

use crate::agent::running;
use crate::cgroups::{Cgroup, is_pure_v2};
use crate::guest::{outbox, poll};

/// v2 and v1 names of the same.
fn limit(cgroup: &Cgroup, bytes: &str) {
    if is_pure_v2() {
        cgroup.write("memory.max", bytes);
    } else {
        cgroup.write("memory.limit_in_bytes", bytes);
    }
}

/// What the controller counts.
fn oracle(cgroup: &Cgroup) -> u64 {
    let file = if is_pure_v2() {
        "memory.events"
    } else {
        "memory.oom_control"
    };
    cgroup.field(file, "oom_kill").unwrap()
}

#[test]
fn kills_are_counted_as_the_controller_does() {
    if outbox("kills_are_counted_as_the_controller_does").is_none() {
        return;
    }
    let agent = running();
    let cgroup = Cgroup::make("/oom");
    limit(&cgroup, "20000000");
    let mut victims = Vec::new();
    for _ in 0..3 {
        let mut victim = cgroup.spawn("dd", &["if=/dev/zero", "of=/dev/null", "bs=100M"]);
        let status = victim.wait();
        assert!(
            !status.success(),
            "dd lives with a tenth of what it asked for"
        );
        victims.push(victim.id());
    }
    assert_eq!(oracle(&cgroup), 3);
    let workload = poll("three kills", || {
        let workload = agent.workload("/oom")?;
        (workload["oom_kills"].as_u64()? >= 3).then_some(workload)
    });
    assert_eq!(workload["oom_kills"], 3);
    let events = agent.events(&["event=oom_kill", "workload=/oom"]);
    let told: Vec<_> = events
        .iter()
        .map(|event| event["tgid"].as_u64().unwrap() as u32)
        .collect();
    assert_eq!(told, victims);
    for event in &events {
        assert_eq!(
            (&event["comm"], &event["workload"]),
            (&"dd".into(), &"/oom".into())
        );
    }
    let exported = agent.metric("container_oom_events_total", &["id=\"/oom\""]);
    assert_eq!(exported, Some(3.0));
    cgroup.remove();
}
