//! OOM kills, counted durably.
#![allow(clippy::unwrap_used)]

use crate::support::{Agent, OwnCgroup, Settings, V2, installed, mounted, poll, skip};

const OOM_EVENTS: &str = "container_oom_events_total";
/// A held string four times the limit.
const HOG: [&str; 2] = ["-e", "my @held; push @held, 'x' x 1048576 for 1 .. 128"];

/// Where the memory controller is: hierarchy, limit, and the file that counts kills.
fn controller() -> [&'static str; 3] {
    if mounted(&["memory"]).is_empty() {
        [V2, "memory.max", "memory.events"]
    } else {
        ["memory", "memory.limit_in_bytes", "memory.oom_control"]
    }
}

/// Fills the cgroup until the kernel kills the process, whose id is returned.
fn provoke(own: &mut OwnCgroup) -> u32 {
    let [hierarchy, limit, kills] = controller();
    own.write(hierarchy, limit, "33554432");
    let hog = own.spawn("perl", &HOG);
    let pid = hog.id();
    let status = hog.wait().unwrap();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(9),
        "{status}"
    );
    assert_eq!(own.field(hierarchy, kills, "oom_kill"), 1);
    pid
}

#[test]
fn an_oom_kill_outlives_its_cgroup() {
    let test = "an_oom_kill_outlives_its_cgroup";
    if !installed(test, "perl") {
        return;
    }
    let [hierarchy, limit, _] = controller();
    let Some(mut own) = OwnCgroup::make(test, &[hierarchy]) else {
        return;
    };
    if !own.directory(hierarchy).join(limit).exists() {
        return skip(test, "no memory controller");
    }
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let id = own.path();
    let pid = provoke(&mut own);
    own.remove();

    let filters = ["class=oom", &format!("workload={id}")];
    let event = agent.event(&filters, |_| true);
    assert_eq!(event["tgid"], pid);
    assert_eq!(event["comm"], "perl");
    assert_eq!(agent.events(&filters).len(), 1);
    let exit = agent.event(&["event=exit"], |event| event["tgid"] == pid);
    assert_eq!(exit["signal"], 9);
    assert_eq!(exit["workload"], id.as_str(), "{exit}");

    let metrics = agent.fresh_scrape();
    assert_eq!(metrics.of(&id, OOM_EVENTS), Some(1.0));
    assert!(metrics.get("plimsoll_host_oom_kills_total", &[]) >= 1.0);
    poll("retirement", || {
        (!agent.fresh_scrape().has(&id)).then_some(())
    });

    // The same container again, as after a restart: the count goes on.
    own.make_again(&[hierarchy]);
    assert_eq!(agent.fresh_scrape().of(&id, OOM_EVENTS), Some(1.0));
    let second = provoke(&mut own);
    agent.event(&filters, |event| event["tgid"] == second);
    assert_eq!(agent.fresh_scrape().of(&id, OOM_EVENTS), Some(2.0));
    // And again at once, before a scrape showed its end.
    own.remove();
    own.make_again(&[hierarchy]);
    provoke(&mut own);
    poll("third kill", || {
        (agent.events(&filters).len() == 3).then_some(())
    });
    assert_eq!(agent.fresh_scrape().of(&id, OOM_EVENTS), Some(3.0));
}
