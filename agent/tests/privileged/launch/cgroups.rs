//! Where a workload's processes are, and what its limits are: the kernel's files say.

use std::fs;

use plimsoll::launch::Cgroups;
use plimsoll::launch::shim::Stdio;
use serde_json::json;

use super::bundle::{Dock, mounts, placement};

#[test]
fn first_process_and_joined_ones_are_in_the_workloads_cgroup_everywhere() {
    let Some(dock) =
        Dock::new("first_process_and_joined_ones_are_in_the_workloads_cgroup_everywhere")
    else {
        return;
    };
    let mut held = dock.run("a", "sleep 1000", Stdio::Null);
    let expected = format!("{}/a", dock.parent);
    let own = placement(held.made.process.pid);
    assert_eq!(own.len(), mounts().len());
    assert!(own.values().all(|path| *path == expected), "{own:?}");

    let request = dock.join_request("a", "b", "sleep 1000", Stdio::Null);
    let mut joined = dock.spare().join(request, None).unwrap();
    assert_eq!(placement(joined.made.process.pid), own);

    let shims = placement(held.pid());
    let home = format!("{}/shims", dock.parent);
    assert!(shims.values().all(|path| *path == home), "{shims:?}");

    // What the agent is told is what the kernel calls it.
    use std::os::unix::fs::MetadataExt;
    let told: Vec<u64> = held.made.cgroups.values().map(|key| key.id).collect();
    let mut inodes: Vec<u64> = dock
        .cgroups("a")
        .values()
        .map(|directory| fs::metadata(directory).unwrap().ino())
        .collect();
    let mut told_sorted = told.clone();
    told_sorted.sort_unstable();
    inodes.sort_unstable();
    assert_eq!(told_sorted, inodes);

    kill(held.made.process.pid);
    assert_eq!(held.wait().unwrap().code, 137);
    assert_eq!(joined.wait().unwrap().code, 137);
    held.reap().unwrap();
    joined.reap().unwrap();
    assert!(dock.cgroups("a").is_empty());
}

#[test]
fn a_start_that_fails_is_undone_and_says_why() {
    let Some(dock) = Dock::new("a_start_that_fails_is_undone_and_says_why") else {
        return;
    };
    let no_program = |spec: &mut serde_json::Value| {
        spec["process"]["args"] = json!(["/nonesuch"]);
    };
    let refused = dock.create("a", "", Stdio::Null, no_program).unwrap_err();
    let refused = refused.to_string();
    assert!(
        refused.ends_with(r#"exec: "/nonesuch": stat /nonesuch: no such file or directory"#),
        "{refused}"
    );
    let no_mount = |spec: &mut serde_json::Value| {
        let bind = json!({"destination": "/data", "type": "bind", "source": "/nonesuch",
            "options": ["bind"]});
        spec["mounts"].as_array_mut().unwrap().push(bind);
    };
    let refused = dock.create("a", "true", Stdio::Null, no_mount).unwrap_err();
    let refused = refused.to_string();
    assert!(
        refused.contains("No such file or directory") && !refused.contains("cleanup"),
        "{refused}"
    );
    assert!(dock.cgroups("a").is_empty() && !dock.state("a").exists());
}

#[test]
fn limits_are_in_force_before_it_starts() {
    let Some(dock) = Dock::new("limits_are_in_force_before_it_starts") else {
        return;
    };
    let file = |names: [&str; 2]| {
        let cgroups = dock.cgroups("a");
        let found = cgroups.values().find_map(|directory| {
            names
                .iter()
                .find_map(|name| fs::read_to_string(directory.join(name)).ok())
        });
        found.map(|text| text.trim().to_owned())
    };
    let made = dock.create("a", "sleep 1000", Stdio::Null, |spec| {
        spec["linux"]["resources"]["memory"] = json!({"limit": 64 << 20});
        spec["linux"]["resources"]["pids"] = json!({"limit": 32});
        spec["linux"]["resources"]["cpu"] = json!({"quota": 20_000, "period": 100_000});
    });
    let mut held = match made {
        Ok(held) => held,
        Err(error) => {
            // cgroup v2 without controllers, and no v1: then it has to say so.
            assert!(error.to_string().contains("cannot be enforced"), "{error}");
            return;
        }
    };
    let memory = file(["memory.max", "memory.limit_in_bytes"]);
    assert_eq!(memory.as_deref(), Some("67108864"));
    assert_eq!(file(["pids.max", "pids.max"]).as_deref(), Some("32"));
    let cpu = file(["cpu.max", "cpu.cfs_quota_us"]).unwrap();
    assert_eq!(cpu.split(' ').next(), Some("20000"));
    held.start().unwrap();
    kill(held.made.process.pid);
    held.wait().unwrap();
    held.reap().unwrap();
}

#[test]
fn a_workload_over_its_memory_limit_is_said_to_be_oom_killed() {
    let Some(dock) = Dock::new("a_workload_over_its_memory_limit_is_said_to_be_oom_killed") else {
        return;
    };
    let line = "head -c 100000000 /dev/zero | tail";
    let made = dock.create("a", line, Stdio::Null, |spec| {
        spec["linux"]["resources"]["memory"] = json!({"limit": 16 << 20, "swap": 16 << 20});
    });
    let mut held = match made {
        Ok(held) => held,
        Err(error) => {
            assert!(error.to_string().contains("cannot be enforced"), "{error}");
            return;
        }
    };
    held.start().unwrap();
    let exit = held.wait().unwrap();
    assert_eq!((exit.code, exit.oom_killed), (137, true));
    held.reap().unwrap();
}

#[test]
fn a_cgroup_that_is_gone_is_thawed() {
    let Some(dock) = Dock::new("a_cgroup_that_is_gone_is_thawed") else {
        return;
    };
    let cgroups = Cgroups::at(&format!("{}/a", dock.parent)).unwrap();
    cgroups.make().unwrap();
    cgroups.freeze().unwrap();
    cgroups.remove().unwrap();
    cgroups.thaw().unwrap();
}

/// As an operator would.
pub(super) fn kill(pid: u32) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[test]
fn a_shim_that_cannot_be_in_its_cgroup_says_so() {
    let Some(dock) = Dock::new("a_shim_that_cannot_be_in_its_cgroup_says_so") else {
        return;
    };
    // No cgroup has such a name.
    let refused = dock.spare_in("two\nlines").unwrap_err().to_string();
    assert!(
        refused.starts_with("the shim cannot get ready: ") && refused.contains("is no cgroup path"),
        "{refused}"
    );
}
