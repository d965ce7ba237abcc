//! What can be had of hosts that have not everything.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::cgroup::{Hierarchy, HierarchyId, Layout, Placement};

/// A host with one v1 hierarchy that has only the pids controller.
fn pids_only() -> (tempfile::TempDir, Cgroups) {
    let mount = tempfile::tempdir().unwrap();
    std::fs::create_dir(mount.path().join("a")).unwrap();
    let id = HierarchyId(4);
    let hierarchy = Hierarchy {
        id,
        mount: mount.path().to_owned(),
        root: "/".to_owned(),
        controllers: vec![Controller::Pids],
        name: None,
    };
    let placement = Placement {
        paths: [(id, "/a".to_owned())].into(),
    };
    let cgroups = Cgroups::in_layout(Layout::from_hierarchies(vec![hierarchy]), placement);
    (mount, cgroups)
}

/// A v2 host whose cgroup has these controllers.
fn unified(controllers: &str) -> (tempfile::TempDir, Cgroups) {
    let mount = tempfile::tempdir().unwrap();
    let own = mount.path().join("a");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("cgroup.controllers"), controllers).unwrap();
    let hierarchy = Hierarchy {
        id: HierarchyId::V2,
        mount: mount.path().to_owned(),
        root: "/".to_owned(),
        controllers: vec![Controller::Pids, Controller::Memory, Controller::Cpu],
        name: None,
    };
    let placement = Placement {
        paths: [(HierarchyId::V2, "/a".to_owned())].into(),
    };
    let cgroups = Cgroups::in_layout(Layout::from_hierarchies(vec![hierarchy]), placement);
    (mount, cgroups)
}

fn resources(text: &str) -> LinuxResources {
    serde_json::from_str(text).unwrap()
}

fn refusal(text: &str, cgroups: &Cgroups) -> LimitError {
    prepare(&mut resources(text), cgroups, &mut Vec::new()).unwrap_err()
}

#[test]
fn what_docker_sends_for_no_limits_needs_no_controller() {
    let (_mount, cgroups) = pids_only();
    let mut asked = resources(
        r#"{"memory":{"limit":0,"swap":-1,"disableOOMKiller":false},
            "cpu":{"shares":0,"quota":0,"period":0,"cpus":"","mems":""},
            "pids":{"limit":0},"blockIO":{"weight":0},"network":{"classID":0}}"#,
    );
    let besides = prepare(&mut asked, &cgroups, &mut Vec::new()).unwrap();
    assert_eq!(besides, Besides::default());
    let mut nothing = LinuxResources::default();
    nothing.set_devices(asked.devices().clone());
    nothing.set_pids(*asked.pids());
    assert_eq!(asked, nothing);
    assert_eq!(asked.pids().as_ref().unwrap().limit(), -1);
}

#[test]
fn limits_without_controller_are_refused_by_name() {
    let (_mount, cgroups) = pids_only();
    let missing = |limit, controller| LimitError::NoController { limit, controller };
    assert_eq!(
        refusal(r#"{"memory":{"limit":1048576}}"#, &cgroups),
        missing("memory.limit", "memory")
    );
    assert_eq!(
        refusal(r#"{"cpu":{"quota":10000}}"#, &cgroups),
        missing("cpu.quota", "cpu")
    );
    assert_eq!(
        refusal(r#"{"cpu":{"cpus":"0"}}"#, &cgroups),
        missing("cpu.cpus", "cpuset")
    );
    prepare(
        &mut resources(r#"{"pids":{"limit":5}}"#),
        &cgroups,
        &mut Vec::new(),
    )
    .unwrap();
}

#[test]
fn on_v2_the_cgroup_itself_says_what_it_has() {
    let (_mount, cgroups) = unified("memory pids\n");
    prepare(
        &mut resources(r#"{"memory":{"limit":1048576}}"#),
        &cgroups,
        &mut Vec::new(),
    )
    .unwrap();
    assert_eq!(
        refusal(r#"{"cpu":{"shares":512}}"#, &cgroups),
        LimitError::NoController {
            limit: "cpu.shares",
            controller: "cpu"
        },
        "the host has cpu, but the cgroup's parent does not hand it down"
    );
    assert_eq!(
        refusal(r#"{"memory":{"swappiness":60}}"#, &cgroups),
        LimitError::NotOnV2 {
            limit: "memory.swappiness"
        }
    );
    let mut warnings = Vec::new();
    let mut asked = resources(r#"{"memory":{"disableOOMKiller":true}}"#);
    let besides = prepare(&mut asked, &cgroups, &mut warnings).unwrap();
    assert!(!besides.disable_oom_killer);
    assert_eq!(warnings, [Warning::OomKillerStays]);
}

#[test]
fn knobs_the_kernel_was_built_without_are_refused_by_name() {
    let (mount, cgroups) = unified("memory io pids\n");
    let file = LimitError::NoFile {
        limit: "memory.swap",
        file: "memory.memsw.limit_in_bytes".into(),
    };
    let swap = r#"{"memory":{"limit":1048576,"swap":2097152}}"#;
    assert_eq!(refusal(swap, &cgroups), file);
    std::fs::write(mount.path().join("a/memory.swap.max"), "max").unwrap();
    prepare(&mut resources(swap), &cgroups, &mut Vec::new()).unwrap();
}
