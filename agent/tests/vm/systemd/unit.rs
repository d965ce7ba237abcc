//! systemd's units as workloads, the agent's own among them.

use super::{run, systemctl, unit};
use crate::cgroups::Cgroup;
use crate::guest::poll;

const OWN: &str = "/system.slice/plimsoll.service";
/// Removed on drop.
struct Transient(&'static str);

impl Drop for Transient {
    fn drop(&mut self) {
        // It may have ended in the test, as it should.
        let _ = std::process::Command::new("systemctl")
            .args(["stop", self.0])
            .output();
    }
}

/// The unit's confinement costs no probe: this kernel has all that the agent asks of one.
#[test]
fn shipped_unit_runs_the_agent_with_all_its_probes() {
    let Some(agent) = unit("shipped_unit_runs_the_agent_with_all_its_probes") else {
        return;
    };
    for (property, value) in [("ActiveState", "active"), ("NRestarts", "0")] {
        let told = systemctl(&["show", "--property", property, "--value", "plimsoll"]);
        assert_eq!(told, value, "{property}");
    }
    let list = agent.ask(&["probes"]);
    let missing: Vec<_> = list["probes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|probe| probe["state"] != "attached" && probe["state"] != "disabled")
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
    let own = agent.workload(OWN).unwrap();
    assert_eq!(own["identity"]["runtime"], "systemd");
    assert_eq!(own["identity"]["name"], "plimsoll.service");
    assert!(
        own["reading"]["cpu"]["usage_ns"].as_u64() > Some(0),
        "{own}"
    );
}

#[test]
fn unit_is_told_with_its_limits_from_start_to_end() {
    let Some(agent) = unit("unit_is_told_with_its_limits_from_start_to_end") else {
        return;
    };
    let name = "load.service";
    let _stopped = Transient(name);
    let how = ["--unit", name, "--slice", "batch.slice"];
    let limits = ["-p", "CPUQuota=20%", "-p", "MemoryMax=64M"];
    let busy = ["sh", "-c", "while :; do :; done"];
    run("systemd-run", &[&how[..], &limits, &busy].concat());
    let path = "/batch.slice/load.service";
    let cgroup = Cgroup::existing(path);
    poll("throttled periods", || {
        (cgroup.field("cpu.stat", "nr_throttled")? >= 5).then_some(())
    });
    let workload = poll("the unit", || agent.workload(path));
    let identity = &workload["identity"];
    for (key, value) in [("runtime", "systemd"), ("kind", "unit"), ("name", name)] {
        assert_eq!(identity[key], value, "{identity}");
    }
    let slice = agent.workload("/batch.slice").unwrap();
    assert_eq!(slice["identity"]["kind"], "slice", "{slice}");
    let info = agent.series("plimsoll_container_info", &[&format!("id=\"{path}\"")]);
    let label = format!("unit=\"{name}\"");
    assert!(info.is_some_and(|info| info.contains(&label)));

    // systemd writes other limits into the same cgroup.
    systemctl(&["set-property", "--runtime", name, "CPUQuota=30%"]);
    poll("the new limit", || {
        let workload = agent.workload(path)?;
        let limits = &workload["reading"]["limits"];
        assert_eq!(limits["memory_max_bytes"], 64 << 20);
        let quota = limits["cpu_quota_us"].as_f64()? / limits["cpu_period_us"].as_f64()?;
        (quota == 0.3).then_some(())
    });

    systemctl(&["freeze", name]);
    let cpu_ns = || cgroup.field("cpu.stat", "usage_usec").unwrap() * 1000;
    poll("the kernel's CPU time", || {
        let kernels = cpu_ns();
        let workload = agent.workload(path)?;
        let ours = workload["reading"]["cpu"]["usage_ns"].as_u64()?;
        let is_frozen = workload["life"]["state"] == "frozen";
        (is_frozen && ours == kernels && kernels == cpu_ns()).then_some(())
    });
    systemctl(&["thaw", name]);
    systemctl(&["stop", name]);
    let exits = poll("its end", || {
        let workload = agent.workload(path);
        let is_over = workload.is_none_or(|workload| workload["life"]["state"] == "dead");
        let exits = agent.events(&["event=exit", &format!("workload={name}")]);
        (is_over && !exits.is_empty()).then_some(exits)
    });
    assert_eq!(exits[0]["signal"], 15, "{exits:?}");
}
