//! `plimsoll probes`

use crate::world::World;

const AT_140: &str = "\
PROBE            HOOK                  STATE         RUNS   NS/RUN   REASON
sched_switch     tp_btf/sched_switch   attached   1234567       85
mark_victim      tp_btf/mark_victim    degraded         0       --   no uid in this kernel's record
ingress          cgroup_skb/ingress    failed           0       --   cannot attach: EPERM
sys_exit_setns   tracepoint/syscalls   disabled         0       --   switched off, or not needed on this host

ENGINE   STATE   REASON
docker   up
podman   down    /run/podman/podman.sock: connection refused

LOST        RECORDS
lifecycle        12
";

#[test]
fn health_reasons_and_losses() {
    let world = World::new();
    assert_eq!(world.shown(140, &["probes"]), AT_140);
}

#[test]
fn reasons_stay_readable_in_80_columns() {
    let world = World::new();
    let table = world.shown(80, &["probes"]);
    assert!(table.contains("no uid in this kernel's record"), "{table}");
    assert!(
        table.lines().all(|line| line.chars().count() <= 80),
        "{table}"
    );
}

#[test]
fn json_has_state_and_reason_beside_the_name() {
    let world = World::new();
    let list = world.json(&["probes"]);
    assert_eq!(list["probes"][0]["state"], "attached");
    assert_eq!(list["probes"][2]["state"], "failed");
    assert_eq!(list["probes"][2]["reason"], "cannot attach: EPERM");
    assert_eq!(list["losses"][0]["count"], 12);
}
